"""`wait`: until the database has the version that an application needs.

For init containers, of which there may be thousands: each poll is a short connection
with two queries, so waiting holds no resources; pauses grow and are spread at random.
A server that is not up, and a database or a history that does not exist yet, are
waited for.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import ceil
from typing import TYPE_CHECKING

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.connect import connect
from dbmigrate.postgres.connection.errors import (
    INSUFFICIENT_PRIVILEGE,
    UNDEFINED_TABLE,
    ConnectionBroken,
    ServerFailure,
)
from dbmigrate.postgres.connection.session import Session, no_answer_within
from dbmigrate.postgres.connection.target import ConnectionTarget
from dbmigrate.postgres.history.foreign.formats import end_of_log
from dbmigrate.postgres.history.formats.registry import adapter_for
from dbmigrate.postgres.history.tables import look
from dbmigrate.report import Outcome, Reason, Report
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.perform import make_report
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result, VersionState
from dbmigrate.versions import Version, reader_of

if TYPE_CHECKING:
    from dbmigrate.postgres.history.orm_history import Orm

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 5.0
ANSWER_SECONDS = 10.0
"""How long one poll may take, login included; then the next one begins."""
LEAST_SECONDS = 1.0
"""What one poll may take at the end of the patience: -timeout 0 is one poll that can succeed."""
NOTHING = "-1"
"""golang-migrate's row for it."""
_PATIENT = frozenset(
    {
        Reason.CONNECTION_REFUSED,
        Reason.HOST_NOT_FOUND,
        Reason.DATABASE_MISSING,
        Reason.CONNECTION_LOST,
    }
)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """The result of one poll."""

    state: VersionState | None
    obstacle: str
    """Why it is not what is waited for, in words."""
    reason: Reason = Reason.INTERRUPTED
    is_behind: bool = False
    """Whether the database is known not to have the version."""
    hint: str | None = None
    """What helps, where waiting alone may not."""


_NOT_REACHED = "`dbmigrate up` applies what is pending: see whether that run has failed"


class _NotTheTable(MigrationError):
    """The table is none of the ORM's: no time makes it one."""


@dataclass(frozen=True, slots=True)
class OrmMigration:
    """A migration of an ORM, by its own name."""

    orm: Orm
    name: str

    def __str__(self) -> str:
        return self.name


Wanted = Version | OrmMigration


def wait(
    request: Request,
    version: Wanted | None = None,
    timeout: float | None = None,
    *,
    is_probe: bool = False,
) -> Result[VersionState]:
    """Wait until the database is at least at `version`, and not dirty.

    None is the source's latest. `timeout` is in seconds, None is without limit. A run
    that gives up has the outcome Waiting.

    `is_probe`: one poll, for a readiness probe. It fails only if the database is known not to
    have the version; whatever else is wrong is a warning.
    """
    started, started_at = time.monotonic(), datetime.now(UTC)
    sight: _Snapshot | None = None
    wanted = version
    try:
        wanted = _wanted(request, version)
        deadline = None if timeout is None else started + timeout
        sight, error = (
            _probe(request, wanted) if is_probe else _poll_until(request, wanted, deadline)
        )
        outcome = Outcome.UP_TO_DATE if error is None else Outcome.WAITING
    except MigrationError as raised:
        error, outcome = raised, Outcome.FAILED
    report = make_report(
        request,
        outcome,
        started_at=started_at,
        seconds=time.monotonic() - started,
        error=error,
    )
    report = replace(report, target=None if wanted is None else str(wanted))
    state = sight.state if sight else None
    return Result(_with_state(report, state), None if error else state, error)


def _wanted(request: Request, version: Wanted | None) -> Wanted:
    if version is not None:
        return version
    latest = request.source.latest if request.source else None
    if latest is None:
        raise MigrationError(Reason.SOURCE_INVALID, "no migration files to wait for")
    return latest


def _probe(request: Request, wanted: Wanted) -> tuple[_Snapshot, MigrationError | None]:
    try:
        sight = _look(request, wanted, ANSWER_SECONDS)
    except _NotTheTable:
        raise
    except MigrationError as error:
        sight = _Snapshot(None, error.message, error.reason)
    if sight.is_behind:
        return sight, MigrationError(sight.reason, sight.obstacle, hint=sight.hint)
    if sight.obstacle:
        request.observer.notice(Notice("WARNING", f"not known to be behind: {sight.obstacle}"))
    return sight, None


def _poll_until(
    request: Request, wanted: Wanted, deadline: float | None
) -> tuple[_Snapshot, MigrationError | None]:
    pause = FIRST_PAUSE
    told = ""
    while True:
        limit = ANSWER_SECONDS
        if deadline is not None:
            limit = max(LEAST_SECONDS, min(limit, deadline - time.monotonic()))
        sight = _look(request, wanted, limit)
        if not sight.obstacle:
            request.observer.notice(Notice("INFO", _describe_end(sight, wanted, bool(told))))
            return sight, None
        if sight.obstacle != told:
            told = sight.obstacle
            request.observer.notice(Notice("INFO", f"waiting: {told}"))
        left = float("inf") if deadline is None else deadline - time.monotonic()
        if left <= 0:
            return sight, MigrationError(
                sight.reason, f"gave up waiting: {sight.obstacle}", hint=sight.hint
            )
        if not _pause(min(left, pause * random.uniform(0.5, 1.5)), request):
            return sight, MigrationError(
                Reason.INTERRUPTED, f"stopped while waiting: {sight.obstacle}"
            )
        pause = min(1.5 * pause, LONGEST_PAUSE)


