"""Tables that record nothing of an unfinished step: only the log does."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from dbmigrate.postgres.connection.errors import ServerError

T = TypeVar("T", bound="NoProgress")


class NoProgress:
    """What such a table does when statements are counted, or fail: nothing."""

    __slots__ = ()

    def progress_sql(self, table: str, done: int) -> str:
        """Empty: the table does not count."""
        del table, done
        return ""

    def failure_sql(
        self, table: str, statement: str, error: ServerError, position: int | None
    ) -> str:
        """Empty: the table does not record it."""
        del table, statement, error, position
        return ""

    def advanced(self: T, done: int) -> T:
        """The same."""
        del done
        return self
