"""Which cluster, and as which user: kubectl's own options, passed on to it unchanged.

The plugin reads no kubeconfig: kubectl does, with every login method that it supports.
Only where kubectl's answer would be confusing (no kubeconfig at all) are the files
looked for here, to report that.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dbmigrate.kubectl.problems import RequestFailed

PROGRAM_VARIABLE = "DBMIGRATE_KUBECTL"
"""Another program in kubectl's place, such as `oc` or `k3s kubectl`."""
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a Pod finds its own credentials, which kubectl takes where there is no kubeconfig."""
REMEDY = "set KUBECONFIG, or give --kubeconfig FILE or --context NAME"


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """The options about the cluster."""

    kubeconfig: str | None = None
    namespace: str | None = None
    options: tuple[str, ...] = ()
    """Further options of kubectl's: --context, --cluster, --user, --as, ..."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """All of them as kubectl's arguments, except for the namespace."""
        chosen = ("--kubeconfig", self.kubeconfig) if self.kubeconfig else ()
        return (*chosen, *self.options)


def find_program(environ: Mapping[str, str]) -> tuple[str, ...]:
    """kubectl, or its substitute. Raises ClusterError when there is none."""
    named = environ.get(PROGRAM_VARIABLE)
    words = shlex.split(named) if named else ["kubectl"]
    path = shutil.which(words[0], path=environ.get("PATH")) if words else None
    if path is None:
        what = f"{PROGRAM_VARIABLE} names {named!r}, which" if named else "kubectl"
        raise RequestFailed(f"{what} is not on PATH: install it, or name it in {PROGRAM_VARIABLE}")
    return (path, *words[1:])


def explain_no_context(access: ClusterOptions, environ: Mapping[str, str]) -> RequestFailed:
    """The message when kubectl knows no current context."""
    if access.kubeconfig:
        files = [access.kubeconfig]
    elif environ.get("KUBECONFIG"):
        files = environ["KUBECONFIG"].split(os.pathsep)
    else:
        files = [str(Path("~/.kube/config").expanduser())]
    if not any(Path(file).exists() for file in files if file):
        return RequestFailed(f"no cluster is configured: {', '.join(files)} not found; {REMEDY}")
    return RequestFailed(
        f"no cluster is chosen: {', '.join(files)} has no current context; {REMEDY}"
    )


def find_pod_namespace(environ: Mapping[str, str], directory: Path = SERVICE_ACCOUNT) -> str | None:
    """The namespace of this Pod; None outside of a cluster."""
    if not environ.get("KUBERNETES_SERVICE_HOST"):
        return None
    try:
        return (directory / "namespace").read_text().strip() or None
    except OSError:
        return None
