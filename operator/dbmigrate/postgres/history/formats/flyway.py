"""Flyway's history: flyway_schema_history, as Flyway makes it, reads it and writes it.

A row is appended for each step, and its rank is the next number. Flyway's community edition
has no undo, and does not even read a table with rows of its other editions (UNDO_SQL); what
it understands is the row that its `repair` writes for a migration without a file (DELETE):
the version is no longer applied. A down step appends that row here.

`success = false` is Flyway's dirty mark, on which it refuses to continue. A step that cannot
be one transaction has it from its start to its end: on its own new row, or on the way
down on the row that it undoes.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.session import Row
from dbmigrate.postgres.history.formats.applied_rows import (
    AppliedRow,
    UnfinishedStep,
    unfinished_sql,
)
from dbmigrate.postgres.history.formats.flyway_rows import MARKERS, FlywayRow, FlywayRows, shorten
from dbmigrate.postgres.history.relations import History
from dbmigrate.postgres.sqltext.quoting import identifier, literal, literal_bool, number_sql
from dbmigrate.report import Reason
from dbmigrate.versions import Role, TextVersion, Version, dotted, repeatable

_LOCK = int.from_bytes(b"Flyway")
_SHAPE = MappingProxyType(
    {
        "installed_rank": "integer",
        "version": "character varying",
        "script": "character varying",
        "checksum": "integer",
        "success": "boolean",
    }
)
_LONGEST_SCRIPT = 1000
_ELAPSED = (
    "(1000 * pg_catalog.date_part('epoch',"
    " pg_catalog.clock_timestamp() - pg_catalog.now()))::pg_catalog.int4"
)
"""Milliseconds since the transaction began."""


class FlywayTable:
    """flyway_schema_history, and how its rows are written."""

    tool = "Flyway"
    columns = "installed_rank integer, version varchar, checksum integer and success boolean"
    types = _SHAPE
    may_have_others = True
    stores_dirty = True
    records_failures = True
    has_baselines = True
    requires_down = True
    validates_files = True
    undoes_last_applied = False
    real_rows = "true"

    @property
    def nothing(self) -> FlywayRows:
        """No row."""
        return FlywayRows(self)

    def lock_ids(self, schema: str, table: str) -> tuple[int, ...]:
        """Flyway's: its name as a number, and Java's hash of the table's."""
        return (_LOCK + java_hash(f"{identifier(schema)}.{identifier(table)}"),)

    def fits(self, shape: Mapping[str, str]) -> bool:
        """By the columns that matter; old versions of Flyway had others in addition."""
        return self.types.items() <= shape.items()

    def create_sql(self, table: str) -> str:
        """Flyway's text, with its names for key and index."""
        schema, name = _parse(table)
        return (
            f"CREATE TABLE IF NOT EXISTS {table} ("
            '"installed_rank" INT NOT NULL, "version" VARCHAR(50),'
            ' "description" VARCHAR(200) NOT NULL, "type" VARCHAR(20) NOT NULL,'
            ' "script" VARCHAR(1000) NOT NULL, "checksum" INTEGER,'
            ' "installed_by" VARCHAR(100) NOT NULL,'
            ' "installed_on" TIMESTAMP NOT NULL DEFAULT now(),'
            ' "execution_time" INTEGER NOT NULL, "success" BOOLEAN NOT NULL,'
            f' CONSTRAINT {identifier(f"{name}_pk")} PRIMARY KEY ("installed_rank"));'
            f" CREATE INDEX IF NOT EXISTS {identifier(f'{name}_s_idx')}"
            f' ON {identifier(schema)}.{identifier(name)} ("success")'
        )

    def read_sql(self, history: History) -> str:
        """All rows, and what the log knows. The times have no zone: the session's is assumed."""
        rows = (
            "SELECT installed_rank, version, description, type, script, checksum, success,"
            " pg_catalog.to_char(installed_on AT TIME ZONE"
            " pg_catalog.current_setting('TimeZone') AT TIME ZONE 'UTC',"
            ' \'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\'),'
            " (1000 * pg_catalog.date_part('epoch', installed_on))::bigint"
            f" FROM {history.version_table} ORDER BY installed_rank"
        )
        return f"{rows}; {unfinished_sql(history)}" if history.knows_log else rows

    def take(self, tables: list[list[Row]], history: History) -> FlywayRows:
        """The answers to that. Raises MigrationError (ForeignHistory) for an invalid version."""
        try:
            rows = tuple(_read(row) for row in tables.pop(0))
        except ValueError as error:
            raise MigrationError(
                Reason.FOREIGN_HISTORY, f"{history.schema}.{history.table}: {error}"
            ) from None
        newest = tables.pop(0) if history.knows_log else []
        failed = [row for row in rows if row.is_failed]
        if not failed:
            return FlywayRows(self, rows)
        is_down = bool(newest) and newest[0][:2] == (failed[-1].text, "down")
        return FlywayRows(self, rows, UnfinishedStep(failed[-1].version, not is_down))

    def wait_sql(self, table: str, wanted: Version) -> str:
        """The highest version, whether a step has failed, and whether the wanted one is reached.

        The last row of a version counts, and one that begins the history covers all below.
        """
        order = ", ".join(map(str, wanted.order)) if isinstance(wanted, TextVersion) else "0"
        array = f"ARRAY[{order}]::pg_catalog.numeric[]"
        own = f"pg_catalog.array_to_string({_numbers('version')}, '.')"
        trimmed = f"pg_catalog.regexp_replace({own}, '(\\.0+)+$', '')"
        key = _numbers(trimmed)
        newest = (
            f"SELECT DISTINCT ON ({key}) version, type, {key} AS key FROM {table}"
            " WHERE version IS NOT NULL AND success"
            f" ORDER BY {key}, installed_rank DESC"
        )
        gone = "type = 'DELETE' OR type LIKE 'UNDO%'"
        return (
            f"WITH newest AS ({newest}), applied AS (SELECT * FROM newest WHERE NOT ({gone}))"
            " SELECT (SELECT version FROM applied ORDER BY key DESC LIMIT 1),"
            f" EXISTS (SELECT FROM {table} WHERE NOT success),"
            f" EXISTS (SELECT FROM applied WHERE key = {array}"
            f" OR type LIKE '%BASELINE' AND key >= {array})"
        )

    def insert_sql(self, table: str) -> str:
        """Flyway's statement, up to the values."""
        return (
            f"INSERT INTO {table} (installed_rank, version, description, type, script, checksum,"
            " installed_by, execution_time, success)"
        )

    def values(self, entry: AppliedRow) -> str:
        """Those of any row. A step that runs in the same transaction began when that did."""
        row = entry if isinstance(entry, FlywayRow) else FlywayRow(entry.version, entry.text)
        version = None if row.role is Role.REPEATABLE else row.text
        elapsed = _ELAPSED if row.is_step else "0"
        return (
            f"{row.rank}, {literal(version)}, {literal(shorten(row.description))},"
            f" {literal(row.kind)}, {literal(_cut(row.path))}, {literal(row.checksum)},"
            f" CURRENT_USER, {elapsed}, {literal_bool(not row.is_failed)}"
        )

    def is_version(self, texts: list[str]) -> str:
        """By text."""
        return f"version IN ({', '.join(literal(text) for text in texts)})"


