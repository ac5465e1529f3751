"""golang-migrate's history: one row that holds one number, and whether it is dirty.

schema_migrations is golang-migrate's, column for column, so that both programs can take
turns. Only dbmigrate's log says how the number was reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.session import Row
from dbmigrate.postgres.history.adapter import Move, NoProgress, Partial
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.postgres.history.relations import History
from dbmigrate.postgres.sqltext.quoting import literal, literal_bool
from dbmigrate.report import Reason
from dbmigrate.versions import Version


@dataclass(frozen=True, slots=True)
class VersionRow(NoProgress):
    """What schema_migrations holds."""

    stored: Version | None = None
    """The number in the row; None: there is no row."""
    dirty: bool = False

    @property
    def version(self) -> Version | None:
        """The version of the database; golang-migrate's -1 means that nothing is applied."""
        return None if self.stored is None or self.stored < 0 else self.stored

    @property
    def dirty_version(self) -> Version | None:
        """On the way down that is the version below, as with golang-migrate."""
        return self.version if self.dirty else None

    def stepped(self, move: Move) -> VersionRow:
        """The row after a step; an out-of-order one does not move it."""
        is_there = move.after == self.version and not self.dirty
        return self if is_there else VersionRow(move.after)

    def begun(self, move: Move) -> VersionRow:
        """The row during a step that cannot be one transaction."""
        return VersionRow(-1 if move.after is None else move.after, dirty=True)

    def forced(self, version: Version | None, moves: Mapping[Version, Move] | None) -> VersionRow:
        """The row by order of a person; there need not be a file of that version."""
        del moves
        return VersionRow(version)

    def baselined(self, version: Version, moves: Mapping[Version, Move] | None) -> VersionRow:
        """The same row: whatever is below it counts as applied."""
        return self.forced(version, moves)

    def repaired(self, moves: Mapping[Version, Move] | None) -> tuple[VersionRow, tuple[str, ...]]:
        """Nothing to repair."""
        del moves
        return self, ()

    def was_left_by(self, row: LogRow) -> bool:
        """Whether a step of which the log has this row can have left it so."""
        return (-1 if row.to_version is None else row.to_version) == self.stored

    @property
    def partial(self) -> Partial | None:
        """The table does not say."""
        return None

    def move_sql(self, table: str, wanted: VersionRow, guards: tuple[str, ...]) -> tuple[str, str]:
        """The statements before, and the CTE `moved` that has one row if the move was possible."""
        values = f"{literal(wanted.stored)}, {literal_bool(wanted.dirty)}"
        if self.stored is None:
            where = " AND ".join([f"NOT EXISTS (SELECT FROM {table})", *guards])
            change = f"INSERT INTO {table} (version, dirty) SELECT {values} WHERE {where}"
        else:
            dirty = "dirty" if self.dirty else "NOT dirty"
            where = " AND ".join([f"version = {self.stored}", dirty, *guards])
            if wanted.stored is None:
                change = f"DELETE FROM {table} WHERE {where}"
            else:
                change = f"UPDATE {table} SET (version, dirty) = ROW ({values}) WHERE {where}"
        return "", f"moved AS ({change} RETURNING 1)"

    def set_sql(self, table: str, wanted: VersionRow) -> str:
        """Write the row whatever it was, as `force` does."""
        sql = f"DELETE FROM {table}"
        if wanted.stored is None:
            return sql
        values = f"{literal(wanted.stored)}, {literal_bool(wanted.dirty)}"
        return f"{sql}; INSERT INTO {table} (version, dirty) VALUES ({values})"


class GolangMigrateTable:
    """schema_migrations."""

    tool = "golang-migrate"
    columns = "version bigint and dirty boolean"
    types = MappingProxyType({"version": "bigint", "dirty": "boolean"})
    may_have_others = True
    stores_dirty = True
    records_failures = False
    has_baselines = False
    nothing = VersionRow()

    def lock_ids(self, schema: str, table: str) -> tuple[int, ...]:
        """Those of dbmigrate.postgres.history.advisory_locks are golang-migrate's own."""
        del schema, table
        return ()

    def fits(self, shape: Mapping[str, str]) -> bool:
        """Whether a table with these columns is one of golang-migrate's."""
        return self.types.items() <= shape.items()

    def create_sql(self, table: str) -> str:
        """golang-migrate's text."""
        return (
            f"CREATE TABLE IF NOT EXISTS {table}"
            " (version bigint not null primary key, dirty boolean not null)"
        )

    def read_sql(self, history: History) -> str:
        """Two rows at most: with more than one it is not golang-migrate's table any more."""
        return f"SELECT version, dirty FROM {history.version_table} ORDER BY version LIMIT 2"

    def take(self, tables: list[list[Row]], history: History) -> VersionRow:
        """Raises MigrationError (ForeignHistory) for several rows, which contradict each other."""
        rows = tables.pop(0)
        if len(rows) > 1:
            raise MigrationError(
                Reason.FOREIGN_HISTORY,
                f"{history.schema}.{history.table} holds more than one row:"
                " the version is not known",
                hint="keep the row of the version that the database has, and delete the others",
            )
        if not rows:
            return VersionRow()
        return VersionRow(int(rows[0][0] or 0), rows[0][1] == "t")

    def wait_sql(self, table: str, wanted: Version) -> str:
        """Its version, whether it is dirty, whether it is enough; two rows at most, as above."""
        return (
            f"SELECT version::bigint, dirty::boolean, version::bigint >= {wanted}"
            f" FROM {table} ORDER BY 1 LIMIT 2"
        )
