"""The errors of a run: one exception type that carries its data.

The layers below raise it with what they know (reason, file, position, the server's
message); the command line prints it, the report carries it. The reason decides: only
from it follows whether trying again can help
(dbmigrate.report.RETRYABLE).
"""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.report import RETRYABLE, Reason, ReportError


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a migration file, for messages."""

    file: str
    line: int | None = None
    column: int | None = None
    excerpt: str | None = None
    """The line of SQL, shortened around the column, and a caret below it."""


def cause_of(error: OSError) -> str:
    """Why the system refused, in lower case as in all messages: `no such file or directory`."""
    return (error.strerror or str(error)).lower()


class MigrationError(Exception):
    """A run could not do what was requested.

    The message is lowercase, says what and where, and what to do about it. It
    never holds a secret: it ends up in logs, events and the resource's status.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        location: Location | None = None,
        sqlstate: str | None = None,
        detail: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.location = location
        self.sqlstate = sqlstate
        self.detail = detail
        self.hint = hint

    def but(
        self, *, message: str | None = None, detail: str | None = None, hint: str | None = None
    ) -> MigrationError:
        """The same error with more context: what is given stands in place of its own.

        It names this one as its cause.
        """
        error = MigrationError(
            self.reason,
            self.message if message is None else message,
            location=self.location,
            sqlstate=self.sqlstate,
            detail=self.detail if detail is None else detail,
            hint=self.hint if hint is None else hint,
        )
        error.__cause__ = self
        return error

    @property
    def is_retryable(self) -> bool:
        """Whether the same run may succeed later without a correction."""
        return self.reason in RETRYABLE

    def to_report(self) -> ReportError:
        """The error in the form of the report."""
        place = self.location
        return ReportError(
            reason=self.reason,
            message=self.message,
            retryable=self.is_retryable,
            sqlstate=self.sqlstate,
            file=place.file if place else None,
            line=place.line if place else None,
            column=place.column if place else None,
            excerpt=place.excerpt if place else None,
            detail=self.detail,
            hint=self.hint,
        )


class SettingsError(MigrationError):
    """Settings, or local files that they name, with which no login works: no time, and nothing that
    a server does, corrects them."""
