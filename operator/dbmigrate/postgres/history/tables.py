"""The history's tables: where they are, what shape they have, how they are created.

The first is another tool's, column for column, so that both programs can take turns:
golang-migrate's schema_migrations, or that of the files' format.
dbmate, Rails and Ecto use golang-migrate's name for other shapes: the columns are
checked before anything is read or written. The second table, with `_log` behind the
first one's name, is dbmigrate's; so is a third, `_batches`, which exists only where
a step has run in batches (dbmigrate.postgres.batches.state).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.search_path import CURRENT_SCHEMA, KEEP_SESSION, OWN_PATH
from dbmigrate.postgres.connection.session import Row, Session
from dbmigrate.postgres.connection.target import HistoryKind, HistoryTable
from dbmigrate.postgres.history.adapter import VersionTable
from dbmigrate.postgres.history.formats.registry import adapter_for
from dbmigrate.postgres.history.inspection import (
    DEFAULT,
    IS_PLAIN,
    PARTS,
    inspect,
    is_harmless,
    require_safe,
    require_table,
)
from dbmigrate.postgres.history.log_shape import (
    COLUMNS,
    SHAPE,
    LogColumn,
    LogShape,
    no_rows_sql,
    shape_of,
    upgrade_sql,
)
from dbmigrate.postgres.history.log_shape import create_sql as create_log_sql
from dbmigrate.postgres.history.relations import History, batches_name, log_name
from dbmigrate.postgres.sqltext.quoting import identifier, literal
from dbmigrate.report import Reason

if TYPE_CHECKING:
    from dbmigrate.postgres.history.orm_history import Orm

_NEW_LOG = LogShape(SHAPE, frozenset(COLUMNS))
"""A log that was made just now: what makes it complete is the same that brings one forward."""

_TEMPORARY = "pg_temp_"
"""Begins the name of each session's temporary schema."""
_SHAPES = {
    frozenset({"version", "inserted_at"}): "Ecto",
    frozenset({"version"}): "dbmate or Rails before 5",
}
_OWN_NAME = "dbmigrate_migrations"
"""What a hint calls a history table of our own."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What one query on a new connection returns."""

    server_version: int
    """As server_version_num: 180006."""
    database: str
    pid: int
    """The backend's, by its own word."""
    is_standby: bool
    looks_after_clients: bool
    """Whether it can be told to notice a client that is gone while it works for it."""
    search_path: str
    """The session's own, as it was asked for or as the role and the database have it."""
    role: str
    """That the session acts as; `none`: the one that logged in."""
    history: History


def look(session: Session, wanted: HistoryTable) -> ServerFacts:
    """Ask a new connection for all that a run needs to know first, in one round trip.

    Raises MigrationError: ForeignHistory when the table is another tool's,
    DatabaseMissing when there is no schema to look in.
    """
    schema_sql = CURRENT_SCHEMA if wanted.schema is None else literal(wanted.schema)
    _, columns, (row,) = session.query(
        f"{tables_sql(schema_sql, wanted.name)}; {_facts_sql(schema_sql)}", before=KEEP_SESSION
    )
    number, database, schema, pid, is_standby, looks_after_clients, path, role = row
    if schema is None and (wanted.schema is None or not wanted.kind.makes_schema):
        raise _no_schema(wanted)
    if wanted.schema is None and (schema or "").startswith(_TEMPORARY):
        raise MigrationError(
            Reason.DATABASE_MISSING,
            "the search path begins with pg_temp: a history there would be gone with the session",
            hint="name pg_temp behind the application's schema, or not at all: it is searched"
            " first by itself; or name the table with its schema, with -history-table",
        )
    history = read_tables(session, columns, schema or wanted.schema or "", wanted)
    if (wanted.schema is None or wanted.is_by_search_path) and not history.has_version_table:
        _refuse_another(session, wanted)
    return ServerFacts(
        server_version=int(number or 0),
        database=database or "",
        pid=int(pid or 0),
        is_standby=is_standby == "t",
        looks_after_clients=looks_after_clients == "t",
        search_path=path or "",
        role=role or "",
        history=replace(history, has_schema=schema is not None),
    )


