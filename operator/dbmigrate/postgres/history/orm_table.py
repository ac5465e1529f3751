"""The table in which an ORM keeps its history, recognised by its columns, not its name.

The columns are checked before anything is read: Rails' table has dbmate's shape and
golang-migrate's name, and differs from dbmate's by the table that Rails has beside it.
The tables are only read.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.search_path import CURRENT_SCHEMA, KEEP_SCHEMA
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import HistoryTable
from dbmigrate.postgres.history.inspection import inspect, require_safe, require_table
from dbmigrate.postgres.history.orm_history import (
    RAILS_METADATA,
    Orm,
    OrmHistory,
    read_history,
)
from dbmigrate.postgres.sqltext.quoting import identifier, literal
from dbmigrate.report import Reason

_COLUMNS: Mapping[Orm, frozenset[str]] = {
    Orm.ALEMBIC: frozenset({"version_num"}),
    Orm.DJANGO: frozenset({"id", "app", "name", "applied"}),
    Orm.RAILS: frozenset({"version"}),
    Orm.PRISMA: frozenset(
        "id checksum finished_at migration_name logs rolled_back_at started_at"
        " applied_steps_count".split()
    ),
}
_QUERIES: Mapping[Orm, str] = {
    Orm.ALEMBIC: "SELECT version_num FROM {table}",
    Orm.DJANGO: "SELECT app, count(*), (array_agg(name ORDER BY applied DESC, id DESC))[1]"
    " FROM {table} GROUP BY app ORDER BY app",
    Orm.RAILS: "SELECT version FROM {table}",
    Orm.PRISMA: "SELECT migration_name, checksum, finished_at IS NOT NULL,"
    " rolled_back_at IS NOT NULL FROM {table} ORDER BY started_at, id",
}
_APPLIED: Mapping[Orm, str] = {
    Orm.ALEMBIC: "version_num = {whole}",
    Orm.DJANGO: "name = {name} AND ({app} = '' OR app = {app})",
    Orm.RAILS: "version = {whole}",
    Orm.PRISMA: "migration_name = {whole} AND finished_at IS NOT NULL AND rolled_back_at IS NULL",
}
"""The condition for one migration: Alembic's is a head, Django's is `name` or `app.name`."""
_PRISMA_LOCK = 72707369
"""Of its schema engine (sql-schema-connector, flavour/postgres)."""
_RAILS_SALT = 2053462845
"""ActiveRecord::Migrator::MIGRATOR_SALT; times the CRC-32 of the database's name."""


def orm_of(columns: frozenset[str] | set[str]) -> Orm | None:
    """The tool whose table has these columns; Rails' are dbmate's as well, so not decided here."""
    return next((o for o in Orm if o is not Orm.RAILS and columns == _COLUMNS[o]), None)


@dataclass(frozen=True, slots=True)
class OrmTable:
    """An existing table of an ORM, and what belongs to it."""

    orm: Orm
    schema: str
    name: str
    environment: str | None = None
    """The table that Rails has beside it."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of all tables that are the tool's."""
        return (self.name, self.environment) if self.environment else (self.name,)

    def read(self, session: Session) -> OrmHistory:
        """Its present content. Raises MigrationError as `read_history`, and ServerFailure."""
        (rows,) = session.query(_QUERIES[self.orm].format(table=self._sql(self.name)))
        environment = None
        if self.environment is not None:
            (found,) = session.query(
                f"SELECT value FROM {self._sql(self.environment)} WHERE key = 'environment'"
            )
            environment = found[0][0] if found else None
        return read_history(self.orm, f"{self.schema}.{self.name}", rows, environment)

    def has_applied(self, session: Session, migration: str) -> bool:
        """Whether it holds that migration, named as in `_APPLIED`. Raises ServerFailure."""
        app, _, name = migration.rpartition(".")
        condition = _APPLIED[self.orm].format(
            whole=literal(migration), app=literal(app), name=literal(name)
        )
        (rows,) = session.query(f"SELECT 1 FROM {self._sql(self.name)} WHERE {condition} LIMIT 1")
        return bool(rows)

    def lock_ids(self, database: str) -> tuple[int, ...]:
        """The advisory locks that the tool takes while it migrates, if any."""
        if self.orm is Orm.PRISMA:
            return (_PRISMA_LOCK,)
        if self.orm is Orm.RAILS:
            return (_RAILS_SALT * zlib.crc32(database.encode()),)
        return ()

    def _sql(self, name: str) -> str:
        return f"{identifier(self.schema)}.{identifier(name)}"


