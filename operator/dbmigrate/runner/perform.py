"""From a use case to its Result: open, work, close, and report.

A use case is a function of an open Run. Here it receives its database; its result is
turned into a Report, and every failure into one MigrationError. The report's version
and dirty flag come from the database whenever it can be asked, also after a
failure.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from dbmigrate import __version__
from dbmigrate.errors import MigrationError
from dbmigrate.policies import OWNER_LIMIT, OutOfOrder
from dbmigrate.postgres.connection.errors import (
    ConnectionBroken,
    ServerFailure,
    connection_lost,
    history_failure,
)
from dbmigrate.postgres.history.log.notes import find_restore
from dbmigrate.report import Outcome, Reason, Report
from dbmigrate.report.bounds import FILE_LIMIT
from dbmigrate.runner.ownership import admit, note_end
from dbmigrate.runner.planning.up import out_of_order_migrations, pending
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result, VersionState
from dbmigrate.runner.run import Run
from dbmigrate.sources.migration import Direction
from dbmigrate.versions import Role, Version

if TYPE_CHECKING:
    from dbmigrate.report.preparation import ReportedUnfinished

T = TypeVar("T")


def perform(
    request: Request,
    work: Callable[[Run], T],
    *,
    is_locked: bool = True,
    with_log: bool = True,
) -> Result[T]:
    """Open the database, do the work, close it, and make a Result of what happened."""
    started, started_at = time.monotonic(), datetime.now(UTC)
    try:
        run = Run(request, is_locked=is_locked, with_log=with_log)
    except Exception as raised:
        error = as_error(raised, "opening the database")
        seconds = time.monotonic() - started
        report = make_report(
            request, Outcome.FAILED, started_at=started_at, seconds=seconds, error=error
        )
        return Result(report, error=error)
    run.started, run.started_at = started, started_at
    try:
        try:
            if is_locked:
                admit(run)
            value = work(run)
            if run.is_locked:
                note_end(run)
        except Exception as raised:
            error = as_error(raised, f"running {request.command}")
            state = _state_after(run)
            if state is None:
                from dbmigrate.runner.lost_schema import name_lost_schema

                error = name_lost_schema(run.database, error)
            return _conclude(run, None, error, state)
        run.database.release()
        return _conclude(run, value, None, run.state)
    finally:
        run.database.close()


def _conclude(
    run: Run, value: T | None, error: MigrationError | None, state: VersionState | None
) -> Result[T]:
    """The result; with the database's state even if the source cannot be read."""
    try:
        return Result(_report(run, error, state), value=value, error=error)
    except Exception as raised:
        error = error or as_error(raised, "counting what is pending")
        return Result(_report(run, error, state, reads_source=False), error=error)


def _report(
    run: Run,
    error: MigrationError | None,
    state: VersionState | None,
    *,
    reads_source: bool = True,
) -> Report:
    """The report of the run; what is pending is known if the source can be read."""
    if error is not None:
        outcome = Outcome.FAILED
    elif run.steps and run.steps[-1].direction == Direction.DOWN:
        outcome = Outcome.ROLLED_BACK
    elif run.steps or run.has_changed:
        outcome = Outcome.APPLIED
    else:
        outcome = Outcome.UP_TO_DATE
    blank = make_report(
        run.request,
        outcome,
        started_at=run.started_at,
        seconds=time.monotonic() - run.started,
        error=error,
    )
    return replace(
        blank,
        version=_text(state.version if state else None),
        dirty=state.dirty if state else None,
        from_version=_text(run.from_version),
        target=_text(run.target),
        pending=_count_pending(run, state) if reads_source else None,
        steps=tuple(run.steps),
        steps_total=len(run.steps),
        unfinished=_reported_unfinished(run),
        backup=run.backup,
        server_version=describe_version(run.database.server_version),
        format=_format(run),
        findings=run.findings,
        findings_total=run.findings_total,
        rehearsal=run.rehearsal,
        drift=run.drift,
        owner=_owner(run),
        database=run.database_id,
        restored=_restored(run),
    )


def _format(run: Run) -> str | None:
    history = run.database.history
    return history.kind.value if history.has_version_table and run.request.source else None


def _owner(run: Run) -> str | None:
    owner = run.database.owner
    return str(owner)[:OWNER_LIMIT] if owner is not None else None


def _restored(run: Run) -> str | None:
    row = find_restore(run.database.notes, run.database.log)
    return None if row is None or run.steps else row.name[:FILE_LIMIT]


def _reported_unfinished(run: Run) -> ReportedUnfinished | None:
    unfinished = run.unfinished if run.database.reads_log else None
    return unfinished.to_report() if unfinished else None


def _count_pending(run: Run, state: VersionState | None) -> int | None:
    source = run.request.source
    if source is None or state is None:
        return None
    done = {(step.version, step.name) for step in run.steps}
    left = pending(run.inputs, state.version)
    again = [m for m in left if m.role is Role.REPEATABLE and (str(m.version), m.name) in done]
    count = len(left) - len(again)
    if run.request.options.out_of_order is OutOfOrder.IGNORE:
        return count
    late = (
        m.version
        for m in out_of_order_migrations(run.inputs)
        if (str(m.version), m.name) not in done
    )
    here = state.version
    return count + sum(1 for version in late if here is not None and version <= here)


def make_report(
    request: Request,
    outcome: Outcome,
    *,
    started_at: datetime,
    seconds: float,
    error: MigrationError | None = None,
) -> Report:
    """A Report without what only the database knows."""
    return Report(
        command=request.command,
        outcome=outcome,
        version=None,
        dirty=None,
        tool_version=__version__,
        started_at=started_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        milliseconds=round(1000 * seconds),
        error=error.to_report() if error else None,
    )


def describe_version(number: int) -> str:
    """PostgreSQL's version in words: 17.10 for 170010."""
    return f"{number // 10000}.{number % 10000}"


def _state_after(run: Run) -> VersionState | None:
    """The database's state after a failure; None if it does not answer."""
    try:
        run.settle()
    except Exception:  # a history that a file has changed can't be read: the first error counts
        run.forget_unflushed_steps()
        return None
    run.database.release()
    return run.state


def as_error(raised: Exception, doing: str) -> MigrationError:
    """Any failure of a run as the error that is reported."""
    if isinstance(raised, MigrationError):
        return raised
    if isinstance(raised, ConnectionBroken):
        return connection_lost(raised, doing)
    if isinstance(raised, ServerFailure):
        return history_failure(raised, doing)
    error = MigrationError(
        Reason.INTERNAL, f"internal error while {doing}: {type(raised).__name__}: {raised}"
    )
    error.__cause__ = raised
    return error


def _text(version: Version | None) -> str | None:
    return None if version is None else str(version)
