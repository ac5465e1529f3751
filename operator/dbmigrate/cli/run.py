"""One run against a database: from the command line to a use case and back.

The common part of all commands of this kind: read the migrations and the database's
address, handle signals, run the use case, and turn its result into lines, a JSON
document, a report file and an exit code.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from dbmigrate import policies
from dbmigrate.cli.arguments.numbers import format_duration
from dbmigrate.cli.arguments.options import GlobalOptions
from dbmigrate.cli.arguments.source_location import find_directory, has_source
from dbmigrate.cli.command import Invocation
from dbmigrate.cli.output.document import send_report
from dbmigrate.cli.output.narrator import Narrator
from dbmigrate.cli.output.problem import draw
from dbmigrate.cli.signals import SignalWatch
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.settings import add_setting
from dbmigrate.postgres.connection.target import (
    ConnectionTarget,
    HistoryKind,
    parse_history_table,
    parse_target,
)
from dbmigrate.report import Outcome, Reason
from dbmigrate.runner import request as runner
from dbmigrate.runner.result import Result
from dbmigrate.runner.stop import Stop

if TYPE_CHECKING:
    from dbmigrate.postgres.history.log.notes import Owner
    from dbmigrate.sources.migration import Format, Source

T = TypeVar("T")

_ROLLBACK = {None: None, True: policies.Rollback.ALLOW, False: policies.Rollback.FORBID}

_MOVING = frozenset(("up", "down", "redo", "goto", "apply"))
"""The commands of which golang-migrate says `no change`."""


class FileUse(Enum):
    """Whether a command reads migration files."""

    REQUIRED = "required"
    IF_GIVEN = "if given"
    NONE = "none"
    FOR_ROWS = "for rows"
    """Where they were given, and the history has a row for each version."""


class RunInputs(NamedTuple):
    """What the command line says of a run, whatever its command is."""

    source: Source | None
    target: ConnectionTarget
    options: runner.Options


def read_order(invocation: Invocation, files: FileUse, database: str | None = None) -> RunInputs:
    """The files, the database and the options; `database` is as in `run_use_case`.

    Raises MigrationError.
    """
    source, kind = find_source(invocation, files)
    target = find_target(invocation, database, kind)
    options = _read_options(invocation.options, invocation.environ)
    if kind is HistoryKind.FLYWAY:
        from dbmigrate.cli import flyway

        settings = flyway.find_settings(invocation.options, invocation.environ)
        options = flyway.heed(settings, invocation.options, options)
    return RunInputs(source, target, options)


def run_use_case(
    invocation: Invocation,
    use_case: Callable[[runner.Request], Result[T]],
    *,
    files: FileUse,
    show: Callable[[Invocation, T], int] | None = None,
    extra: Callable[[T], Mapping[str, Any]] | None = None,
    database: str | None = None,
) -> int:
    """Run the use case and print how it ended. Returns the exit code.

    `database` is another one than the options name, for a command that needs none.
    `show` prints the value for people and gives the exit code of a run that
    succeeded; `extra` is what the value adds to the JSON document. Raises
    MigrationError when it does not come to a run.
    """
    stop, grace = Stop(), invocation.options.grace_period
    with SignalWatch(stop, invocation.terminal, grace=grace or math.inf) as signals:
        given = read_order(invocation, files, database)
        request = runner.Request(
            command=" ".join((invocation.command, *invocation.operands[:1])),
            target=given.target,
            source=given.source,
            options=given.options,
            observer=Narrator(invocation.terminal),
            stop=stop,
        )
        result = use_case(request)
    is_graceful = invocation.command in _MOVING and signals.is_graceful and not stop.is_urgent
    return _conclude(invocation, result, show, extra, is_graceful=is_graceful)


def _conclude(
    invocation: Invocation,
    result: Result[T],
    show: Callable[[Invocation, T], int] | None,
    extra: Callable[[T], Mapping[str, Any]] | None,
    *,
    is_graceful: bool,
) -> int:
    terminal = invocation.terminal
    terminal.live("")
    options = invocation.options
    more: Mapping[str, Any] = {}
    if options.json and extra is not None and result.value is not None:
        more = extra(result.value)
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
        code = show(invocation, result.value)
    elif result.report.outcome is Outcome.UP_TO_DATE and invocation.command in _MOVING:
        terminal.line("no change")
    if code == 0:
        terminal.detail(f"Finished after {format_duration(invocation.elapsed_ns())}")
        terminal.detail("Closing source and database")
    return code


def find_source(
    invocation: Invocation, files: FileUse, *, warns: bool = True
) -> tuple[Source | None, HistoryKind]:
    """The files and their history; its table is known without files, too.

    `warns`: whether names that look like a mistake are told.

    Raises MigrationError (SourceInvalid).
    """
    options = invocation.options
    from dbmigrate.sources.formats import read_source
    from dbmigrate.sources.migration import Format

    wanted = None if options.format == "auto" else Format(options.format)
    if files is not FileUse.REQUIRED and not has_source(options):
        return None, HistoryKind(wanted or Format.GOLANG_MIGRATE)
    if files in (FileUse.NONE, FileUse.FOR_ROWS):
        kind = HistoryKind(wanted or _guess_format(options))
        if files is FileUse.NONE or kind is HistoryKind.GOLANG_MIGRATE:
            return None, kind
    source = read_source(find_directory(options), wanted, invocation.environ)
    if options.archives:
        from dataclasses import replace

        from dbmigrate.sources.archives import merge_archives

        places = [_find_archive(options, each) for each in options.archives]
        archives = [read_source(each, source.format, invocation.environ) for each in places]
        source = replace(source, archive=merge_archives(archives))
    for warning in source.warnings if warns else ():
        invocation.terminal.warning(warning)
    return source, HistoryKind(source.format)


def _find_archive(options: GlobalOptions, place: str) -> str:
    if options.confined_to:  # a resource does not know where its files are mounted
        place = os.path.join(find_directory(options), place)
    if not os.path.isdir(place):
        raise MigrationError(
            Reason.SOURCE_INVALID,
            f"-archive {place} is no directory",
            hint="name the directory of the files that a squashed one has replaced",
        )
    return place


def _guess_format(options: GlobalOptions) -> Format:
    """golang-migrate's `version` and `force` require a source too, but never read it."""
    from dbmigrate.sources.formats import find_format
    from dbmigrate.sources.migration import Format

    try:
        directory = find_directory(options)
    except MigrationError:
        return Format.GOLANG_MIGRATE
    return find_format(directory) if os.path.isdir(directory) else Format.GOLANG_MIGRATE