def _refuse_another(session: Session, wanted: HistoryTable) -> None:
    """Atlas would not know which of the two is meant either."""
    other = wanted.kind.default_schema
    if other is None or other == wanted.schema:
        return
    name = f"{identifier(other)}.{identifier(wanted.name)}"
    ((found,),) = session.query(f"SELECT pg_catalog.to_regclass({literal(name)})")[0]
    if found is not None:
        raise MigrationError(
            Reason.FOREIGN_HISTORY,
            f"ambiguous revision table: the search path of the URL leads to no table, but there is"
            f" {other}.{wanted.name}",
            hint=f"name the one that is meant: -history-table {other}.{wanted.name}, or another"
            " schema; or leave search_path out of the URL",
        )


def tables_sql(schema: str, table: str) -> str:
    """The query that `read_tables` wants the answer of. `schema` is SQL."""
    names = (table, log_name(table), batches_name(table))
    is_log = f"c.relname = {literal(log_name(table))}"
    return (
        "SELECT c.relname, a.attname, pg_catalog.format_type(a.atttypid, NULL),"
        f" pg_catalog.has_table_privilege(c.oid, 'SELECT'), c.oid, {IS_PLAIN}, {DEFAULT},"
        f" {PARTS}, a.attnum, a.attnotnull AND NOT a.atthasdef AND a.attidentity = '',"
        f" CASE WHEN {is_log} THEN pg_catalog.pg_has_role(c.relowner, 'USAGE') END,"
        f" CASE WHEN {is_log} THEN pg_catalog.obj_description(c.oid, 'pg_class') END,"
        f" CASE WHEN {is_log} THEN (SELECT pg_catalog.string_agg(i.indkey::text, ',')"
        " FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisvalid) END,"
        f" CASE WHEN {is_log} THEN pg_catalog.col_description(c.oid, 1) END,"
        f" CASE WHEN {is_log} THEN (SELECT pg_catalog.col_description(c.oid, o.attnum)"
        " FROM pg_catalog.pg_attribute o"
        " WHERE o.attrelid = c.oid AND o.attname = 'executed_by') END"
        " FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " LEFT JOIN pg_catalog.pg_attribute a"
        "   ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        f" WHERE n.nspname = {schema} AND c.relname IN ({', '.join(map(literal, names))})"
    )


def _facts_sql(schema: str) -> str:
    return (
        "SELECT pg_catalog.current_setting('server_version_num'), pg_catalog.current_database(),"
        f" (SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname = {schema}),"
        " pg_catalog.pg_backend_pid(), pg_catalog.pg_is_in_recovery(),"
        # Since PostgreSQL 14, not on every system; NULL before, and not 0 where it has been
        # set already.
        " pg_catalog.version() LIKE '%linux%'"
        " AND pg_catalog.current_setting('client_connection_check_interval', true) = '0',"
        f" {OWN_PATH}, pg_catalog.current_setting('role')"
    )


def read_tables(
    session: Session, rows: Iterable[Row], schema: str, wanted: HistoryTable
) -> History:
    """Where the history is. Anything but a plain table of this role is inspected.

    Raises MigrationError (ForeignHistory).
    """
    table = wanted.name
    shapes: dict[str, dict[str, str]] = {}
    readable, doubtful, with_default = set(), set(), set()
    oids: dict[str, int] = {}
    log, batches = log_name(table), batches_name(table)
    log_columns: list[LogColumn] = []
    log_facts: tuple[str | None, ...] = (None,) * 5
    parts: list[int] = []
    for relname, column, column_type, may_read, oid, is_plain, default, has, *more in rows:
        name = relname or ""
        parts += map(int, has.split(",") if has else ())
        oids[name] = int(oid or 0)
        if may_read == "t":
            readable.add(name)
        if is_plain != "t" or not is_harmless(default):
            doubtful.add(name)
        shape = shapes.setdefault(name, {})
        if column is not None and name == table and default is not None:
            with_default.add(column)
        if column is not None:
            shape[column] = column_type or ""
            if name == log:
                number, must_be_filled, *facts = more
                described = LogColumn(
                    column, column_type or "", must_be_filled == "t", number or ""
                )
                log_columns.append(described)
                log_facts = tuple(facts) if facts[0] is not None else log_facts
    relations = inspect(session, schema, doubtful)
    for relation in relations:
        require_table(relation, schema)
    if table in shapes:
        place, adapter = (schema, table), adapter_for(wanted.kind)
        _check_versions(session, shapes[table], place, adapter, with_default)
    for relation in relations:
        require_safe(relation, schema, wanted.owner)
    history = History(
        schema,
        table,
        has_version_table=table in shapes,
        has_log_table=log in shapes,
        may_read_log=log in readable,
        has_batches_table=batches in shapes,
        may_read_batches=batches in readable,
        kind=wanted.kind,
        oids=tuple(oids.items()),
        parts=tuple(sorted(set(parts))),
    )
    if log not in shapes:
        return history
    found = _log_shape(f"{schema}.{log}", log_columns, log_facts, history.version_type)
    return replace(history, log_shape=found)


