"""From the server's message about a file to an error with a place and a remedy."""

from __future__ import annotations

from dbmigrate.errors import Location, MigrationError
from dbmigrate.postgres.connection.errors import (
    INSUFFICIENT_PRIVILEGE,
    LOCK_NOT_AVAILABLE,
    OUT_OF_LOCKS_HINT,
    PRIVILEGE_HINT,
    QUERY_CANCELED,
    READ_ONLY,
    READ_ONLY_HINT,
    UNIQUE_VIOLATION,
    ConnectionBroken,
    ServerError,
    ServerFailure,
    history_failure,
    is_out_of_locks,
    is_user_gone,
)
from dbmigrate.postgres.connection.other_sessions import OtherSession
from dbmigrate.postgres.sqltext.quoting import literal
from dbmigrate.report import Reason
from dbmigrate.runner.planning.step import PlannedStep
from dbmigrate.runner.stop import Stop

_SESSION_LIMITS = {
    "due to transaction timeout": "transaction_timeout",
    "due to idle-in-transaction timeout": "idle_in_transaction_session_timeout",
    "due to idle-session timeout": "idle_session_timeout",
}
"""Matched by PostgreSQL's text: libpq keeps no SQLSTATE of an error that ends a connection."""


def statement_failed(
    error: ServerError,
    location: Location | None,
    *,
    stop: Stop,
    blockers: tuple[OtherSession, ...] = (),
    problem: str | None = None,
    limit: str | None = None,
) -> MigrationError:
    """A statement of a migration file failed; `problem` replaces the server's message, `limit`
    says where the limit comes from that ended it."""
    reason = Reason.STATEMENT_FAILED
    hint = error.hint or limit
    if error.sqlstate == QUERY_CANCELED and stop.is_urgent:
        reason = Reason.INTERRUPTED
    elif error.sqlstate == LOCK_NOT_AVAILABLE:
        reason = Reason.BLOCKED_BY_QUERY
        hint = hint or "end the blocking session, or try again when it is done"
    elif error.sqlstate == READ_ONLY:
        hint = hint or READ_ONLY_HINT
    elif error.sqlstate == INSUFFICIENT_PRIVILEGE:
        hint = hint or PRIVILEGE_HINT
    elif is_out_of_locks(error):
        hint = OUT_OF_LOCKS_HINT
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


_CHANGED = frozenset(("42P01", "3F000", "42703", "42704", "42804", "42809", "42883"))
"""SQLSTATEs of a history that has changed since the step began: a table, schema, column, type or
operator is missing, or a column has another type."""


def history_refused(
    step: PlannedStep, error: ServerError, own: str, file: Location
) -> MigrationError:
    """The file ran, and `own`, a statement after it, could not write the history."""
    verb, _, table = own.rpartition(" ")
    if is_changed(error):
        return history_changed(step, error, f"{table}, a table of the history,", file)
    doing = f"can't write {table}, a table of the history ({verb})"
    told = history_failure(ServerFailure(error, 0), doing)
    is_constraint = error.sqlstate is not None and error.sqlstate.startswith("23")
    return MigrationError(
        Reason.FOREIGN_HISTORY if is_constraint else told.reason,
        f"{told.message}; {label(step)} was rolled back; its file is not the cause",
        sqlstate=error.sqlstate,
        detail=error.detail,
        hint=_remedy(table, error)
        if is_constraint
        else told.hint
        or f"look at what was added to {table}: a publication, a default or a constraint",
    )


def history_changed(
    step: PlannedStep,
    error: ServerError,
    what: str,
    file: Location,
    *,
    end: str = "was rolled back",
) -> MigrationError:
    """A table of the history no longer exists, or no longer has its columns."""
    return MigrationError(
        Reason.STATEMENT_FAILED,
        f"{label(step)} drops or changes {what} and {end}: {error.message}",
        location=file,
        sqlstate=error.sqlstate,
        detail=error.detail,
        hint="remove the statements that change the tables of the history, which dbmigrate"
        " maintains; if the file has none, another session has changed them",
    )


def is_changed(error: ServerError) -> bool:
    """Whether a statement of dbmigrate failed because the history has changed."""
    return error.sqlstate in _CHANGED and not is_user_gone(error)


def _remedy(table: str, error: ServerError) -> str:
    """What to do about a constraint that refuses a row of the history."""
    drop = "the table has a constraint that is not dbmigrate's: drop it"
    if error.sqlstate != UNIQUE_VIOLATION:
        return drop
    return (
        f"if it is the key of the log, its owner sets the identity: SELECT setval("
        f"pg_get_serial_sequence({literal(table)}, 'id'), max(id)) FROM {table}; if not, {drop}"
    )


def rolled_back_by_loss(step: PlannedStep, broken: ConnectionBroken) -> MigrationError:
    """The connection broke during a step, and the database shows that it did not happen."""
    return MigrationError(
        Reason.CONNECTION_LOST,
        f"connection lost during {label(step)}, which was rolled back: {broken}",
        hint=_ended_by_limit(str(broken)) or "run it again",
    )


def _ended_by_limit(message: str) -> str | None:
    """What to do about a limit of sessions that will end the next run as well."""
    for words, setting in _SESSION_LIMITS.items():
        if words in message:
            return (
                f"{setting} is set for the role, the database or the server: raise it there, or add"
                f" {setting}=0 to the URL"
            )
    return None


def unsettled_by_loss(step: PlannedStep, broken: ConnectionBroken, why: str) -> MigrationError:
    """The connection broke during a step, and the database could not be asked for the result."""
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


def lock_lost(
    step: PlannedStep, location: Location | None, *, is_rolled_back: bool = True
) -> MigrationError:
    """The file has released the run's locks, and another session has them now."""
    end = "was rolled back" if is_rolled_back else "has run, and the database is left dirty"
    return MigrationError(
        Reason.LOCK_TIMEOUT,
        f"{label(step)} releases the run's lock, and another session has taken it: the step {end}",
        location=location,
        hint="remove statements that release all advisory locks (pg_advisory_unlock_all,"
        " DISCARD ALL) from the file: the locks exclude other runs",
    )


def label(step: PlannedStep) -> str:
    """A step in a sentence."""
    return f"version {step.version} ({step.name}) {step.direction.value}"


def left_unfinished(error: MigrationError, how_far: str) -> MigrationError:
    """The same error, with what the step in batches has committed before."""
    return error.but(
        detail="; ".join(filter(None, (error.detail, how_far))),
        hint=error.hint or "remove the cause, then run it again: it continues after them",
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
        "remove the cause, then `dbmigrate repair`: it drops invalid indexes and continues"
        " from this statement"
    )
    if is_interrupted:
        hint = "run `goto` or `repair` (`up` for an up step): they continue from this statement"
    return error.but(detail="; ".join(parts), hint=hint)