def find_target(
    invocation: Invocation, database: str | None, kind: HistoryKind
) -> ConnectionTarget:
    """The database that is named here, else by the options or the environment.

    Raises MigrationError.
    """
    from dataclasses import replace

    options = invocation.options
    target = parse_target(database or options.database, invocation.environ)
    if options.identity:
        from dbmigrate.postgres.identity.identity import parse_identity

        target = replace(target, identity=parse_identity(options.identity))
    from dbmigrate.postgres.connection.login_sources import check_login

    check_login(target.conninfo, invocation.environ, identity=target.identity, role=options.role)
    if options.role:
        conninfo = add_setting(target.conninfo, invocation.environ, "role", options.role)
        target = replace(target, conninfo=conninfo, role=options.role)
    if options.history_table:
        history = replace(parse_history_table(options.history_table), kind=kind)
    elif kind is HistoryKind.FLYWAY:
        from dbmigrate.cli import flyway

        settings = flyway.find_settings(options, invocation.environ)
        history = flyway.find_table(settings, target)
    else:
        history = target.history.of(kind, target.search_path)
    return replace(target, history=replace(history, owner=options.history_owner or None))


def _read_options(options: GlobalOptions, environ: Mapping[str, str]) -> runner.Options:
    if options.take_over and not options.owner:
        raise MigrationError(Reason.INTERNAL, "-take-over needs -owner: for whom the run is")
    if options.expect_database and not options.owner:
        raise MigrationError(Reason.INTERNAL, "-expect-database needs -owner: for whom the run is")
    user = environ.get("USER") or environ.get("LOGNAME")
    host = os.uname().nodename
    return runner.Options(
        connect_wait=math.inf if options.connect_wait is None else options.connect_wait,
        lock_timeout=math.inf if options.lock_timeout is None else options.lock_timeout,
        statement_lock_timeout_ms=_milliseconds(options.statement_lock_timeout),
        concurrent_lock_timeout_ms=_milliseconds(options.concurrent_lock_timeout),
        statement_timeout_ms=_milliseconds(options.statement_timeout),
        rollback=_ROLLBACK[options.may_roll_back],
        out_of_order=policies.OutOfOrder(options.out_of_order or "reject"),
        changed_files=policies.ChangedFiles(options.changed_files or "reject"),
        who=f"{user}@{host}" if user else host,
        backup=runner.BackupOrder(options.backup_to, options.backup_keep)
        if options.backup_to
        else None,
        plan_checksum=options.plan_checksum or None,
        owner=_read_owner(options.owner),
        take_over=_read_owner(options.take_over),
        expected_database=options.expect_database or None,
        intent=options.intent or None,
        order=options.order or None,
        order_id=options.order_id or None,
        lint=policies.LintPolicy(options.lint),
        rehearsal_server=parse_target(options.rehearse_on, {}) if options.rehearse_on else None,
    )


def _read_owner(text: str) -> Owner | None:
    if not text:
        return None
    from dbmigrate.postgres.history.log.notes import Owner

    return Owner.parse(text)


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else max(1, round(seconds * 1000)) if seconds else 0
