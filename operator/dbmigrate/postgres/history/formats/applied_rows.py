"""Histories that keep each applied version in a separate row: goose's and dbmate's.

The version of the database is the highest one. Such tables have no dirty mark: only
the log says that a step without a transaction has not ended, and it is believed until
the table shows that the step was finished after all.

The tools themselves take no lock while a step runs, so the fence locks the table, then
compares the number of rows, and of rows of the step's version, with what the run has
found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.session import Row
from dbmigrate.postgres.history.adapter import Move, NoProgress, Partial
from dbmigrate.postgres.history.log.reading import explaining_sql
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.postgres.history.relations import History
from dbmigrate.report import Reason
from dbmigrate.versions import Role, Version


@dataclass(frozen=True, slots=True)
class AppliedRow:
    """One row."""

    version: Version
    text: str
    """The version as it is stored."""
    is_applied: bool = True
    """False: old versions of goose appended such a row for a step down."""
    applied_at: str | None = None
    """RFC 3339, in so far as the table tells."""
    clock_ms: int | None = None
    """Milliseconds since 1970 by the wall clock of the client that wrote the row."""
    role: Role = Role.VERSIONED
    description: str = ""
    path: str = ""
    checksum: int | str | None = None
    """These three as in a Move, where the table keeps them."""


@dataclass(frozen=True, slots=True)
class UnfinishedStep:
    """A step without a transaction that was begun and not ended."""

    version: Version
    is_up: bool


class Dialect(Protocol):
    """How the tool writes its rows."""

    @property
    def undoes_last_applied(self) -> bool:
        """Whether `down` begins with the last applied version, or with the highest."""

    @property
    def validates_files(self) -> bool:
        """Whether it requires the files of all applied versions before it goes up."""

    @property
    def requires_down(self) -> bool:
        """Whether a version without a script cannot be undone; if not, its row is deleted."""

    @property
    def real_rows(self) -> str:
        """The condition for rows that are versions."""

    def insert_sql(self, table: str) -> str:
        """INSERT INTO with its columns, up to the values."""

    def values(self, entry: AppliedRow) -> str:
        """The values of a row, without parentheses."""

    def is_version(self, texts: list[str]) -> str:
        """The condition for rows of these versions."""


@dataclass(frozen=True)
class VersionSet(NoProgress):
    """Which versions are applied."""

    dialect: Dialect
    entries: tuple[AppliedRow, ...] = ()
    """All rows, the oldest first."""
    unfinished: UnfinishedStep | None = None
    partial: Partial | None = None
    """What the table itself tells of that step, where it does."""

    @cached_property
    def applied(self) -> dict[Version, AppliedRow]:
        """The applied versions in order of application; the newest row of each decides."""
        return self._newest(lambda entry: entry.role is not Role.REPEATABLE)

    @cached_property
    def repeated(self) -> dict[Version, AppliedRow]:
        """The newest run of each repeatable migration."""
        return self._newest(lambda entry: entry.role is Role.REPEATABLE)

    @cached_property
    def base(self) -> Version | None:
        """The version at which the history begins: all up to it count as applied."""
        begun = (v for v, entry in self.applied.items() if entry.role is Role.CHECKPOINT)
        return max(begun, default=None)

    @cached_property
    def version(self) -> Version | None:
        """The highest of them."""
        return max(self.applied, default=None)

    @property
    def dirty(self) -> bool:
        """Whether the log has a step that was not finished."""
        return self.unfinished is not None

    @property
    def dirty_version(self) -> Version | None:
        """The version of that step."""
        return self.unfinished.version if self.unfinished else None

    @property
    def stored(self) -> Version | None:
        """That version, else the highest."""
        return self.unfinished.version if self.unfinished else self.version

    def stepped(self, move: Move) -> VersionSet:
        """With the step's version, or without it."""
        if move.is_up:
            entry = entry_of(move)
            return replace(self, entries=(*self.entries, entry), unfinished=None)
        rest = tuple(entry for entry in self.entries if entry.version != move.version)
        return replace(self, entries=rest, unfinished=None)

    def begun(self, move: Move) -> VersionSet:
        """The same rows: only the log says that a step was begun."""
        return replace(self, unfinished=UnfinishedStep(move.version, move.is_up))

    def forced(self, version: Version | None, moves: Mapping[Version, Move] | None) -> VersionSet:
        """Each version of the files up to that one, and nothing above it.

        Raises MigrationError: SourceInvalid without the files, MissingVersion
        for a version that neither they nor the table know.
        """
        if version is None:
            return replace(self, entries=(), unfinished=None)
        if moves is None:
            raise MigrationError(
                Reason.SOURCE_INVALID,
                "this history has a row for each version: the migration files are needed"
                " to know which",
                hint="give -path as well",
            )
        if version not in moves and version not in self.applied:
            raise MigrationError(
                Reason.MISSING_VERSION,
                f"no migration found for version {version}: it would have no row",
                hint="this history has a row for each version: name one that a file has",
            )
        kept = [entry for each, entry in self.applied.items() if each <= version]
        new = [
            entry_of(move)
            for each, move in moves.items()
            if each <= version and each not in self.applied and not self.is_below_base(each)
        ]
        return replace(self, entries=(*kept, *new), unfinished=None)

    def baselined(self, version: Version, moves: Mapping[Version, Move] | None) -> VersionSet:
        """The same rows."""
        return self.forced(version, moves)

    def repaired(self, moves: Mapping[Version, Move] | None) -> tuple[VersionSet, tuple[str, ...]]:
        """Nothing to repair."""
        del moves
        return self, ()

    def needs_file(self, version: Version) -> bool:
        """Whether the files should contain that applied version."""
        return version != self.base

    def mismatch(self, version: Version, description: str, path: str) -> str:
        """What an applied row says differently from its file; empty: nothing, or the table
        keeps only the version."""
        del version, description, path
        return ""

    def is_below_base(self, version: Version) -> bool:
        """Whether the history begins at or above that version."""
        return self.base is not None and version <= self.base

    def was_left_by(self, row: LogRow) -> bool:
        """Whether a step of which the log has this row can have left it dirty."""
        unfinished = self.unfinished
        return unfinished is not None and (unfinished.version, unfinished.is_up) == (
            row.version,
            row.direction == "up",
        )

    def move_sql(self, table: str, wanted: VersionSet, guards: tuple[str, ...]) -> tuple[str, str]:
        """The lock, and the CTEs that change the one version in which both differ."""
        lock = f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE; "
        dialect = self.dialect
        same = [self._count(table, dialect.real_rows, len(self.entries)), *guards]
        if len(wanted.entries) > len(self.entries):
            new = wanted.entries[-1]
            here = sum(entry.version == new.version for entry in self.entries)
            same.append(self._count(table, dialect.is_version([new.text]), here))
            change = (
                f"moved AS ({dialect.insert_sql(table)} SELECT {dialect.values(new)}"
                f" WHERE {' AND '.join(same)} RETURNING 1)"
            )
        elif len(wanted.entries) < len(self.entries):
            kept = {entry.version for entry in wanted.entries}
            gone = [entry.text for entry in self.entries if entry.version not in kept]
            is_gone = dialect.is_version(sorted(set(gone)))
            same.append(self._count(table, is_gone, len(gone)))
            change = (
                f"gone AS (DELETE FROM {table} WHERE {is_gone} AND {' AND '.join(same)}"
                " RETURNING 1), moved AS (SELECT 1 FROM gone LIMIT 1)"
            )
        else:
            change = f"moved AS (SELECT 1 WHERE {' AND '.join(same)})"
        return lock, change

    def set_sql(self, table: str, wanted: VersionSet) -> str:
        """Delete the surplus rows, add the missing ones."""
        dialect = self.dialect
        statements = []
        surplus = {entry.text for entry in self.entries if entry.version not in wanted.applied}
        if surplus:
            statements.append(f"DELETE FROM {table} WHERE {dialect.is_version(sorted(surplus))}")
        new = [entry for version, entry in wanted.applied.items() if version not in self.applied]
        if new:
            rows = ", ".join(f"({dialect.values(entry)})" for entry in new)
            statements.append(f"{dialect.insert_sql(table)} VALUES {rows}")
        return "; ".join(statements) or "SELECT"

    def _newest(self, is_meant: Callable[[AppliedRow], bool]) -> dict[Version, AppliedRow]:
        newest: dict[Version, AppliedRow] = {}
        for entry in filter(is_meant, self.entries):
            newest.pop(entry.version, None)
            newest[entry.version] = entry
        return {version: entry for version, entry in newest.items() if entry.is_applied}

    @staticmethod
    def _count(table: str, condition: str, number: int) -> str:
        return f"(SELECT pg_catalog.count(*) FROM {table} WHERE {condition}) = {number}"


