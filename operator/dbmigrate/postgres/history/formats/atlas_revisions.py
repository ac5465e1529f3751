"""Rows of Atlas's history: which versions have one, and the one that is not complete.

A step is one row: written with the step where that is one transaction, and otherwise before
it, counted up statement by statement, and completed after the last. Each change first
checks that the row is as this run has found it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from dbmigrate import __version__
from dbmigrate.postgres.connection.errors import ServerError
from dbmigrate.postgres.history.adapter import Move
from dbmigrate.postgres.history.formats.applied_rows import AppliedRow, UnfinishedStep, VersionSet
from dbmigrate.postgres.history.formats.atlas_errors import driver_text
from dbmigrate.postgres.sqltext.quoting import literal
from dbmigrate.versions import Version

BASELINE, EXECUTED, RESOLVED = 1, 2, 4
"""The bits of `type`: the history begins here, it ran, a person said so."""
PREFIX = "h1:"
_NANOSECONDS = (
    "(1000000000 * pg_catalog.date_part('epoch',"
    " pg_catalog.clock_timestamp() - pg_catalog.now()))::bigint"
)
_COLUMNS = (
    *("version", "description", "type", "applied", "total", "executed_at", "execution_time"),
    *("error", "error_stmt", "hash", "partial_hashes", "operator_version"),
)


@dataclass(frozen=True, slots=True)
class Revision(AppliedRow):
    """A row."""

    kind: int = EXECUTED
    statements: int = 0
    """How many the file had."""
    hash: str = ""
    """The file's entry in atlas.sum, without `h1:`."""


@dataclass(frozen=True, slots=True)
class PartialRevision:
    """A row of a file that stopped halfway."""

    version: Version
    revision: Revision
    done: int = 0
    sums: tuple[str, ...] = ()
    """Of the statements that are done, without `h1:`."""
    planned: tuple[str, ...] = ()
    """Of all statements of the file that is run now; empty for a row that was found."""
    has_failed: bool = False
    """Whether the row says that the next statement failed."""

    @property
    def description(self) -> str:
        """The migration's name, as the row has it."""
        return self.revision.description


