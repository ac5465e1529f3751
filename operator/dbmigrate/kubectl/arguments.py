"""The command line: options as kubectl has them, before or after the subcommand."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, NoReturn

from dbmigrate import __version__
from dbmigrate.api.action import ActionKind
from dbmigrate.api.durations import parse_duration
from dbmigrate.api.source import SourceFormat
from dbmigrate.api.version import is_version
from dbmigrate.kubectl.access import ClusterOptions
from dbmigrate.kubectl.requests import (
    DriftRequest,
    FleetViewRequest,
    LogsRequest,
    OrderRequest,
    Output,
    PlanRequest,
    Request,
    StatusRequest,
    WaitRequest,
)

PROGRAM = "kubectl dbmigrate"
SET_KINDS = (
    "databasemigrationsets.dbmigrate.dev",
    "databasemigrationsets",
    "databasemigrationset",
    "dbmset",
)
KINDS = ("databasemigrations.dbmigrate.dev", "databasemigrations", "databasemigration", "dbm")
"""What may stand before a name and a slash, as kubectl itself prints names."""
DESCRIPTION = "Show DatabaseMigrations, and create the actions that need a person."
EPILOG = """\
It uses kubectl's kubeconfig and creates MigrationActions, which remain as a record:
`kubectl get dbma`. Exit codes: 0 done, 1 not done (the last line says why), 2 an invalid
command line, 130 interrupted.
"""
HANDED_ON = ("context", "cluster", "user", "as", "as-group")
"""Options that go to kubectl as they are."""
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")

Values = argparse.Namespace
Maker = Callable[[Values], Request]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """kubectl's form: the mistake, and where the help is; exit code 2."""
        self.exit(2, f"error: {message}\nsee {self.prog} --help\n")


def parse_arguments(arguments: Sequence[str]) -> tuple[ClusterOptions, Request]:
    """Parse a command line. Raises SystemExit for an invalid one, and for --help."""
    values = _build_parser().parse_args(arguments)
    options: list[str] = []
    for option in HANDED_ON:
        given = getattr(values, option.replace("-", "_"))
        for value in given if isinstance(given, list) else [given]:
            options += [f"--{option}", value] if value is not None else []
    access = ClusterOptions(values.kubeconfig, values.namespace, tuple(options))
    make: Maker = values.make
    return access, make(values)


def _build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=PROGRAM,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_options_of_cluster(None)],
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    # Where an option is missing after the subcommand, the one before it applies.
    shared = _options_of_cluster(argparse.SUPPRESS)

    def add(name: str, text: str, make: Maker) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name, help=text, description=text, parents=[shared], allow_abbrev=False
        )
        command.set_defaults(make=make)
        return command

    _add_readers(add)
    _add_orders(add)
    _add_fleet(
        add("fleet", "show DatabaseMigrationSets, and create actions for them", _make_fleet), shared
    )
    return parser


def _options_of_cluster(default: Any) -> _Parser:
    parser = _Parser(add_help=False, allow_abbrev=False)
    group = parser.add_argument_group("options of kubectl")

    def add(*names: str, **more: Any) -> None:
        group.add_argument(*names, default=default, **more)

    add("-n", "--namespace", metavar="NAME", type=_name, help="default: the kubeconfig's")
    add("--kubeconfig", metavar="FILE", help="default: KUBECONFIG, then ~/.kube/config")
    add("--context", metavar="NAME")
    add("--cluster", metavar="NAME")
    add("--user", metavar="NAME")
    add("--as", metavar="USER", help="act as another user")
    add("--as-group", metavar="GROUP", action="append")
    return parser


def _add_readers(add: Callable[[str, str, Maker], argparse.ArgumentParser]) -> None:
    status = add("status", "show migrations: a table of all, or one in full", _make_status)
    status.add_argument("name", nargs="?", type=_resource, metavar="NAME")
    status.add_argument("-w", "--watch", action="store_true", help="keep it up to date")
    status.add_argument("-A", "--all-namespaces", action="store_true")
    status.add_argument("-l", "--selector", metavar="LABELS")
    status.add_argument("-o", "--output", choices=["wide", "json"])
    plan = add("plan", "show the plan that waits for approval", _make_plan)
    plan.add_argument("name", type=_resource, metavar="NAME")
    plan.add_argument("-o", "--output", choices=["json"])
    drift = add("drift", "show how the live schema differs from the migrations'", _make_drift)
    drift.add_argument("name", type=_resource, metavar="NAME")
    drift.add_argument("-o", "--output", choices=["json"])
    logs = add("logs", "print the log of the newest run", _make_logs)
    logs.add_argument("name", type=_resource, metavar="NAME")
    logs.add_argument("-f", "--follow", action="store_true", help="until the run ends")
    logs.add_argument("--job", metavar="JOB", type=_name, help="of this Job instead")
    wait = add("wait", "wait until a migration is Ready, or needs a person", _make_wait)
    wait.add_argument("name", type=_resource, metavar="NAME")
    wait.add_argument(
        "--version", type=_version, metavar="N", help="and the database at N or above"
    )
    _add_timeout(wait, "5m")


