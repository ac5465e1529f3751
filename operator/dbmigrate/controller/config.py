"""The operator's settings: flags, each with an environment variable of the same meaning.

They are read once at the start into one frozen object. An invalid value ends the process
with the flag's name and the value.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from dbmigrate.api.durations import parse_duration
from dbmigrate.api.fields import SpecError
from dbmigrate.api.forms import OBJECT_NAME
from dbmigrate.api.job_defaults import read_job_defaults
from dbmigrate.api.names import UNKNOWN_CLUSTER
from dbmigrate.api.spec import JobOptions

DEFAULT_RUNNER_IMAGE = "ghcr.io/dbmigrate/dbmigrate:latest"
DEFAULT_REHEARSAL_IMAGE = "docker.io/library/postgres:{major}"

_NAME = "[a-z0-9]([-a-z0-9.]*[a-z0-9])?"
"""Of a namespace or an object."""
_ADDRESS = re.compile(r"(\[(?P<literal>[^\[\]\s]+)\]|(?P<host>[^\[\]\s:]*)):(?P<port>[0-9]{1,5})")
"""An IPv6 address stands in brackets, as in a URL."""


class UserIds(StrEnum):
    """Whether Jobs name the user and a volume's group, where the resource names none."""

    AUTO = "auto"
    """Not on OpenShift, which assigns them, and refuses others; on all other clusters."""
    SET = "set"
    OMIT = "omit"


@dataclass(frozen=True, slots=True)
class Config:
    """The operator's settings."""

    namespaces: tuple[str, ...] = ()
    """The namespaces that are watched; empty: all of them, which needs a ClusterRole."""
    selector: str = ""
    """A label selector for this operator's DatabaseMigrations. Empty: all of them."""
    runner_image: str = DEFAULT_RUNNER_IMAGE
    """The image with the runner, for resources that name none in spec.job.image."""
    rehearsal_image: str = DEFAULT_REHEARSAL_IMAGE
    """The scratch server's, for resources that name none in spec.job.rehearsal; {major} stands
    for PostgreSQL's major version."""
    health: tuple[str, int] | None = None
    """Host and port for the probes, the host empty for all addresses; None: none."""
    metrics: tuple[str, int] | None = None
    """Host and port for Prometheus, the host empty for all addresses; None: none."""
    resync: timedelta | None = timedelta(minutes=10)
    """How often an unchanged database is checked; None: never."""
    unreachable_after: int = 3
    """Checks in a row that had no answer, after which Ready is Unknown (Unreachable)."""
    order_age: timedelta | None = timedelta(hours=1)
    """An order of a person that is older when the operator first comes to it is refused; None: of
    any age is taken."""
    lease: tuple[str, str] | None = None
    """Namespace and name of the Lease whose holder works; None: this operator is the only one."""
    lease_duration: timedelta = timedelta(seconds=15)
    """After which another operator takes the place of one that does not answer any more."""
    job_user_ids: UserIds = UserIds.AUTO
    """Whether Jobs name user ids."""
    job_defaults: JobOptions = field(default_factory=JobOptions)
    """For fields that a resource does not set in spec.job."""
    cluster_name: str = ""
    """What the databases' logs call this cluster; empty: the uid of its namespace kube-system."""
    workers: int = 16
    """Resources that are reconciled in parallel, and API requests that are open at once."""
    log_format: str = "json"
    """`json` or `text`."""
    log_level: str = "info"


