"""The interface of a history, whichever tool's table it is.

A `Found` says at which version a history is and what it would be after a step; a
`VersionTable` creates the tool's table, reads it and recognises it. golang-migrate
keeps one number (dbmigrate.postgres.history.formats.golang_migrate), goose and dbmate keep a set of
applied versions (dbmigrate.postgres.history.formats.applied_rows).
dbmigrate.postgres.history.formats.registry has the adapter of each tool.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from dbmigrate.postgres.connection.errors import ServerError
from dbmigrate.postgres.connection.session import Row
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.postgres.history.relations import History
from dbmigrate.versions import Role, Version

T = TypeVar("T", bound="NoProgress")


@dataclass(frozen=True, slots=True)
class Move:
    """What a step does to the history."""

    version: Version
    """The version whose script runs."""
    is_up: bool
    after: Version | None
    """The database's version after it; None: nothing is applied."""
    text: str = ""
    """The version as the file's name writes it, for a history that keeps text."""
    role: Role = Role.VERSIONED
    description: str = ""
    """The migration's name as the tool's table keeps it, where it does."""
    path: str = ""
    """The script's file as the tool's table keeps it, where it does."""
    checksum: int | str | None = None
    """The script's checksum as the tool's table keeps it, where it does."""
    statement_sums: Callable[[], Sequence[str]] | None = field(default=None, compare=False)
    """One for each statement, where the tool's table keeps those."""


class Partial(Protocol):
    """What a tool's table says of a step that stopped between two statements."""

    @property
    def version(self) -> Version:
        """The version whose script did not finish."""

    @property
    def description(self) -> str:
        """The migration's name as the table keeps it."""

    @property
    def done(self) -> int:
        """How many statements are done."""

    @property
    def sums(self) -> tuple[str, ...]:
        """The checksums of those statements."""

    @property
    def has_failed(self) -> bool:
        """Whether the next statement has failed, according to the table."""


class Found(Protocol):
    """The state of a history, found or wanted."""

    @property
    def version(self) -> Version | None:
        """The version of the database; None: nothing is applied."""

    @property
    def dirty(self) -> bool:
        """Whether a step was begun and not finished."""

    @property
    def stored(self) -> Version | None:
        """The version to show; if the history is dirty, the dirty one."""

    @property
    def dirty_version(self) -> Version | None:
        """The version to call dirty; None: none is."""

    def stepped(self, move: Move) -> Found:
        """After a step."""

    def begun(self, move: Move) -> Found:
        """While a step runs that can't be one transaction: dirty."""

    def forced(self, version: Version | None, moves: Mapping[Version, Move] | None) -> Found:
        """By order of a person. `moves`: the up steps of all files.

        Raises MigrationError.
        """

    def baselined(self, version: Version, moves: Mapping[Version, Move] | None) -> Found:
        """The same on an empty history: the schema was made without it."""

    def repaired(self, moves: Mapping[Version, Move] | None) -> tuple[Found, tuple[str, ...]]:
        """As the tool's own repair leaves its table, and a description of the change.

        `moves` as above, those of checkpoints and repeatable migrations included.
        """

    def was_left_by(self, row: LogRow) -> bool:
        """Whether a step of which the log has this row can have left it dirty."""

    @property
    def partial(self) -> Partial | None:
        """What the table itself says of an unfinished step; None: nothing."""

    def progress_sql(self, table: str, done: int) -> str:
        """Count the statements that are done in the table; empty where it does not count."""

    def failure_sql(
        self, table: str, statement: str, error: ServerError, position: int | None
    ) -> str:
        """Record in the table which statement failed, and at which of its characters, counted
        from 1; empty where it does not record that."""

    def advanced(self, done: int) -> Found:
        """With that many statements counted."""

    # The other state is always of the same kind.
    def move_sql(self, table: str, wanted: Any, guards: tuple[str, ...]) -> tuple[str, str]:
        """The statements before, and CTEs of which `moved` has one row if this state is found."""

    def set_sql(self, table: str, wanted: Any) -> str:
        """Make the table hold this state, without a check."""


class NoProgress:
    """A state whose table records nothing of an unfinished step: only the log does."""

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


class VersionTable(Protocol):
    """A tool's table."""

    @property
    def tool(self) -> str:
        """Its name."""

    @property
    def columns(self) -> str:
        """What its table is called in messages."""

    @property
    def types(self) -> Mapping[str, str]:
        """The columns by which it is known, with their types."""

    @property
    def may_have_others(self) -> bool:
        """Whether it is known although it has further columns."""

    def lock_ids(self, schema: str, table: str) -> tuple[int, ...]:
        """The tool's own advisory locks, in addition to dbmigrate's."""

    @property
    def stores_dirty(self) -> bool:
        """Whether the table itself can say that it is dirty; if not, the log does."""

    @property
    def records_failures(self) -> bool:
        """Whether it keeps a row for a step that failed, even if that has done nothing."""

    @property
    def has_baselines(self) -> bool:
        """Whether a separate row says that the history begins at a version."""

    @property
    def nothing(self) -> Found:
        """The state of a table that does not exist."""

    def fits(self, shape: Mapping[str, str]) -> bool:
        """Whether a table of these columns is the tool's."""

    def create_sql(self, table: str) -> str:
        """Create it as the tool does."""

    def read_sql(self, history: History) -> str:
        """The queries whose answers `take` reads."""

    def take(self, tables: list[list[Row]], history: History) -> Found:
        """Remove its own answers from the front, and read them. Raises MigrationError."""

    def wait_sql(self, table: str, wanted: Version) -> str:
        """One row: the version, whether it is dirty, whether `wanted` is reached."""
