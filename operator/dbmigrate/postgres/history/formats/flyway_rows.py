"""The rows of Flyway's history: appended, marked as failed for a while, never deleted.

The exception is Flyway's own `repair`: failed rows are deleted, rows whose file has changed
are updated, and a row whose file is missing gets a DELETE row after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.history.adapter import Move
from dbmigrate.postgres.history.formats.applied_rows import (
    AppliedRow,
    UnfinishedStep,
    VersionSet,
    entry_of,
)
from dbmigrate.postgres.sqltext.quoting import literal, literal_bool
from dbmigrate.report import Reason
from dbmigrate.versions import Role, Version

_LONGEST_DESCRIPTION = 200
BASELINE = "<< Flyway Baseline >>"
DELETE = "DELETE"
MARKERS = frozenset((DELETE, "SCHEMA"))
"""Types of rows that are no migrations."""
_OF_FILES = frozenset(("SQL", "SQL_BASELINE"))
"""Types of rows whose migrations are files of ours to read."""
_KINDS = {Role.CHECKPOINT: "SQL_BASELINE"}


@dataclass(frozen=True, slots=True)
class FlywayRow(AppliedRow):
    """One row."""

    rank: int = 0
    kind: str = "SQL"
    """Its type, in Flyway's words."""
    is_failed: bool = False
    is_step: bool = False
    """It is written by the transaction that its script runs in."""

    @property
    def named(self) -> str:
        """The row in a message."""
        is_repeatable = self.role is Role.REPEATABLE
        return f"{self.description!r}" if is_repeatable else f"version {self.text}"


