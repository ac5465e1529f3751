"""The table of results in the catalog database: one row a target, written in batches.

It says what was last found of each target, so that a fleet of any size can be asked about by SQL.
The truth stays each target's own history. The table is looked at as a history is before it is
written to: any role that may create tables there could have put code into it.
"""

from __future__ import annotations

from collections.abc import Sequence

from dbmigrate import __version__
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.connect import connect
from dbmigrate.postgres.connection.errors import (
    ConnectionBroken,
    ServerFailure,
    connection_lost,
    history_failure,
)
from dbmigrate.postgres.connection.search_path import CURRENT_SCHEMA, KEEP_SCHEMA
from dbmigrate.postgres.connection.session import Session, no_answer_within
from dbmigrate.postgres.connection.target import ConnectionTarget, HistoryTable
from dbmigrate.postgres.history.inspection import (
    WRITING,
    guard,
    inspect,
    require_safe,
    require_table,
)
from dbmigrate.postgres.sqltext.quoting import identifier, literal, literal_bool
from dbmigrate.printable import clip
from dbmigrate.report import Reason
from dbmigrate.runner.fleet.verdict import TargetOutcome, TargetVerdict

BATCH = 500
"""Rows that are written at once."""
_ANSWER_SECONDS = 60.0
INVALID_SCHEMA = "3F000"
_MESSAGE_LIMIT = 2000
_COLUMNS = {
    "name": "text PRIMARY KEY",
    "outcome": "text NOT NULL",
    "version": "text",
    "dirty": "boolean",
    "pending": "integer",
    "reason": "text",
    "message": "text",
    "file": "text",
    "line": "integer",
    "milliseconds": "bigint NOT NULL",
    "tool_version": "text NOT NULL",
    "checked_at": "timestamptz NOT NULL",
}


class Results:
    """The table, opened once. Used by one thread at a time."""

    def __init__(self, catalog: ConnectionTarget, table: HistoryTable) -> None:
        """Make the table where it is missing. Raises MigrationError."""
        self._catalog = catalog
        self._wanted = table
        self._session = self._connect()
        try:
            self._name, self._oid = self._prepare()
        except ConnectionBroken as broken:
            raise connection_lost(broken, "looking at the table of results") from None
        except ServerFailure as failure:
            if failure.sqlstate == INVALID_SCHEMA:
                raise MigrationError(
                    Reason.DATABASE_MISSING,
                    f"the schema {table.schema} for the table of results does not exist",
                    hint="create the schema first: dbmigrate does not",
                ) from None
            where = f"can't prepare the table of results {table.name}"
            raise history_failure(failure, where) from None

    def write(self, verdicts: Sequence[TargetVerdict]) -> None:
        """Write the rows of these targets; again over a new connection where this one is gone.

        Raises MigrationError.
        """
        rows = {each.target.name: each for each in verdicts}
        # In the order of names, so that two runs that write the same rows do not wait in a circle.
        sql = self._write_sql([rows[name] for name in sorted(rows)])
        try:
            try:
                self._session.query(sql)
            except ConnectionBroken:
                self._session.close()
                self._session = self._connect()
                self._session.query(sql)
        except ConnectionBroken as broken:
            raise connection_lost(broken, "writing the table of results") from None
        except ServerFailure as failure:
            self._session.roll_back()
            raise history_failure(failure, "can't write the table of results") from None

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()

    def _connect(self) -> Session:
        session = connect(self._catalog, role="results")
        session.on_silence = no_answer_within(_ANSWER_SECONDS)
        return session

    def _prepare(self) -> tuple[str, int]:
        wanted = self._wanted
        schema_sql = CURRENT_SCHEMA if wanted.schema is None else literal(wanted.schema)
        *_, ((schema,),) = self._session.query(f"SELECT {schema_sql}", before=KEEP_SCHEMA)
        if schema is None:
            raise MigrationError(
                Reason.DATABASE_MISSING,
                f"no schema for the table of results {wanted.name}: the search path names none",
                hint="name it: -results schema.table",
            )
        name = f"{identifier(schema)}.{identifier(wanted.name)}"
        columns = ", ".join(f"{column} {kind}" for column, kind in _COLUMNS.items())
        (found,) = self._session.query(f"SELECT pg_catalog.to_regclass({literal(name)})::oid")
        if found[0][0] is None:
            self._create(f"CREATE TABLE IF NOT EXISTS {name} ({columns})")
        for relation in inspect(self._session, schema, (wanted.name,)):
            require_table(relation, schema)
            require_safe(relation, schema, wanted.owner)
        shape, ((oid,),) = self._session.query(
            "SELECT a.attname FROM pg_catalog.pg_attribute a"
            f" WHERE a.attrelid = pg_catalog.to_regclass({literal(name)})"
            " AND a.attnum > 0 AND NOT a.attisdropped;"
            f" SELECT pg_catalog.to_regclass({literal(name)})::oid"
        )
        missing = [column for column in _COLUMNS if (column,) not in shape]
        if missing:
            raise MigrationError(
                Reason.FOREIGN_HISTORY,
                f"{schema}.{wanted.name} is not a table of results:"
                f" it has no column {', '.join(missing)}",
                hint="name another table with -results, or rename that one",
            )
        return name, int(oid or 0)

    def _create(self, sql: str) -> None:
        """Another run may have been quicker: its table is as good."""
        try:
            self._session.query(sql)
        except ServerFailure as failure:
            self._session.roll_back()
            if failure.sqlstate not in ("42P07", "23505"):
                raise

    def _write_sql(self, verdicts: Sequence[TargetVerdict]) -> str:
        values = ", ".join(f"({', '.join(_values(each))})" for each in verdicts)
        updates = ", ".join(f"{column} = excluded.{column}" for column in [*_COLUMNS][1:])
        write = (
            f"INSERT INTO {self._name} ({', '.join(_COLUMNS)}) VALUES {values}"
            f" ON CONFLICT (name) DO UPDATE SET {updates}"
        )
        return "; ".join((*guard(((self._name, self._oid),), WRITING), write))


def _values(verdict: TargetVerdict) -> list[str]:
    error = verdict.error
    outcome = verdict.outcome
    if outcome is TargetOutcome.MIGRATED:
        outcome = TargetOutcome.CURRENT
    return [
        _text(verdict.target.name),
        literal(outcome.value),
        _text(verdict.version),
        "NULL" if verdict.dirty is None else literal_bool(verdict.dirty),
        literal(verdict.pending),
        literal(error.reason.value if error else None),
        _text(clip(error.message, _MESSAGE_LIMIT) if error else None),
        _text(error.file if error else None),
        literal(error.line if error else None),
        literal(verdict.milliseconds),
        literal(__version__),
        "pg_catalog.now()",
    ]


def _text(text: str | None) -> str:
    """As a text that the server can store."""
    if text is None:
        return "NULL"
    return literal(text.replace("\0", "").encode("utf-8", "replace").decode())
