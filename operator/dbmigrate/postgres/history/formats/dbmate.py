"""dbmate's history: schema_migrations with the applied versions as text, and nothing else.

There is no time and no order of application: `down` undoes the highest version,
as dbmate's does. dbmate takes no lock. See pkg/driver/postgres/postgres.go there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.session import Row
from dbmigrate.postgres.history.formats.applied_rows import (
    AppliedRow,
    VersionSet,
    unfinished_sql,
    with_unfinished,
)
from dbmigrate.postgres.history.relations import History
from dbmigrate.postgres.sqltext.quoting import literal, number_sql
from dbmigrate.report import Reason
from dbmigrate.versions import Version

_NUMBER = re.compile("[0-9]{1,25}", re.ASCII)

MIGRATION_LOCK = 48372615
"""As seen in pg_locks while its 2.37.0 migrates."""


class DbmateTable:
    """schema_migrations (version varchar), and how its rows are written."""

    tool = "dbmate"
    columns = "version varchar alone"
    types = MappingProxyType({"version": "character varying"})
    may_have_others = False
    stores_dirty = False
    records_failures = False
    has_baselines = False
    requires_down = False
    validates_files = False
    undoes_last_applied = False
    real_rows = "true"

    @property
    def nothing(self) -> VersionSet:
        """No row."""
        return VersionSet(self)

    def lock_ids(self, schema: str, table: str) -> tuple[int, ...]:
        """The one that dbmate takes with --migration-lock, for all tables of a database."""
        del schema, table
        return (MIGRATION_LOCK,)

    def fits(self, shape: Mapping[str, str]) -> bool:
        """Rails' table has the same columns and content."""
        return shape == self.types

    def create_sql(self, table: str) -> str:
        """dbmate's text."""
        return f"CREATE TABLE IF NOT EXISTS {table} (version varchar primary key)"

    def read_sql(self, history: History) -> str:
        """All rows, and what the log knows."""
        rows = f"SELECT version FROM {history.version_table}"
        return f"{rows}; {unfinished_sql(history)}" if history.knows_log else rows

    def take(self, tables: list[list[Row]], history: History) -> VersionSet:
        """The answers to that. Raises MigrationError (ForeignHistory) for what is no number."""
        entries: dict[Version, AppliedRow] = {}
        for (version,) in tables.pop(0):
            text = version or ""
            if _NUMBER.fullmatch(text) is None or int(text) in entries:
                raise MigrationError(
                    Reason.FOREIGN_HISTORY,
                    f"{history.schema}.{history.table} holds the version {text!r},"
                    " which is no number or is there twice: dbmate's are numbers",
                )
            entries[int(text)] = AppliedRow(int(text), text)
        found = VersionSet(self, tuple(entries[version] for version in sorted(entries)))
        return with_unfinished(found, tables.pop(0), history) if history.knows_log else found

    def wait_sql(self, table: str, wanted: Version) -> str:
        """The highest version, and whether the wanted one is applied."""
        number = number_sql("version")
        return (
            f"SELECT pg_catalog.max({number})::bigint, false,"
            f" COALESCE(pg_catalog.bool_or({number} = {wanted}), false) FROM {table}"
        )

    def insert_sql(self, table: str) -> str:
        """dbmate's statement, up to the values."""
        return f"INSERT INTO {table} (version)"

    def values(self, entry: AppliedRow) -> str:
        """The version as the file's name writes it, zeros included."""
        return literal(entry.text)

    def is_version(self, texts: list[str]) -> str:
        """By text."""
        return f"version IN ({', '.join(literal(text) for text in texts)})"
