"""The programs of a real node: built once from their Go modules, or taken from PATH.

kubelet, kube-scheduler and kube-proxy are one binary of the control plane's module;
containerd with its shim and `ctr` come from a module of their own. runc, iptables,
the CNI plugins, buildah and debootstrap are Debian's: `make node-tools` installs them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.build import KUBERNETES, MODULE, stamp_flags
from tests.toolchain import GoUnavailable, find_go, made_once, progress, say

HERE = Path(__file__).parent
CONTAINERD = HERE / "containerd"
PAUSE = HERE / "pause"
CNI = ("/usr/lib/cni", "/opt/cni/bin")
"""Where distributions put the CNI plugins."""
TOOLS = ("runc", "iptables", "ip", "nsenter", "unshare", "buildah", "debootstrap")
PLUGINS = ("bridge", "host-local", "loopback", "portmap")


class NodeUnavailable(Exception):
    """No real node can run here; the message says why."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the programs of a node are."""

    node: Path
    """kubelet, kube-scheduler and kube-proxy, by its first argument."""
    containerd: Path
    """The directory of containerd, its shim and ctr."""
    pause: Path
    plugins: Path
    """The directory of the CNI plugins."""

    @property
    def path(self) -> str:
        """The PATH of the node's programs."""
        return f"{self.containerd}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def require_machine() -> None:
    """Raises NodeUnavailable where a node cannot run, or lacks a program."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise NodeUnavailable("a kubelet needs Linux and root")
    missing = [name for name in TOOLS if shutil.which(name) is None]
    if missing or _find_plugins() is None:
        lacking = ", ".join([*missing, *(() if _find_plugins() else ("the CNI plugins",))])
        raise NodeUnavailable(f"{lacking} not found: `make node-tools` installs them on Debian")
    trial = ["unshare", "--net", "--mount", "--pid", "--uts", "--fork", "true"]
    tried = subprocess.run(trial, capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        raise NodeUnavailable(f"no namespaces can be made here: {tried.stderr.strip()}")


def find_programs() -> Programs:
    """All programs, built where they are missing. Raises NodeUnavailable."""
    require_machine()
    plugins = _find_plugins()
    assert plugins is not None
    node = made_once(f"node-{_digest(MODULE)}", _build_node)
    containerd = made_once(f"containerd-{_digest(CONTAINERD)}", _build_containerd)
    pause = made_once(f"pause-{_digest(PAUSE)}", _build_pause)
    return Programs(node / "node", containerd, pause / "pause", plugins)


def _find_plugins() -> Path | None:
    for place in map(Path, CNI):
        if all((place / plugin).exists() for plugin in PLUGINS):
            return place
    return None


def _digest(module: Path) -> str:
    digest = hashlib.sha256(KUBERNETES.encode())
    for path in sorted([*module.rglob("*.go"), *module.glob("go.*")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _build_node(directory: Path) -> None:
    say("building kubelet, kube-scheduler and kube-proxy, once: about 2 minutes on 2 cores")
    flags = ["-trimpath", "-mod=readonly", "-ldflags", stamp_flags()]
    _go(["build", *flags, "-o", str(directory / "node"), "./node"], MODULE)


def _build_containerd(directory: Path) -> None:
    say("building containerd, once: about 2 minutes on 2 cores")
    tags = "no_btrfs no_devmapper no_zfs no_aufs no_tracing"
    flags = ["-trimpath", "-mod=readonly", "-ldflags", "-s -w", "-tags", tags]
    _go(["install", *flags, "tool"], CONTAINERD, GOBIN=str(directory))


def _build_pause(directory: Path) -> None:
    _go(["build", "-trimpath", "-o", str(directory / "pause"), "main.go"], PAUSE)


def _go(arguments: list[str], module: Path, **variables: str) -> None:
    try:
        go = find_go()
    except GoUnavailable as problem:
        raise NodeUnavailable(str(problem)) from None
    settings = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": ""}
    with progress(f"still building in {module.name}"):
        run = subprocess.run(
            [go, *arguments],
            cwd=module,
            env={**os.environ, **settings, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
    if run.returncode != 0:
        raise NodeUnavailable(f"{module.name} does not build: {run.stderr.strip()[-2000:]}")