def read_config(arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> Config:
    """Parse the command line of `dbmigrate-operator`. Raises SystemExit for an invalid one."""
    options = vars(_build_parser(environ).parse_args(arguments))
    del options["command"]
    named = environ.get("DBMIGRATE_NAMESPACE", "").split(",")
    options["namespaces"] = tuple(options["namespaces"] or filter(None, named))
    return Config(**options)


def _build_parser(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dbmigrate-operator",
        description="Migrates PostgreSQL databases to the state that DatabaseMigration"
        " resources declare.",
        epilog="Every flag has an environment variable: --runner-image is DBMIGRATE_RUNNER_IMAGE.",
    )
    parser.add_argument(
        "command",
        choices=["run"],
        help="run until stopped; the chart's hook uses `install-crds DIRECTORY`",
    )
    parser.add_argument(
        "--namespace",
        action="append",
        dest="namespaces",
        help="watch this namespace only; may be given several times (default: all)",
    )

    def add(flag: str, default: str, **more: Any) -> None:
        variable = "DBMIGRATE_" + flag.upper().replace("-", "_")
        parser.add_argument(f"--{flag}", default=environ.get(variable, default), **more)

    add(
        "selector",
        "",
        metavar="LABELS",
        help="reconcile only the DatabaseMigrations with these labels, such as shard=a"
        " (default: all)",
    )
    add("runner-image", DEFAULT_RUNNER_IMAGE)
    add(
        "rehearsal-image",
        DEFAULT_REHEARSAL_IMAGE,
        help="the scratch PostgreSQL of rehearsals, {major} being the major version",
    )
    for endpoint in ("health", "metrics"):
        add(endpoint, "", type=_address, metavar="HOST:PORT")
    add("resync", "10m", type=_resync)
    add(
        "unreachable-after",
        "3",
        type=_positive,
        metavar="CHECKS",
        help="checks without an answer in a row after which Ready is Unknown (default: 3)",
    )
    add(
        "order-max-age",
        "1h",
        dest="order_age",
        type=_duration,
        metavar="DURATION",
        help="a MigrationAction that the operator comes to later is refused (default: 1h)",
    )
    add(
        "lease",
        "",
        type=_lease,
        metavar="NAMESPACE/NAME",
        help="of several operators, work only while this Lease is held (default: without one)",
    )
    add(
        "lease-duration",
        "15s",
        type=_lease_duration,
        metavar="DURATION",
        help="another operator takes over after that long without a renewal (default: 15s)",
    )
    add(
        "job-user-ids",
        UserIds.AUTO,
        type=_user_ids,
        metavar="auto|set|omit",
        help="whether Jobs name a uid and an fsGroup where the resource names none; auto: not on"
        " OpenShift, which assigns them",
    )
    add(
        "job-defaults",
        "",
        type=_job_defaults,
        metavar="JSON",
        help="fields of spec.job for resources that do not set them, such as"
        ' {"nodeSelector": {"pool": "jobs"}}',
    )
    add(
        "cluster-name",
        "",
        type=_name,
        metavar="NAME",
        help="what the databases' logs call this cluster (default: the uid of kube-system)",
    )
    add("workers", "16", type=_positive)
    add("log-format", "json", type=_one_of("json", "text"), metavar="json|text")
    levels = ("debug", "info", "warning", "error")
    add("log-level", "info", type=_one_of(*levels), metavar="|".join(levels))
    return parser


def _user_ids(text: str) -> UserIds:
    return UserIds(_one_of(*UserIds)(text))


def _resync(text: str) -> timedelta | None:
    if text in {"0", "0s", "none"}:
        return None
    return _duration(text)


def _duration(text: str) -> timedelta | None:
    try:
        return parse_duration(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None


def _job_defaults(text: str) -> JobOptions:
    try:
        return read_job_defaults(text)
    except SpecError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None


def _lease(text: str) -> tuple[str, str] | None:
    if not text:
        return None
    if re.fullmatch(rf"{_NAME}/{_NAME}", text) is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a namespace and a name like dbmigrate/it"
        )
    namespace, _, name = text.partition("/")
    return namespace, name


def _lease_duration(text: str) -> timedelta:
    found = _duration(text)
    if found is None or not timedelta(seconds=1) <= found <= timedelta(hours=1):
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration from 1s to 1h")
    return found


def _address(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > 65535:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an address like :9090, 127.0.0.1:9090 or [::1]:9090"
        )
    return found["literal"] or found["host"] or "", int(found["port"])


def _one_of(*words: str) -> Callable[[str], str]:
    """argparse's own `choices` lets any default pass, and so any environment variable."""

    def read(text: str) -> str:
        if text not in words:
            raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(words)}")
        return text

    return read


def _name(text: str) -> str:
    fault = OBJECT_NAME.find_fault(text) if text else None
    if text.startswith(UNKNOWN_CLUSTER):
        fault = f"must not begin with {UNKNOWN_CLUSTER}"
    if fault is not None:
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a cluster: it {fault}")
    return text


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)