def entry_of(move: Move) -> AppliedRow:
    """The row of an up step."""
    return AppliedRow(
        move.version,
        move.text or str(move.version),
        role=move.role,
        description=move.description,
        path=move.path,
        checksum=move.checksum,
    )


def unfinished_sql(history: History) -> str:
    """The newest row of the log that says whether a step has ended.

    A step that failed as one transaction (it has no count of statements) left nothing.
    """
    return (
        f"{explaining_sql(history)} SELECT found.* FROM explaining, LATERAL"
        f" (SELECT version, direction, outcome, name, id FROM {history.log_table} AS log"
        " WHERE log.id = explaining.id AND outcome <> 'noted'"
        " AND (outcome <> 'failed' OR statements IS NOT NULL)"
        " LIMIT 1) found ORDER BY found.id DESC LIMIT 1"
    )


def with_unfinished(found: VersionSet, rows: list[Row], history: History) -> VersionSet:
    """Believe the log, unless the rows show that the tool has made the step since."""
    version = history.read_version(rows[0][0], rows[0][3] or "") if rows else None
    if version is None or rows[0][2] == "applied":
        return found
    unfinished = UnfinishedStep(version, rows[0][1] == "up")
    is_done = (unfinished.version in found.applied) == unfinished.is_up
    return found if is_done else replace(found, unfinished=unfinished)