@dataclass(frozen=True)
class FlywayRows(VersionSet):
    """All rows."""

    entries: tuple[FlywayRow, ...] = ()

    def stepped(self, move: Move) -> FlywayRows:
        """With an additional row; a step that was begun has its row already."""
        rows = self.entries
        if not move.is_up:
            undone = self._row_of(move.version)
            kept = tuple(
                replace(row, is_failed=False, is_applied=True) if row is undone else row
                for row in rows
            )
            return replace(self, entries=(*kept, self._marker(undone)), unfinished=None)
        if rows and rows[-1].is_failed and rows[-1].version == move.version:
            done = replace(rows[-1], is_failed=False, is_applied=True)
            return replace(self, entries=(*rows[:-1], done), unfinished=None)
        row = replace(self._row(move), is_step=True)
        return replace(self, entries=(*rows, row), unfinished=None)

    def begun(self, move: Move) -> FlywayRows:
        """With the row marked as failed: the new one, or the one that is being undone."""
        unfinished = UnfinishedStep(move.version, move.is_up)
        rows = self.entries
        if move.is_up:
            if rows and rows[-1].is_failed and rows[-1].version == move.version:
                return replace(self, unfinished=unfinished)  # repair continues it
            row = replace(self._row(move), is_failed=True, is_applied=False)
            return replace(self, entries=(*rows, row), unfinished=unfinished)
        undone = self._row_of(move.version)
        marked = tuple(
            replace(row, is_failed=True, is_applied=False) if row is undone else row for row in rows
        )
        return replace(self, entries=marked, unfinished=unfinished)

    def forced(self, version: Version | None, moves: Mapping[Version, Move] | None) -> FlywayRows:
        """No failed rows, a row for each version of the files up to that one, markers above it.

        Raises MigrationError as a VersionSet does.
        """
        sound = replace(
            self, entries=tuple(row for row in self.entries if not row.is_failed), unfinished=None
        )
        base = sound.base
        if base is not None and (version is None or version < base):
            raise MigrationError(
                Reason.IRREVERSIBLE_MIGRATION,
                f"the history begins at version {base}: it can't be set below",
            )
        if version is None:
            wanted: set[Version] = set()
        else:
            wanted = set(VersionSet.forced(sound, version, moves).applied)
        rows = sound
        for each in sorted(sound.applied.keys() - wanted, reverse=True):
            marker = rows._marker(rows._row_of(each))
            rows = replace(rows, entries=(*rows.entries, marker))
        for each in sorted(wanted - sound.applied.keys()):
            if moves is not None:
                rows = replace(rows, entries=(*rows.entries, rows._row(moves[each])))
        return rows

    def baselined(self, version: Version, moves: Mapping[Version, Move] | None) -> FlywayRows:
        """With Flyway's row for it."""
        del moves
        row = FlywayRow(
            version,
            str(version),
            role=Role.CHECKPOINT,
            description=BASELINE,
            path=BASELINE,
            rank=self._next_rank,
            kind="BASELINE",
        )
        return replace(self, entries=(*self.entries, row))

    def repaired(self, moves: Mapping[Version, Move] | None) -> tuple[FlywayRows, tuple[str, ...]]:
        """As Flyway's `repair` leaves them (DbRepair.java); without files only failed rows go.

        A row above all files remains: newer files than these may belong to it.
        """
        failed = [row for row in self.entries if row.is_failed]
        kept = tuple(row for row in self.entries if not row.is_failed)
        rows = replace(self, entries=kept, unfinished=None)
        said = [f"removed the row of the failed step to {row.named}" for row in failed]
        if moves is None:
            return rows, tuple(said)
        aligned = tuple(rows._align(row, moves.get(row.version)) for row in rows.entries)
        said += [
            f"brought the row of {new.named} in line with its file"
            for old, new in zip(rows.entries, aligned, strict=True)
            if old != new
        ]
        rows = replace(rows, entries=aligned)
        for row in rows._missing(moves):
            rows = replace(rows, entries=(*rows.entries, rows._marker(row)))
            said.append(f"marked {row.named} as deleted: its file is gone")
        return rows, tuple(said)

    def needs_file(self, version: Version) -> bool:
        """Whether a row is that of an SQL file: a class's or a shell script's is not."""
        row = self.applied.get(version) or self.repeated.get(version)
        is_file = not isinstance(row, FlywayRow) or row.kind == "SQL"
        return is_file and VersionSet.needs_file(self, version)

    def mismatch(self, version: Version, description: str, path: str) -> str:
        """Type and description, which Flyway's validate compares (MigrationInfoImpl.java)."""
        row = self.applied.get(version)
        if not isinstance(row, FlywayRow) or self.is_below_base(version):
            return ""
        kind = "SQL" if path.lower().endswith(".sql") else "SCRIPT"
        if row.kind != kind:
            return f"is of type {kind}, and was {row.kind} when it was applied"
        if row.description != shorten(description):
            return f"was called {row.description!r} when it was applied"
        return ""

    def move_sql(self, table: str, wanted: VersionSet, guards: tuple[str, ...]) -> tuple[str, str]:
        """The lock, and the CTEs that mark a row and append one: what a step is made of."""
        lock = f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE; "
        top = max((row.rank for row in self.entries), default=-1)
        same = [
            self._count(table, "true", len(self.entries)),
            self._count(table, f"installed_rank > {top}", 0),
            *guards,
        ]
        parts = []
        for old, new in zip(self.entries, wanted.entries, strict=False):
            if isinstance(new, FlywayRow) and old != new:
                same.append(
                    self._count(
                        table, f"installed_rank = {old.rank} AND {_is(not old.is_failed)}", 1
                    )
                )
                parts.append(
                    f"marked{old.rank} AS ({_update(table, new)} AND {' AND '.join(same)}"
                    " RETURNING 1)"
                )
        is_same = " AND ".join(same)
        new_rows = wanted.entries[len(self.entries) :]
        if new_rows:
            dialect = self.dialect
            parts.append(
                f"moved AS ({dialect.insert_sql(table)} SELECT {dialect.values(new_rows[0])}"
                f" WHERE {is_same} RETURNING 1)"
            )
        else:
            parts.append(f"moved AS (SELECT 1 WHERE {is_same})")
        return lock, ", ".join(parts)

    def set_sql(self, table: str, wanted: VersionSet) -> str:
        """Delete failed rows, update changed ones, add new ones."""
        old = {row.rank: row for row in self.entries}
        rows = [row for row in wanted.entries if isinstance(row, FlywayRow)]
        statements = [
            f"DELETE FROM {table} WHERE installed_rank = {rank}"
            for rank in old.keys() - {row.rank for row in rows}
        ]
        statements += [
            _align_sql(table, row) for row in rows if row.rank in old and row != old[row.rank]
        ]
        new = [f"({self.dialect.values(row)})" for row in rows if row.rank not in old]
        if new:
            statements.append(f"{self.dialect.insert_sql(table)} VALUES {', '.join(new)}")
        return "; ".join(statements) or "SELECT"

    @property
    def _next_rank(self) -> int:
        return max((row.rank for row in self.entries), default=0) + 1

    def _row(self, move: Move) -> FlywayRow:
        entry = entry_of(move)
        return FlywayRow(
            entry.version,
            entry.text,
            role=entry.role,
            description=entry.description,
            path=entry.path,
            checksum=entry.checksum,
            rank=self._next_rank,
            kind=_KINDS.get(entry.role, "SQL"),
        )

    def _marker(self, row: FlywayRow) -> FlywayRow:
        """The row that says that another one no longer counts."""
        return replace(
            row,
            rank=self._next_rank,
            kind=DELETE,
            is_applied=False,
            is_failed=False,
            applied_at=None,
            clock_ms=None,
            is_step=False,
        )

    def _align(self, row: FlywayRow, move: Move | None) -> FlywayRow:
        """A repeatable migration runs again instead, and a checkpoint is never compared."""
        is_newest = self.applied.get(row.version) is row
        if move is None or not is_newest or row.kind != "SQL" or self.is_below_base(row.version):
            return row
        return replace(row, description=move.description, checksum=move.checksum)

    def _missing(self, moves: Mapping[Version, Move]) -> list[FlywayRow]:
        """Rows whose file is missing."""
        highest = max((move.version for move in moves.values() if _has_version(move)), default=None)
        return [
            row
            for row in self.entries
            if row.kind in _OF_FILES
            and row.version not in moves
            and row in (self.applied.get(row.version), self.repeated.get(row.version))
            and (row.role is Role.REPEATABLE or (highest is not None and row.version < highest))
        ]

    def _row_of(self, version: Version) -> FlywayRow:
        """The newest row of a version that has one."""
        rows = (row for row in reversed(self.entries) if row.version == version)
        return next(row for row in rows if row.kind not in MARKERS)