@dataclass(frozen=True)
class Revisions(VersionSet):
    """Which versions have a row, and the one that is not complete."""

    partial: PartialRevision | None = None

    @cached_property
    def base(self) -> Version | None:
        """For Atlas, all versions below its first row count as applied."""
        return min(self.applied, default=None)

    def stepped(self, move: Move) -> Revisions:
        """With a complete row."""
        if not move.is_up:
            rest = tuple(entry for entry in self.entries if entry.version != move.version)
            return replace(self, entries=rest, unfinished=None, partial=None)
        revision = _revision_of(move, len(_sums(move)))
        entries = sorted((*self.entries, revision), key=lambda entry: entry.text.encode())
        return replace(self, entries=tuple(entries), unfinished=None, partial=None)

    def begun(self, move: Move) -> Revisions:
        """With a row that shows its progress: none, or what it had."""
        found = self.partial
        sums = tuple(_sums(move))
        if found is None or found.version != move.version:
            found = PartialRevision(move.version, _revision_of(move, len(sums)))
        found = replace(found, revision=_revision_of(move, len(sums)), planned=sums)
        return replace(self, unfinished=UnfinishedStep(move.version, is_up=True), partial=found)

    def forced(self, version: Version | None, moves: Mapping[Version, Move] | None) -> Revisions:
        """As Atlas's `migrate set`: a row that stopped halfway counts as done, or is deleted."""
        forced = super().forced(version, moves)
        known = {entry.version for entry in self.entries}
        entries = [
            entry if entry.version in known else _by_hand(entry, moves, RESOLVED)
            for entry in forced.entries
        ]
        found = self.partial
        if found is not None and version is not None and found.version <= version:
            done = replace(found.revision, kind=EXECUTED | RESOLVED)
            entries = [entry for entry in entries if entry.version != found.version]
            entries.append(done)
        entries.sort(key=lambda entry: entry.text.encode())
        return replace(self, entries=tuple(entries), unfinished=None, partial=None)

    def baselined(self, version: Version, moves: Mapping[Version, Move] | None) -> Revisions:
        """One row, at which the history begins."""
        text = str(version)
        revision = _by_hand(AppliedRow(version, text), moves, BASELINE)
        return replace(self, entries=(replace(revision, hash=""),), unfinished=None, partial=None)

    def move_sql(self, table: str, wanted: VersionSet, guards: tuple[str, ...]) -> tuple[str, str]:
        """The lock, and the change of the one row that a step is about."""
        if not isinstance(wanted, Revisions) or len(wanted.entries) < len(self.entries):
            return super().move_sql(table, wanted, guards)
        lock = f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE; "
        rows = len(self.entries) + (self.partial is not None)
        same = [self._count(table, self.dialect.real_rows, rows), *guards]
        before, after = self.partial, wanted.partial
        if before is not None:
            here = literal(before.revision.text)
            same.append(self._count(table, f"version = {here} AND applied = {before.done}", 1))
        where = " AND ".join(same)
        if after is None:
            change = self._end_sql(table, wanted, where)
        elif before is None:
            values = values_sql(after.revision, done=0)
            change = f"{insert_sql(table)} SELECT {values} WHERE {where} RETURNING 1"
        else:
            change = (
                f"UPDATE {table} SET total = {after.revision.statements},"
                f" operator_version = {literal(_operator())}"
                f" WHERE version = {literal(before.revision.text)} AND {where} RETURNING 1"
            )
        return lock, f"moved AS ({change})"

    def _end_sql(self, table: str, wanted: Revisions, where: str) -> str:
        known = {entry.version for entry in self.entries}
        new = next((entry for entry in wanted.entries if entry.version not in known), None)
        if not isinstance(new, Revision):
            return f"SELECT 1 WHERE {where}"
        if self.partial is None:
            return f"{insert_sql(table)} SELECT {values_sql(new)} WHERE {where} RETURNING 1"
        total = new.statements
        return (
            f"UPDATE {table} SET applied = {total}, total = {total}, error = '', error_stmt = '',"
            f" hash = {literal(new.hash)}, partial_hashes = 'null',"
            f" execution_time = execution_time + {_NANOSECONDS},"
            f" operator_version = {literal(_operator())}"
            f" WHERE version = {literal(new.text)} AND {where} RETURNING 1"
        )

    def progress_sql(self, table: str, done: int) -> str:
        """Count what is done, so that Atlas can continue from there."""
        found = self.partial
        if found is None:
            return ""
        hashes = json.dumps([f"{PREFIX}{each}" for each in found.planned[:done]])
        return (
            f"UPDATE {table} SET applied = {done}, partial_hashes = {literal(hashes)},"
            f" error = '', error_stmt = '' WHERE version = {literal(found.revision.text)}"
        )

    def failure_sql(
        self, table: str, statement: str, error: ServerError, position: int | None
    ) -> str:
        """Record what failed, as Atlas does."""
        found = self.partial
        if found is None:
            return ""
        text = driver_text(error.message, error.sqlstate, statement, position)
        return (
            f"UPDATE {table} SET error = {literal(text)}, error_stmt = {literal(statement)}"
            f" WHERE version = {literal(found.revision.text)}"
        )

    def advanced(self, done: int) -> Revisions:
        """After that many statements."""
        found = self.partial
        if found is None:
            return self
        return replace(self, partial=replace(found, done=done, sums=found.planned[:done]))

    def set_sql(self, table: str, wanted: VersionSet) -> str:
        """Delete the surplus rows, write those that are new or complete."""
        kept = {entry.version for entry in wanted.entries}
        here = [*self.entries, *([self.partial.revision] if self.partial else [])]
        surplus = sorted({entry.text for entry in here if entry.version not in kept})
        statements = []
        if surplus:
            statements.append(f"DELETE FROM {table} WHERE {self.dialect.is_version(surplus)}")
        known = {entry.version for entry in self.entries}
        changed = ", ".join(
            f"{column} = excluded.{column}" for column in _COLUMNS[2:] if column != "executed_at"
        )
        statements += [
            f"{insert_sql(table)} SELECT {values_sql(entry)}"
            f" ON CONFLICT (version) DO UPDATE SET {changed}"
            for entry in wanted.entries
            if isinstance(entry, Revision) and entry.version not in known
        ]
        return "; ".join(statements) or "SELECT"


def _revision_of(move: Move, statements: int) -> Revision:
    return Revision(
        move.version,
        move.text or str(move.version),
        description=move.description,
        statements=statements,
        hash=str(move.checksum or ""),
    )


def _by_hand(entry: AppliedRow, moves: Mapping[Version, Move] | None, kind: int) -> Revision:
    """A row that no step has made: without statements."""
    move = (moves or {}).get(entry.version)
    if move is None:
        return Revision(entry.version, entry.text, kind=kind)
    return replace(_revision_of(move, 0), kind=kind)


def _sums(move: Move) -> Sequence[str]:
    return move.statement_sums() if move.statement_sums else ()


def insert_sql(table: str) -> str:
    """All columns, up to the values."""
    return f"INSERT INTO {table} ({', '.join(_COLUMNS)})"


def values_sql(revision: Revision, done: int | None = None) -> str:
    """A complete row; with `done`, one that has only been begun."""
    is_begun = done is not None
    return ", ".join(
        (
            literal(revision.text),
            literal(revision.description),
            str(revision.kind),
            str(revision.statements if done is None else done),
            str(revision.statements),
            "pg_catalog.now()",
            "0" if is_begun or not revision.kind & EXECUTED else _NANOSECONDS,
            "''",
            "''",
            literal(revision.hash),
            "'null'::jsonb",
            literal(_operator()),
        )
    )


def _operator() -> str:
    return f"dbmigrate {__version__}"