def _add_orders(add: Callable[[str, str, Maker], argparse.ArgumentParser]) -> None:
    texts = {
        ActionKind.APPROVE: "show the plan, ask for confirmation, and approve it",
        ActionKind.RETRY: "start a run at once",
        ActionKind.FORCE: "write a version into the history and clear the dirty flag; runs nothing",
        ActionKind.ROLLBACK: "run down scripts, down to a version",
        ActionKind.REPAIR: "finish a failed step",
    }
    for kind, text in texts.items():
        command = add(kind.value.lower(), text, _make_order)
        command.add_argument("name", type=_resource, metavar="NAME")
        _add_order(command, kind, timeout="10m")


def _add_order(
    command: argparse.ArgumentParser, kind: ActionKind, *, timeout: str, is_for_set: bool = False
) -> None:
    """What follows the name of the resource."""
    command.set_defaults(kind=kind, target=None, hash=None, yes=True, is_for_set=is_for_set)
    if kind is ActionKind.FORCE:
        command.add_argument("target", type=_forced_version, metavar="VERSION")
    if kind is ActionKind.ROLLBACK:
        command.add_argument("target", type=_version, metavar="VERSION")
    if kind is ActionKind.APPROVE:
        command.add_argument("--hash", help="approve this plan, and no other")
    if kind in {ActionKind.APPROVE, ActionKind.FORCE, ActionKind.ROLLBACK}:
        command.add_argument("-y", "--yes", action="store_true", default=False, help="do not ask")
    command.add_argument("--reason", default="", metavar="TEXT", help="for the record")
    command.add_argument("--no-wait", action="store_true", help="create the action and return")
    _add_timeout(command, timeout)


def _add_fleet(fleet: argparse.ArgumentParser, shared: _Parser) -> None:
    verbs = fleet.add_subparsers(metavar="VERB", required=True, parser_class=_Parser)

    def add(name: str, text: str, **more: Any) -> argparse.ArgumentParser:
        verb = verbs.add_parser(
            name, help=text, description=text, parents=[shared], allow_abbrev=False
        )
        verb.set_defaults(all_namespaces=False, is_failed=False, **more)
        return verb

    status = add("status", "show sets: a table of all, or the waves of one", make=_make_fleet)
    status.add_argument("name", nargs="?", type=_set, metavar="NAME")
    status.add_argument("-A", "--all-namespaces", action="store_true")
    failed = add("failed", "show the first targets that failed, and why", make=_make_fleet)
    failed.set_defaults(is_failed=True)
    failed.add_argument("name", type=_set, metavar="NAME")
    for reader in (status, failed):
        reader.add_argument("-o", "--output", choices=["json"])
    texts = {
        ActionKind.RETRY: "read the list of targets again, and run the waves at once",
        ActionKind.CONTINUE: "start the next wave after a pause, or end a rollback",
        ActionKind.APPROVE: "show the plan, ask for confirmation, and approve it",
        ActionKind.ROLLBACK: "bring every target to a version with down scripts, and keep it there",
    }
    for kind, text in texts.items():
        order = add(kind.value.lower(), text, make=_make_order)
        order.add_argument("name", type=_set, metavar="NAME")
        _add_order(order, kind, timeout="1h", is_for_set=True)


def _add_timeout(command: argparse.ArgumentParser, default: str) -> None:
    command.add_argument(
        "--timeout",
        type=_seconds,
        default=_seconds(default),
        metavar="DURATION",
        help=f"such as 30s or 1h30m, or none (default: {default})",
    )


def _make_status(values: Values) -> StatusRequest:
    return StatusRequest(
        name=values.name,
        selector=values.selector,
        in_all_namespaces=values.all_namespaces,
        is_watching=values.watch,
        output=Output(values.output or Output.TABLE),
    )


def _make_fleet(values: Values) -> FleetViewRequest:
    return FleetViewRequest(
        name=values.name,
        in_all_namespaces=values.all_namespaces,
        shows_failures=values.is_failed,
        output=Output(values.output or Output.TABLE),
    )


def _make_plan(values: Values) -> PlanRequest:
    return PlanRequest(values.name, Output(values.output or Output.TABLE))


def _make_drift(values: Values) -> DriftRequest:
    return DriftRequest(values.name, Output(values.output or Output.TABLE))


def _make_logs(values: Values) -> LogsRequest:
    return LogsRequest(values.name, values.job, values.follow)


def _make_wait(values: Values) -> WaitRequest:
    return WaitRequest(values.name, values.version, values.timeout)


def _make_order(values: Values) -> OrderRequest:
    return OrderRequest(
        kind=values.kind,
        name=values.name,
        is_for_set=values.is_for_set,
        version=values.target,
        plan_hash=values.hash,
        reason=values.reason,
        is_agreed=values.yes,
        is_followed=not values.no_wait,
        timeout=values.timeout,
    )


def _resource(text: str) -> str:
    kind, slash, name = text.rpartition("/")
    if slash and kind not in KINDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a DatabaseMigration")
    return _name(name)


def _set(text: str) -> str:
    kind, slash, name = text.rpartition("/")
    if slash and kind not in SET_KINDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a DatabaseMigrationSet")
    return _name(name)


def _name(text: str) -> str:
    # Names become parts of paths: an invalid name must not reach the API server.
    if len(text) > 253 or not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid Kubernetes name")
    return text


def _version(text: str) -> str:
    if not is_version(text, SourceFormat.ATLAS):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a version: it begins with a digit or a letter"
        )
    return text


def _forced_version(text: str) -> str:
    return text if text == "-1" else _version(text)


def _seconds(text: str) -> float | None:
    try:
        length: timedelta | None = parse_duration(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None
    return None if length is None else length.total_seconds()