def shorten(description: str) -> str:
    """Shortened to its column as Flyway does (AbbreviationUtils.java)."""
    fits = len(description) <= _LONGEST_DESCRIPTION
    return description if fits else f"{description[: _LONGEST_DESCRIPTION - 3]}..."


def _has_version(move: Move) -> bool:
    return move.role is not Role.REPEATABLE


def _update(table: str, row: FlywayRow) -> str:
    """A row's mark; at the end of its step the time that it took as well."""
    time = (
        ""
        if row.is_failed
        else ", execution_time = (1000 * pg_catalog.date_part('epoch',"
        " pg_catalog.clock_timestamp()::timestamp - installed_on))::pg_catalog.int4"
    )
    if row.kind == "SQL" and row.applied_at is not None:
        time = ""  # it existed before this run
    return (
        f"UPDATE {table} SET success = {literal_bool(not row.is_failed)}{time}"
        f" WHERE installed_rank = {row.rank}"
    )


def _align_sql(table: str, row: FlywayRow) -> str:
    return (
        f"UPDATE {table} SET description = {literal(row.description)}, type = {literal(row.kind)},"
        f" checksum = {literal(row.checksum)}, success = {literal_bool(not row.is_failed)}"
        f" WHERE installed_rank = {row.rank}"
    )


def _is(success: bool) -> str:
    return "success" if success else "NOT success"
