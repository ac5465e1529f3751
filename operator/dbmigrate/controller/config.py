"""The operator's settings: flags, each with an environment variable of the same meaning.

They are read once at the start into one frozen object. An invalid value ends the process
with the flag's name and the value.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from dbmigrate.api.durations import parse_duration
from dbmigrate.api.forms import OBJECT_NAME
from dbmigrate.api.names import UNKNOWN_CLUSTER

DEFAULT_RUNNER_IMAGE = "ghcr.io/dbmigrate/dbmigrate:latest"
DEFAULT_REHEARSAL_IMAGE = "docker.io/library/postgres:{major}"


@dataclass(frozen=True, slots=True)
class Config:
    """The operator's settings."""

    namespaces: tuple[str, ...] = ()
    """The namespaces that are watched; empty: all of them, which needs a ClusterRole."""
    runner_image: str = DEFAULT_RUNNER_IMAGE
    """The image with the runner, for resources that name none in spec.job.image."""
    rehearsal_image: str = DEFAULT_REHEARSAL_IMAGE
    """The scratch server's, for resources that name none in spec.job.rehearsal; {major} stands
    for PostgreSQL's major version."""
    health: tuple[str, int] | None = None
    """Host and port for the probes, such as 0.0.0.0 and 8080; None: none."""
    metrics: tuple[str, int] | None = None
    """Host and port for Prometheus, such as 0.0.0.0 and 9090; None: none."""
    resync: timedelta | None = timedelta(minutes=10)
    """How often a database is asked although nothing has changed; None: never."""
    unreachable_after: int = 3
    """Checks in a row that had no answer, after which Ready is Unknown (Unreachable)."""
    order_age: timedelta | None = timedelta(hours=1)
    """An order of a person that is older when the operator first comes to it is refused; None: of
    any age is taken."""
    cluster_name: str = ""
    """What the databases' logs call this cluster; empty: the uid of its namespace kube-system."""
    workers: int = 16
    """Resources that are looked at side by side, and API requests that are open at once."""
    log_format: str = "json"
    """`json` or `text`."""
    log_level: str = "info"


def read_config(arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> Config:
    """Parse the command line of `dbmigrate-operator`. Raises SystemExit for an invalid one."""
    options = _build_parser(environ).parse_args(arguments)
    named = environ.get("DBMIGRATE_NAMESPACE", "").split(",")
    return Config(
        namespaces=tuple(options.namespace or filter(None, named)),
        runner_image=options.runner_image,
        rehearsal_image=options.rehearsal_image,
        health=options.health,
        metrics=options.metrics,
        resync=options.resync,
        unreachable_after=options.unreachable_after,
        order_age=options.order_max_age,
        cluster_name=options.cluster_name,
        workers=options.workers,
        log_format=options.log_format,
        log_level=options.log_level,
    )


def _build_parser(environ: Mapping[str, str]) -> argparse.ArgumentParser:
    def twin(flag: str, default: str) -> str:
        return environ.get("DBMIGRATE_" + flag.upper().replace("-", "_"), default)

    parser = argparse.ArgumentParser(
        prog="dbmigrate-operator",
        description="Migrates PostgreSQL databases as DatabaseMigration resources ask for it.",
        epilog="Every flag has an environment variable: --runner-image is DBMIGRATE_RUNNER_IMAGE.",
    )
    parser.add_argument(
        "command",
        choices=["run"],
        help="run until told to stop; the chart's hook uses another one, `install-crds DIRECTORY`",
    )
    parser.add_argument(
        "--namespace",
        action="append",
        default=None,
        help="watch this namespace only; may be given several times (default: all)",
    )
    parser.add_argument("--runner-image", default=twin("runner-image", DEFAULT_RUNNER_IMAGE))
    parser.add_argument(
        "--rehearsal-image",
        default=twin("rehearsal-image", DEFAULT_REHEARSAL_IMAGE),
        help="the scratch PostgreSQL of rehearsals, {major} being the major version",
    )
    for endpoint in ("health", "metrics"):
        parser.add_argument(
            f"--{endpoint}", type=_address, default=twin(endpoint, ""), metavar="HOST:PORT"
        )
    parser.add_argument("--resync", type=_resync, default=twin("resync", "10m"))
    parser.add_argument(
        "--unreachable-after",
        type=_positive,
        default=twin("unreachable-after", "3"),
        metavar="CHECKS",
        help="checks without an answer in a row after which Ready is Unknown (default: 3)",
    )
    parser.add_argument(
        "--order-max-age",
        type=_duration,
        default=twin("order-max-age", "1h"),
        metavar="DURATION",
        help="a MigrationAction that the operator comes to later is refused (default: 1h)",
    )
    parser.add_argument(
        "--cluster-name",
        type=_name,
        default=twin("cluster-name", ""),
        metavar="NAME",
        help="what the databases' logs call this cluster (default: the uid of kube-system)",
    )
    parser.add_argument("--workers", type=_positive, default=twin("workers", "16"))
    parser.add_argument(
        "--log-format", choices=["json", "text"], default=twin("log-format", "json")
    )
    parser.add_argument(
        "--log-level",
        choices=["debug", "info", "warning", "error"],
        default=twin("log-level", "info"),
    )
    return parser


def _resync(text: str) -> timedelta | None:
    if text in {"0", "0s", "none"}:
        return None
    return _duration(text)


def _duration(text: str) -> timedelta | None:
    try:
        return parse_duration(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None


def _address(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not an address like 0.0.0.0:9090")
    return host.strip("[]"), int(port)


def _name(text: str) -> str:
    fault = OBJECT_NAME.find_fault(text) if text else None
    if fault is not None or text == UNKNOWN_CLUSTER:
        raise argparse.ArgumentTypeError(f"{text!r} is no name: it {fault or 'means none'}")
    return text


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)