class NoOrmTable(MigrationError):
    """The tool's table does not exist."""

    def __init__(self, orm: Orm, schema: str, table: str, hint: str) -> None:
        message = f"there is no {schema}.{table}: {orm.label} has kept no history here"
        super().__init__(Reason.FOREIGN_HISTORY, message, hint=hint)
        self.schema = schema
        self.table = table


def find_table(session: Session, orm: Orm, wanted: HistoryTable) -> OrmTable:
    """The tool's table by that name. Raises NoOrmTable, MigrationError (ForeignHistory) for another
    tool's, and ServerFailure."""
    schema, shapes = _look(session, orm, wanted)
    name = f"{schema}.{wanted.name}"
    shape = shapes.get(wanted.name)
    if shape is None:
        raise NoOrmTable(orm, schema, wanted.name, _name_others(shapes, orm))
    if frozenset(shape) != _COLUMNS[orm] or (orm is Orm.RAILS and "char" not in shape["version"]):
        columns = ", ".join(f"{column} {kind}" for column, kind in shape.items())
        like = orm_of(set(shape))
        looks = f": it looks like {like.possessive}" if like else ""
        raise MigrationError(
            Reason.FOREIGN_HISTORY,
            f"{name} is not {orm.possessive}: it has {columns}{looks}",
            hint=_name_others(shapes, orm),
        )
    if orm is not Orm.RAILS:
        return OrmTable(orm, schema, wanted.name)
    if RAILS_METADATA not in shapes:
        raise MigrationError(
            Reason.FOREIGN_HISTORY,
            f"{name} looks like dbmate's: Rails would have {RAILS_METADATA} beside it",
            hint="-from dbmate, with the files that `dbmigrate convert` wrote; for a Rails older"
            " than 5 `dbmigrate baseline V`",
        )
    return OrmTable(orm, schema, wanted.name, RAILS_METADATA)


def has_rails_metadata(session: Session, schema: str) -> bool:
    """Whether there is the table that Rails has beside its own."""
    name = f"{identifier(schema)}.{identifier(RAILS_METADATA)}"
    ((found,),) = session.query(f"SELECT pg_catalog.to_regclass({literal(name)})")[0]
    return found is not None


def _look(
    session: Session, orm: Orm, wanted: HistoryTable
) -> tuple[str, dict[str, dict[str, str]]]:
    """The schema, and the columns of the tables in it that may be an ORM's."""
    schema = CURRENT_SCHEMA if wanted.schema is None else literal(wanted.schema)
    names = sorted({wanted.name, RAILS_METADATA, *(each.table for each in Orm)})
    _, rows, ((found,),) = session.query(
        "SELECT c.relname, a.attname, pg_catalog.format_type(a.atttypid, NULL)"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_catalog.pg_attribute a"
        "   ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        f" WHERE n.nspname = {schema} AND c.relkind IN ('r', 'p')"
        f" AND c.relname IN ({', '.join(map(literal, names))})"
        f" ORDER BY c.relname, a.attnum; SELECT {schema}",
        before=KEEP_SCHEMA,
    )
    read = (wanted.name, RAILS_METADATA) if orm is Orm.RAILS else (wanted.name,)
    for relation in inspect(session, found or "", read):
        require_table(relation, found or "")
        require_safe(relation, found or "", wanted.owner)
    shapes: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        shapes.setdefault(table or "", {})[column or ""] = kind or ""
    return found or "", shapes


def _name_others(shapes: Mapping[str, Mapping[str, str]], wanted: Orm) -> str:
    """The existing histories, in case the tool or the schema is the wrong one."""
    others = [(name, orm_of(set(shape))) for name, shape in shapes.items()]
    if RAILS_METADATA in shapes:
        others.append((RAILS_METADATA, Orm.RAILS))
    known = [f"{name} is {orm.possessive}" for name, orm in others if orm not in (None, wanted)]
    return "; ".join(known) or "-from-table names a table of another name, or in another schema"