def _log_shape(
    name: str, columns: list[LogColumn], facts: tuple[str | None, ...], version_type: str
) -> LogShape:
    may_alter, comment, keys, id_comment, owner_comment = facts
    return shape_of(
        name,
        columns,
        version_type=version_type,
        comment=comment,
        index_keys=(keys or "").split(","),
        may_alter=may_alter == "t",
        id_comment=id_comment,
        owner_comment=owner_comment,
    )


def _check_versions(
    session: Session,
    shape: dict[str, str],
    place: tuple[str, str],
    adapter: VersionTable,
    with_default: Collection[str],
) -> None:
    if adapter.fits(shape):
        return
    name = ".".join(place)
    if set(shape) == {"version"} and shape["version"] in ("integer", "bigint"):
        raise MigrationError(
            Reason.FOREIGN_HISTORY,
            f"{name} belongs to golang-migrate's first version: it has no column dirty",
            hint=f"bring it up to date: ALTER TABLE {name} ALTER version TYPE bigint,"
            " ADD dirty boolean NOT NULL DEFAULT false; it may hold one row alone, the newest",
        )
    from dbmigrate.postgres.history.changed_columns import changed_columns

    orm = _find_orm(session, shape, place[0])
    changed = changed_columns(adapter, shape, place, with_default) if orm is None else None
    if changed is not None:
        raise changed
    tool = orm.label if orm is not None else _owner(shape)
    columns = ", ".join(f"{column} {kind}" for column, kind in shape.items()) or "no columns"
    raise MigrationError(
        Reason.FOREIGN_HISTORY,
        f"{name} belongs to {tool}: it has {columns}, not {adapter.columns}",
        hint=f"{_to_go_on(tool, orm)}give dbmigrate a history table of its own (x-migrations-table"
        " in the URL, or -history-table), then `dbmigrate baseline V`",
    )


def _find_orm(session: Session, shape: dict[str, str], schema: str) -> Orm | None:
    """The ORM whose table this is; Rails' differs from dbmate's by the one beside it."""
    from dbmigrate.postgres.history.orm_history import Orm
    from dbmigrate.postgres.history.orm_table import has_rails_metadata, orm_of

    if set(shape) == {"version"}:
        return Orm.RAILS if has_rails_metadata(session, schema) else None
    return orm_of(set(shape))


def _owner(shape: dict[str, str]) -> str:
    adapters = map(adapter_for, HistoryKind)
    fitting = next((adapter.tool for adapter in adapters if adapter.fits(shape)), None)
    return _SHAPES.get(frozenset(shape)) or fitting or "another tool"


def _to_go_on(tool: str, orm: Orm | None) -> str:
    """The hint where the history is of a known kind."""
    if orm is not None:
        from dbmigrate.postgres.history.orm_history import way_to_adopt

        return (
            f"{way_to_adopt(orm, _OWN_NAME)}; `dbmigrate wait -history {orm}` waits for its"
            " migrations; or "
        )
    kind = next((kind for kind in HistoryKind if tool.lower().startswith(kind)), None)
    return f"go on with that tool's files and -format {kind}, or " if kind else ""


def _no_schema(wanted: HistoryTable) -> MigrationError:
    if wanted.schema is None:
        message = "no schema: the search path names no schema that exists"
    else:
        message = f'schema "{wanted.schema}" does not exist, and the history should be in it'
    return MigrationError(
        Reason.DATABASE_MISSING, message, hint="create the schema first: dbmigrate does not"
    )


def create_sql(history: History) -> str:
    """Create what does not exist yet; the tool's own text for its table."""
    statements = []
    if not history.has_schema:
        statements.append(f"CREATE SCHEMA IF NOT EXISTS {identifier(history.schema)}")
    if not history.has_version_table:
        statements.append(adapter_for(history.kind).create_sql(history.version_table))
    if not history.has_log_table:
        statements.append(create_log_sql(history.log_table, history.version_type))
        statements.append(upgrade_sql(history.log_table, _NEW_LOG, history.version_type))
        statements.append(no_rows_sql(history.log_table))
    else:
        behind = history.upgrade_sql
        statements.append(history.guarded_shape(behind) if behind else "")
    return "; ".join(filter(None, statements))
