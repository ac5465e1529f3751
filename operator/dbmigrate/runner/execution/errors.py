"""From what the server said about a file to an error that a person can act on."""

from __future__ import annotations

from dbmigrate.errors import Location, MigrationError
from dbmigrate.postgres.connection.errors import (
    LOCK_NOT_AVAILABLE,
    QUERY_CANCELED,
    READ_ONLY,
    READ_ONLY_HINT,
    ConnectionBroken,
    ServerError,
)
from dbmigrate.postgres.connection.other_sessions import OtherSession
from dbmigrate.report import Reason
from dbmigrate.runner.planning.plan import PlannedStep
from dbmigrate.runner.stop import Stop


def statement_failed(
    error: ServerError,
    location: Location | None,
    *,
    stop: Stop,
    blockers: tuple[OtherSession, ...] = (),
    problem: str | None = None,
    limit: str | None = None,
) -> MigrationError:
    """A statement of a migration file failed; `problem` says it better than the server, `limit`
    where the limit comes from that ended it."""
    reason = Reason.STATEMENT_FAILED
    hint = error.hint or limit
    if error.sqlstate == QUERY_CANCELED and stop.is_urgent:
        reason = Reason.INTERRUPTED
    elif error.sqlstate == LOCK_NOT_AVAILABLE:
        reason = Reason.BLOCKED_BY_QUERY
        hint = hint or "end what blocks it, or try again when it is done"
    elif error.sqlstate == READ_ONLY:
        hint = hint or READ_ONLY_HINT
    detail = [error.detail] if error.detail else []
    detail += [f"blocked by {session}" for session in blockers]
    if error.context:
        detail.append(error.context)
    return MigrationError(
        reason,
        f"migration failed: {problem or error.message}",
        location=location,
        sqlstate=error.sqlstate,
        detail="; ".join(detail) or None,
        hint=hint,
    )


def not_recorded(step: PlannedStep, error: ServerError, own: str, stop: Stop) -> MigrationError:
    """The file went well, and `own`, a statement of ours behind it, did not."""
    table = own.rsplit(" ", maxsplit=1)[-1]
    plain = statement_failed(error, None, stop=stop)
    return MigrationError(
        plain.reason,
        f"{label(step)} was rolled back, for it can't be recorded in the history: {own}"
        f" failed: {error.message}",
        sqlstate=error.sqlstate,
        detail=plain.detail,
        hint=plain.hint
        or f"the file is not at fault: look at what was added to {table}, such as a publication,"
        " a default, a constraint or a right that is missing",
    )


def rolled_back_by_loss(step: PlannedStep, broken: ConnectionBroken) -> MigrationError:
    """The connection broke during a step, and the database says that it did not happen."""
    return MigrationError(
        Reason.CONNECTION_LOST,
        f"connection lost during {label(step)}, which was rolled back: {broken}",
        hint="run it again",
    )


def unsettled_by_loss(step: PlannedStep, broken: ConnectionBroken, why: str) -> MigrationError:
    """The connection broke during a step, and nobody could be asked what became of it."""
    return MigrationError(
        Reason.CONNECTION_LOST,
        f"connection lost during {label(step)} ({broken}),"
        f" and whether it was committed could not be asked: {why}",
        hint="run it again: the next run reads from the database what happened",
    )


def escaped(step: PlannedStep, location: Location | None, message: str) -> MigrationError:
    """The file ended the transaction that it ran in."""
    return MigrationError(
        Reason.STATEMENT_FAILED,
        f"{label(step)} ended its own transaction, so a part of it may be applied: {message}",
        location=location,
        hint="put `-- dbmigrate:no-transaction` at the top of a file that commits by itself;"
        " look at the database, then `dbmigrate force V`",
    )


def label(step: PlannedStep) -> str:
    """A step in a sentence."""
    return f"version {step.version} ({step.name}) {step.direction.value}"


def left_unfinished(error: MigrationError, how_far: str) -> MigrationError:
    """The same error, with what a step in batches has done before."""
    return MigrationError(
        error.reason,
        error.message,
        location=error.location,
        sqlstate=error.sqlstate,
        detail="; ".join(filter(None, (error.detail, how_far))),
        hint=error.hint or "remove the cause, then run it again: it goes on behind them",
    )


def left_dirty(
    error: MigrationError,
    how_far: str,
    invalid_indexes: tuple[str, ...],
    *,
    is_interrupted: bool = False,
) -> MigrationError:
    """The same error, with what a step without a transaction has left behind."""
    parts = [error.detail] if error.detail else []
    parts.append(how_far)
    if invalid_indexes:
        parts.append(f"invalid index left behind: {', '.join(invalid_indexes)}")
    hint = (
        "remove the cause, then `dbmigrate repair`: it drops invalid indexes and goes on"
        " from this statement"
    )
    if is_interrupted:
        hint = "run it again: `up`, `goto` and `repair` go on from this statement"
    return MigrationError(
        error.reason,
        error.message,
        location=error.location,
        sqlstate=error.sqlstate,
        detail="; ".join(parts),
        hint=hint,
    )
