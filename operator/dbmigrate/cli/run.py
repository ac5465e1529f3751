"""One run against a database: from the command line to a use case and back.

Everything that a command of this kind has in common: the migrations are read,
the database's address is, signals are heeded, the use case runs, and its result
becomes lines, a JSON document, a report file and an exit code.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from dbmigrate.cli.command import Invocation
from dbmigrate.cli.document import send_report
from dbmigrate.cli.narrator import Narrator
from dbmigrate.cli.numbers import format_duration
from dbmigrate.cli.options import Options
from dbmigrate.cli.problem import draw
from dbmigrate.cli.signals import SignalWatch
from dbmigrate.cli.source_location import find_directory, has_source
from dbmigrate.postgres.target import ConnectionTarget, parse_history_table, parse_target
from dbmigrate.report import Outcome, Reason
from dbmigrate.runner import request as runner
from dbmigrate.runner.result import Result
from dbmigrate.runner.stop import Stop

if TYPE_CHECKING:
    from dbmigrate.sources.migration import Source

T = TypeVar("T")

_ROLLBACK = {None: None, True: runner.Rollback.ALLOW, False: runner.Rollback.FORBID}

_MOVING = frozenset(("up", "down", "goto"))
"""The commands of which golang-migrate says `no change`."""


class Files(Enum):
    """Whether a command reads migration files."""

    REQUIRED = "required"
    IF_GIVEN = "if given"
    NONE = "none"


def run_use_case(
    invocation: Invocation,
    use_case: Callable[[runner.Request], Result[T]],
    *,
    files: Files,
    show: Callable[[T], int] | None = None,
    extra: Callable[[T], Mapping[str, Any]] | None = None,
    target: ConnectionTarget | None = None,
) -> int:
    """Run the use case and tell how it ended. Gives the exit code.

    `target` is given where the command does not work on the database of the options.
    `show` prints the value for people and gives the exit code of a run that
    succeeded; `extra` is what the value adds to the JSON document. Raises
    MigrationError when it does not come to a run.
    """
    stop = Stop()
    with SignalWatch(stop, invocation.terminal) as signals:
        source = _read_source(invocation, files)
        request = runner.Request(
            command=" ".join((invocation.command, *invocation.operands[:1])),
            target=target or find_target(invocation.options, invocation.environ),
            source=source,
            options=_read_options(invocation.options, invocation.environ),
            observer=Narrator(invocation.terminal),
            stop=stop,
        )
        result = use_case(request)
    is_graceful = invocation.command in _MOVING and signals.is_graceful and not stop.is_urgent
    return _conclude(invocation, result, show, extra, is_graceful=is_graceful)


def _conclude(
    invocation: Invocation,
    result: Result[T],
    show: Callable[[T], int] | None,
    extra: Callable[[T], Mapping[str, Any]] | None,
    *,
    is_graceful: bool,
) -> int:
    terminal = invocation.terminal
    terminal.live("")
    more = extra(result.value) if extra is not None and result.value is not None else {}
    options = invocation.options
    output = invocation.output if options.json else None
    send_report(result.report, terminal, path=options.report, output=output, more=more)
    if result.error is not None:
        if is_graceful and result.error.reason is Reason.INTERRUPTED:
            terminal.line(draw(result.error))
            return 0
        terminal.error(draw(result.error))
        return 1
    code = 0
    if show is not None and result.value is not None:
        code = show(result.value)
    elif result.report.outcome is Outcome.UP_TO_DATE and invocation.command in _MOVING:
        terminal.line("no change")
    if code == 0:
        terminal.detail(f"Finished after {format_duration(invocation.elapsed_ns())}")
        terminal.detail("Closing source and database")
    return code


def _read_source(invocation: Invocation, files: Files) -> Source | None:
    options = invocation.options
    if files is Files.NONE or (files is Files.IF_GIVEN and not has_source(options)):
        return None
    from dbmigrate.sources.golang_migrate import read_directory

    source = read_directory(find_directory(options))
    for warning in source.warnings:
        invocation.terminal.warning(warning)
    return source


def find_target(options: Options, environ: Mapping[str, str]) -> ConnectionTarget:
    """The database that the options or the environment name. Raises MigrationError."""
    from dataclasses import replace

    target = parse_target(options.database, environ)
    if options.history_table:
        target = replace(target, history=parse_history_table(options.history_table))
    return target


def _read_options(options: Options, environ: Mapping[str, str]) -> runner.Options:
    user = environ.get("USER") or environ.get("LOGNAME")
    host = os.uname().nodename
    return runner.Options(
        lock_timeout=math.inf if options.lock_timeout is None else options.lock_timeout,
        statement_lock_timeout_ms=_milliseconds(options.statement_lock_timeout),
        statement_timeout_ms=_milliseconds(options.statement_timeout),
        rollback=_ROLLBACK[options.may_roll_back],
        out_of_order=runner.OutOfOrder(options.out_of_order),
        changed_files=runner.ChangedFiles(options.changed_files),
        who=f"{user}@{host}" if user else host,
        backup=runner.BackupOrder(options.backup_to, options.backup_keep)
        if options.backup_to
        else None,
        plan_checksum=options.plan_checksum or None,
    )


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else max(1, round(seconds * 1000))