def _numbers(text: str) -> str:
    """The parts of a version, as numbers."""
    parts = f"pg_catalog.unnest(pg_catalog.string_to_array({text}, '.'))"
    return f"ARRAY(SELECT {number_sql('part')} FROM {parts} part)"


def java_hash(text: str) -> int:
    """Java's String.hashCode."""
    value = 0
    data = text.encode("utf-16-be", "surrogatepass")
    for high, low in zip(data[::2], data[1::2], strict=True):
        value = (31 * value + (high << 8 | low)) & 0xFFFFFFFF
    return value - (1 << 32) if value >= 1 << 31 else value


def _read(row: Row) -> FlywayRow:
    rank, text, description, kind, script, checksum, success, applied_at, clock = row
    kind = kind or ""
    is_repeatable = text is None
    # The row that records the creation of the schema is no step, and neither is a marker.
    role = Role.CHECKPOINT if kind.endswith("BASELINE") else Role.VERSIONED
    return FlywayRow(
        repeatable(description or "") if text is None else dotted(text),
        text or "R",
        is_applied=kind not in MARKERS and not kind.startswith("UNDO") and success == "t",
        applied_at=applied_at,
        clock_ms=None if clock is None else int(clock),
        role=Role.REPEATABLE if is_repeatable else role,
        description=description or "",
        path=script or "",
        checksum=None if checksum is None else int(checksum),
        rank=int(rank or 0),
        kind=kind,
        is_failed=success != "t",
    )


def _parse(table: str) -> tuple[str, str]:
    """Both names of a table as it is quoted in SQL."""
    schema, name = table[1:-1].split('"."', 1)
    return schema.replace('""', '"'), name.replace('""', '"')


def _cut(script: str) -> str:
    return script if len(script) <= _LONGEST_SCRIPT else f"...{script[3:_LONGEST_SCRIPT]}"
