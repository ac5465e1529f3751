"""What PostgreSQL reports when something fails, and what that means for a run.

Two exceptions stay inside this package and the runner: ServerFailure (a statement
failed, the session continues) and ConnectionBroken (the session is lost; whether
the last query was executed is unknown). Every exception that leaves the runner is a
MigrationError.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason

LOCK_NOT_AVAILABLE = "55P03"
SYNTAX_ERROR = "42601"
QUERY_CANCELED = "57014"
READ_ONLY = "25006"
READ_ONLY_HINT = (
    "default_transaction_read_only is on for the role, the database or the server: connect as a"
    " role that may write, or add default_transaction_read_only=off to the URL"
)
PRIVILEGE_HINT = (
    "connect as a role that may do this, or act as one after the login: -role; only its owner may"
    " change or drop a table"
)
UNTRANSLATABLE = "22P05"
"""A character that the database's encoding does not have."""
UNDEFINED_TABLE = "42P01"
INSUFFICIENT_PRIVILEGE = "42501"
UNDEFINED_OBJECT = "42704"
INVALID_TEXT = "22P02"
UNIQUE_VIOLATION = "23505"
OUT_OF_MEMORY = "53200"
"""Of the lock table, too."""
OUT_OF_LOCKS_HINT = (
    "the server's lock table is full: change fewer tables in one file, run fewer migrations at"
    " a time, or raise max_locks_per_transaction, which takes a restart of the server"
)


@dataclass(frozen=True, slots=True)
class ServerError:
    """The fields of one error message."""

    sqlstate: str | None
    message: str
    detail: str | None = None
    hint: str | None = None
    position: int | None = None
    """Counted from 1, in characters of the query as it was sent."""
    context: str | None = None


class ServerFailure(Exception):
    """A statement failed."""

    def __init__(self, error: ServerError, completed: int) -> None:
        super().__init__(error.message)
        self.error = error
        self.completed = completed
        """How many statements of the query had been done before."""

    @property
    def sqlstate(self) -> str | None:
        """The five characters, or None."""
        return self.error.sqlstate


class ConnectionBroken(Exception):
    """The connection is lost while something was running."""


def is_out_of_locks(error: ServerError) -> bool:
    """Whether the lock table has no room. The setting's name is the same in every language."""
    is_named = "max_locks_per_transaction" in f"{error.hint}"
    return error.sqlstate == OUT_OF_MEMORY and is_named


def is_user_gone(error: ServerError) -> bool:
    """Whether the session's own user was dropped: `invalid role OID: 16388`, in any language.

    Other objects that are missing stand there by their names, in quotes.
    """
    return error.sqlstate == UNDEFINED_OBJECT and bool(re.search(r"[0-9]\s*$", error.message))


def connection_lost(error: ConnectionBroken, doing: str) -> MigrationError:
    """The connection is lost, and the running work does not have to be looked up."""
    return MigrationError(Reason.CONNECTION_LOST, f"connection lost while {doing}: {error}")


def history_failure(failure: ServerFailure, doing: str) -> MigrationError:
    """The server rejected a statement of the runner, not of a migration file."""
    error = failure.error
    hint = error.hint
    if error.sqlstate == INSUFFICIENT_PRIVILEGE and hint is None:
        hint = "grant the role what the message names, or run as the owner of the history tables"
    elif is_user_gone(error):
        hint = (
            "the user that the run has logged in as was dropped meanwhile, as when a lease ends:"
            " run it again as another one, and let leases last longer than runs"
        )
    elif error.sqlstate == LOCK_NOT_AVAILABLE and hint is None:
        hint = "another session has locked a history table: end it, or raise -lock-timeout"
    elif error.sqlstate == READ_ONLY and hint is None:
        hint = READ_ONLY_HINT
    elif is_out_of_locks(error):
        hint = OUT_OF_LOCKS_HINT
    return MigrationError(
        Reason.BLOCKED_BY_QUERY
        if error.sqlstate == LOCK_NOT_AVAILABLE
        else Reason.INTERRUPTED
        if error.sqlstate == QUERY_CANCELED
        else Reason.STATEMENT_FAILED,
        f"{doing}: {error.message}",
        sqlstate=error.sqlstate,
        detail=error.detail,
        hint=hint,
    )