def _describe_end(sight: _Snapshot, wanted: Wanted, has_waited: bool) -> str:
    """What there is to say of a database that has the wanted version."""
    version = sight.state.version if sight.state else None
    text = f"the database is at version {version}"
    if version is None:
        text = f"the database has {wanted}"
    elif version != wanted:
        text += f", which has {wanted}"
    return text if has_waited else f"nothing to wait for: {text}"


def _pause(seconds: float, request: Request) -> bool:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if request.stop.is_requested:
            return False
        time.sleep(min(left, 0.1))
    return not request.stop.is_requested


def _look(request: Request, wanted: Wanted, limit: float) -> _Snapshot:
    try:
        if isinstance(wanted, OrmMigration):
            return _ask_orm(request, wanted, limit)
        state, is_reached, lost = _ask(request, wanted, limit)
    except MigrationError as error:
        if error.reason not in _PATIENT:
            raise
        return _Snapshot(None, error.message, error.reason, hint=error.hint)
    except ConnectionBroken as broken:
        return _Snapshot(None, f"connection lost: {broken}", Reason.CONNECTION_LOST)
    if state is None:
        hint = f"GRANT SELECT ON {request.target.history.name} TO the role"
        return _Snapshot(None, "the role may not read the history yet", hint=hint)
    if lost is not None:
        return _Snapshot(
            state,
            f"the database has no version, and its log ends at version {lost}: its version table is"
            " gone or empty (`dbmigrate status`)",
            is_behind=True,
        )
    here = "has no version" if state.version is None else f"is at version {state.version}"
    if state.dirty:
        obstacle = f"the database {here} and is dirty"
        hint = "`dbmigrate repair` finishes what dbmigrate began; `dbmigrate status` shows it"
        return _Snapshot(state, obstacle, Reason.DIRTY, is_behind=not is_reached, hint=hint)
    if not is_reached:
        obstacle = f"the database {here}, {wanted} is wanted"
        return _Snapshot(state, obstacle, is_behind=True, hint=_NOT_REACHED)
    return _Snapshot(state, "")


def _ask_orm(request: Request, wanted: OrmMigration, limit: float) -> _Snapshot:
    from dbmigrate.postgres.history.orm_table import find_table_if_any

    session = _connect(request, limit)
    try:
        try:
            table = find_table_if_any(session, wanted.orm, request.target.history)
        except MigrationError as error:
            raise _NotTheTable(error.reason, error.message, hint=error.hint) from None
        if isinstance(table, MigrationError):
            return _Snapshot(None, table.message, is_behind=True)
        if table.has_applied(session, wanted.name):
            return _Snapshot(VersionState(None), "")
    except ServerFailure as failure:
        raise _unreadable(failure) from None
    finally:
        session.close()
    obstacle = f"{wanted.orm.label} has not applied {wanted.name}"
    return _Snapshot(VersionState(None), obstacle, is_behind=True)


def _connect(request: Request, limit: float) -> Session:
    end = time.monotonic() + limit
    session = connect(_within(request.target, limit))
    opened = time.monotonic()
    give_up = no_answer_within(max(0.1, end - opened))
    # For all of the poll's queries together, not for each.
    session.on_silence = lambda _: give_up(time.monotonic() - opened)
    return session


def _unreadable(failure: ServerFailure) -> MigrationError:
    return MigrationError(
        Reason.FOREIGN_HISTORY, f"can't read the history: {failure}", sqlstate=failure.sqlstate
    )


def _ask(
    request: Request, wanted: Version, limit: float
) -> tuple[VersionState | None, bool, Version | None]:
    """One connection, two queries: the state, None if there is no history for this request.

    And whether the wanted version is reached, and where the log ends if the table has no version.
    """
    session = _connect(request, limit)
    try:
        history = look(session, request.target.history).history
        if not history.has_version_table:
            return VersionState(None), False, end_of_log(session, history)
        question = adapter_for(history.kind).wait_sql(history.version_table, wanted)
        rows = session.query(history.guarded_reading(question))[0]
        if not rows or rows[0][0] is None:
            return VersionState(None), False, end_of_log(session, history)
    except ServerFailure as failure:
        if failure.sqlstate == UNDEFINED_TABLE:
            return VersionState(None), False, None
        if failure.sqlstate == INSUFFICIENT_PRIVILEGE:
            return None, False, None
        raise _unreadable(failure) from None
    finally:
        session.close()
    text, dirty, is_reached = rows[0]
    version = None if text == NOTHING else reader_of(request.target.history.kind)(text or "")
    return VersionState(version, dirty == "t"), is_reached == "t", None


def _within(target: ConnectionTarget, seconds: float) -> ConnectionTarget:
    """The target, with at most that many seconds for all of its hosts."""
    given = target.conninfo.get("connect_timeout", "0")
    share = ceil(seconds / (target.conninfo.get("host", "").count(",") + 1))
    limit = min(share, int(given) if given.isdigit() and int(given) else share)
    return replace(target, conninfo={**target.conninfo, "connect_timeout": str(limit)})


def _with_state(report: Report, state: VersionState | None) -> Report:
    if state is None:
        return report
    version = None if state.version is None else str(state.version)
    return replace(report, version=version, dirty=state.dirty)
