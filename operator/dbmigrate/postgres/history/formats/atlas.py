"""Atlas's history: atlas_schema_revisions, as its command makes it, reads it and writes it.

A row a version, and the version is text in byte order. `applied` of `total` statements are
done: a row where they differ is a file that stopped halfway. Atlas continues it by
`partial_hashes`, and so does `repair`. See cmd/atlas/internal/migrate and
sql/migrate/migrate.go there. Atlas Cloud's own rows in the table are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.session import Row
from dbmigrate.postgres.history.formats.applied_rows import AppliedRow, UnfinishedStep
from dbmigrate.postgres.history.formats.atlas_revisions import (
    PREFIX,
    RESOLVED,
    PartialRevision,
    Revision,
    Revisions,
    insert_sql,
    values_sql,
)
from dbmigrate.postgres.history.relations import History
from dbmigrate.postgres.sqltext.quoting import literal
from dbmigrate.report import Reason
from dbmigrate.versions import Version, lexical

EXECUTE_LOCK = 2686470616
"""FNV-1 of `atlas_migrate_execute`: one for all tables of a database."""
CLOUD_ROW = ".atlas_cloud_identifier"

_SHAPE = MappingProxyType(
    {
        "version": "character varying",
        "description": "character varying",
        "type": "bigint",
        "applied": "bigint",
        "total": "bigint",
        "hash": "character varying",
        "partial_hashes": "jsonb",
    }
)


class AtlasTable:
    """atlas_schema_revisions."""

    tool = "Atlas"
    columns = "version varchar, type, applied, total and hash"
    types = _SHAPE
    may_have_others = True
    stores_dirty = True
    records_failures = True
    has_baselines = False
    undoes_last_applied = False
    requires_down = True
    validates_files = False
    real_rows = f"version <> {literal(CLOUD_ROW)}"

    @property
    def nothing(self) -> Revisions:
        """No row."""
        return Revisions(self)

    def lock_ids(self, schema: str, table: str) -> tuple[int, ...]:
        """One for all tables."""
        del schema, table
        return (EXECUTE_LOCK,)

    def fits(self, shape: Mapping[str, str]) -> bool:
        """By the columns that say what is applied."""
        return self.types.items() <= shape.items()

    def create_sql(self, table: str) -> str:
        """Atlas's own columns."""
        return (
            f"CREATE TABLE IF NOT EXISTS {table} ("
            '"version" character varying NOT NULL, "description" character varying NOT NULL,'
            ' "type" bigint NOT NULL DEFAULT 2, "applied" bigint NOT NULL DEFAULT 0,'
            ' "total" bigint NOT NULL DEFAULT 0, "executed_at" timestamptz NOT NULL,'
            ' "execution_time" bigint NOT NULL, "error" text NULL, "error_stmt" text NULL,'
            ' "hash" character varying NOT NULL, "partial_hashes" jsonb NULL,'
            ' "operator_version" character varying NOT NULL, PRIMARY KEY ("version"))'
        )

    def read_sql(self, history: History) -> str:
        """All rows, in Atlas's order."""
        return (
            "SELECT version, description, type, applied, total, hash,"
            " pg_catalog.to_char(executed_at AT TIME ZONE 'UTC',"
            ' \'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\'), partial_hashes,'
            " COALESCE(error, '') <> ''"
            f" FROM {history.version_table} WHERE {self.real_rows}"
            ' ORDER BY version COLLATE "C"'
        )

    def read_all_sql(self, table: str) -> str:
        """The rows as Atlas shows them, in its order: what `read_sql` leaves out as well."""
        return (
            "SELECT version, description, type, applied, total,"
            " pg_catalog.to_char(executed_at AT TIME ZONE 'UTC',"
            ' \'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"\'), execution_time,'
            " COALESCE(error, ''), COALESCE(error_stmt, ''), operator_version"
            f' FROM {table} WHERE {self.real_rows} ORDER BY version COLLATE "C"'
        )

    def take(self, tables: list[list[Row]], history: History) -> Revisions:
        """The answers to that. Raises MigrationError (ForeignHistory) for an invalid version."""
        found: list[Revision] = []
        partial: PartialRevision | None = None
        rows = tables.pop(0)
        for index, row in enumerate(rows):
            revision = _read(row, history)
            done = int(row[3] or 0)
            is_last = index == len(rows) - 1
            # Atlas looks at the last row alone; what a person has resolved counts as done.
            if is_last and done != revision.statements and not revision.kind & RESOLVED:
                sums = tuple(each.removeprefix(PREFIX) for each in json.loads(row[7] or "[]") or ())
                partial = PartialRevision(
                    revision.version, revision, done, sums, has_failed=row[8] == "t"
                )
            else:
                found.append(revision)
        unfinished = UnfinishedStep(partial.version, is_up=True) if partial else None
        return Revisions(self, tuple(found), unfinished, partial)

    def wait_sql(self, table: str, wanted: Version) -> str:
        """The highest version, whether it is complete, and whether the wanted one is reached."""
        done = f"(applied = total OR type & {RESOLVED} <> 0)"
        here = literal(str(wanted))
        return (
            f'SELECT pg_catalog.max(version COLLATE "C"),'
            f" COALESCE(pg_catalog.bool_or(NOT {done}), false),"
            f" COALESCE(pg_catalog.bool_or(version = {here} AND {done})"
            f' OR pg_catalog.min(version COLLATE "C") > {here}, false)'
            f" FROM {table} WHERE {self.real_rows}"
        )

    def insert_sql(self, table: str) -> str:
        """All columns, up to the values."""
        return insert_sql(table)

    def values(self, entry: AppliedRow) -> str:
        """Those of a complete row."""
        return values_sql(
            entry if isinstance(entry, Revision) else Revision(entry.version, entry.text)
        )

    def is_version(self, texts: list[str]) -> str:
        """By text."""
        return f"version IN ({', '.join(literal(text) for text in texts)})"


def _read(row: Row, history: History) -> Revision:
    text = row[0] or ""
    try:
        version = lexical(text)
    except ValueError:
        raise MigrationError(
            Reason.FOREIGN_HISTORY,
            f"{history.schema}.{history.table} holds {text!r}, which is no version of Atlas's",
        ) from None
    return Revision(
        version,
        text,
        applied_at=row[6],
        description=row[1] or "",
        kind=int(row[2] or 0),
        statements=int(row[4] or 0),
        hash=row[5] or "",
    )
