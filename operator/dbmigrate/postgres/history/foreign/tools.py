"""The tables in which other migration tools keep their histories, recognised by their columns.

On a database that another tool has migrated, a new history would begin at its first file and
run every migration again. The tables are found in the catalog; none of them is read.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.postgres.connection.search_path import CURRENT_SCHEMA, KEEP_SCHEMA
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import ATLAS_SCHEMA, HistoryKind
from dbmigrate.postgres.history.orm_history import RAILS_METADATA, Orm, way_to_adopt
from dbmigrate.postgres.history.relations import History, log_name
from dbmigrate.postgres.sqltext.quoting import literal


@dataclass(frozen=True, slots=True)
class ToolTable:
    """The table of one tool."""

    tool: str
    name: str
    columns: frozenset[str]
    """Columns that every version of the tool has."""
    schema: str | None = None
    """Where the tool puts it; None: where the search path leads."""
    adopt: str | None = None
    """The word of `adopt -from`, for a tool whose files dbmigrate does not read."""
    kind: HistoryKind | None = None
    """The format, for a tool whose files dbmigrate reads."""
    is_exact: bool = False
    """Whether it has these columns and no others, for a tool whose columns are those of many."""


@dataclass(frozen=True, slots=True)
class OtherHistory:
    """A table that exists, and whose it is."""

    table: ToolTable
    place: str
    """Its schema and name."""

    @property
    def schema(self) -> str:
        """Its schema."""
        return self.place.partition(".")[0]

    @property
    def remedy(self) -> str:
        """How to continue from it, as the beginning of a sentence."""
        if self.table.kind is not None:
            return f"continue with {self.table.tool}'s files (-format {self.table.kind})"
        if self.table.adopt is not None:
            return way_to_adopt(Orm(self.table.adopt))
        return "`dbmigrate baseline V` with the version whose schema the database has"

    @property
    def way_to_wait(self) -> str:
        """How `wait` looks at it."""
        if self.table.kind is not None:
            return f"-format {self.table.kind} waits for its versions"
        if self.table.adopt is not None:
            return f"-history {self.table.adopt} waits for its migrations"
        return "`dbmigrate wait` does not read it"


def _table(tool: str, name: str, columns: str, **more: str | bool | HistoryKind) -> ToolTable:
    return ToolTable(tool, name, frozenset(columns.split()), **more)  # type: ignore[arg-type]


TOOL_TABLES = (
    _table("golang-migrate", "schema_migrations", "version dirty", kind=HistoryKind.GOLANG_MIGRATE),
    _table("dbmate", "schema_migrations", "version", kind=HistoryKind.DBMATE, is_exact=True),
    _table("goose", "goose_db_version", "version_id is_applied tstamp", kind=HistoryKind.GOOSE),
    _table(
        "Flyway",
        "flyway_schema_history",
        "installed_rank version checksum success",
        kind=HistoryKind.FLYWAY,
    ),
    _table("Flyway 4", "schema_version", "installed_rank version checksum success"),
    _table("Atlas", "atlas_schema_revisions", "version applied total hash", kind=HistoryKind.ATLAS),
    _table(
        "Atlas",
        "atlas_schema_revisions",
        "version applied total hash",
        schema="atlas_schema_revisions",
        kind=HistoryKind.ATLAS,
    ),
    _table("Alembic", "alembic_version", "version_num", adopt="alembic"),
    _table("Django", "django_migrations", "app name applied", adopt="django"),
    _table("Prisma", "_prisma_migrations", "migration_name checksum finished_at", adopt="prisma"),
    _table("Rails", RAILS_METADATA, "key value created_at", adopt="rails"),
    _table("Ecto", "schema_migrations", "version inserted_at"),
    _table("sqlx", "_sqlx_migrations", "version description checksum success"),
    _table("Diesel", "__diesel_schema_migrations", "version run_on"),
    _table("SeaORM", "seaql_migrations", "version applied_at"),
    _table("Refinery", "refinery_schema_history", "version applied_on checksum"),
    _table("Liquibase", "databasechangelog", "id author filename md5sum"),
    _table("tern", "schema_version", "version"),
    _table("sql-migrate", "gorp_migrations", "id applied_at"),
    _table("Knex", "knex_migrations", "name batch migration_time"),
    _table("Sequelize", "SequelizeMeta", "name"),
    _table("TypeORM", "migrations", "id timestamp name"),
    _table("Laravel", "migrations", "id migration batch"),
    _table("MikroORM", "mikro_orm_migrations", "name executed_at"),
    _table("node-pg-migrate", "pgmigrations", "name run_on"),
    _table("Drizzle", "__drizzle_migrations", "id hash created_at", schema="drizzle"),
    _table("Entity Framework", "__EFMigrationsHistory", "MigrationId ProductVersion"),
    _table("Phinx", "phinxlog", "version migration_name start_time"),
    _table("yoyo", "_yoyo_migration", "migration_hash migration_id"),
    _table("graphile-migrate", "migrations", "hash filename", schema="graphile_migrate"),
    _table("Supabase", "schema_migrations", "version statements", schema="supabase_migrations"),
    _table("Sqitch", "changes", "change_id change project", schema="sqitch"),
    _table("pgroll", "migrations", "schema name migration", schema="pgroll"),
)
"""Rails' own table has dbmate's columns and golang-migrate's name: where ar_internal_metadata is
beside it, it is Rails'. The columns of the table that is to hold the version are checked in
tables.py."""


def find_other_histories(
    session: Session, history: History, *, but: Orm | None = None, counts_ours: bool = False
) -> tuple[OtherHistory, ...]:
    """The tables of other tools in the history's schema and in the tools' own schemas; for Atlas's
    own schema, where the search path leads as well.

    One round trip. The history's own table does not count, and neither does a table with a log of
    dbmigrate's, which says whether anything is applied (lost_history.py in the runner), unless
    `counts_ours`. `but` is the ORM whose table the history is, where it is one's.
    """
    logs = {log_name(each.name) for each in TOOL_TABLES if each.kind is not None}
    names = sorted({each.name for each in TOOL_TABLES} | logs)
    schemas = sorted({history.schema, *(each.schema for each in TOOL_TABLES if each.schema)})
    home = CURRENT_SCHEMA if history.schema == ATLAS_SCHEMA else literal(history.schema)
    *_, rows = session.query(
        "SELECT n.nspname, c.relname, pg_catalog.array_to_json(ARRAY("
        "SELECT a.attname FROM pg_catalog.pg_attribute a"
        " WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)),"
        f" n.nspname IN ({literal(history.schema)}, {home})"
        " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname IN ({home}, {', '.join(map(literal, schemas))})"
        " AND c.relkind IN ('r', 'p')"
        f" AND c.relname IN ({', '.join(map(literal, names))}) ORDER BY 1, 2",
        before=KEEP_SCHEMA,
    )
    import json

    shapes = [
        _Shape(schema or "", name or "", frozenset(json.loads(columns or "[]")), is_home == "t")
        for schema, name, columns, is_home in rows
    ]
    places = {(each.schema, each.name) for each in shapes}
    found = []
    for shape in shapes:
        place = (shape.schema, shape.name)
        has_log = (shape.schema, log_name(shape.name)) in places
        if place == (history.schema, history.table) or (has_log and not counts_ours):
            continue
        fitting = [
            each
            for each in TOOL_TABLES
            if shape.fits(each)
            and (each.kind is not history.kind if but is None else each.adopt != but)
            and not (each.kind is HistoryKind.DBMATE and (shape.schema, RAILS_METADATA) in places)
        ]
        if fitting:
            best = max(fitting, key=lambda each: len(each.columns))
            found.append(OtherHistory(best, ".".join(place)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Shape:
    """A table that has the name of a tool's."""

    schema: str
    name: str
    columns: frozenset[str]
    is_home: bool
    """Whether it is where tools without a schema of their own put theirs."""

    def fits(self, table: ToolTable) -> bool:
        is_there = self.is_home if table.schema is None else self.schema == table.schema
        if table.is_exact:
            has_columns = table.columns == self.columns
        else:
            has_columns = table.columns <= self.columns
        return is_there and has_columns and table.name == self.name
