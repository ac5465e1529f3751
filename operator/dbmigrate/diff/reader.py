"""Reads a schema from a live database, in one round trip."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress

from dbmigrate.diff.loading import Loader
from dbmigrate.diff.objects import Grant
from dbmigrate.diff.queries import database, links, others, parts, relations, routines, types
from dbmigrate.diff.renames import Rename, rename_statements
from dbmigrate.diff.schema import OWNER, Schema, Ways
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import ConnectionBroken, ServerFailure
from dbmigrate.postgres.connection.search_path import READS_CATALOGS
from dbmigrate.postgres.connection.session import Row, Session
from dbmigrate.postgres.connection.target import HistoryTable
from dbmigrate.postgres.history.relations import own_relations
from dbmigrate.postgres.schema.catalog import ObjectName
from dbmigrate.postgres.sqltext.quoting import literal
from dbmigrate.report import Reason

_QUERIES = (
    ("schema", database.NAMESPACES),
    ("extension", database.EXTENSIONS),
    ("default privileges", database.DEFAULT_PRIVILEGES),
    ("table", relations.TABLES),
    ("view", relations.VIEWS),
    ("column", relations.COLUMNS),
    ("default", relations.DEFAULTS),
    ("partition", relations.ATTACHMENTS),
    ("sequence", relations.SEQUENCES),
    ("constraint", parts.CONSTRAINTS),
    ("index", parts.INDEXES),
    ("index partition", parts.INDEX_ATTACHMENTS),
    ("trigger", parts.TRIGGERS),
    ("rule", parts.RULES),
    ("policy", parts.POLICIES),
    ("statistics", parts.STATISTICS_OBJECTS),
    ("enum", types.ENUMS),
    ("domain", types.DOMAINS),
    ("domain constraint", types.DOMAIN_CONSTRAINTS),
    ("composite type", types.COMPOSITES),
    ("range", types.RANGES),
    ("function", routines.ROUTINES),
    ("aggregate", routines.AGGREGATES),
    ("collation", others.COLLATIONS),
    ("cast", others.CASTS),
    ("operator", others.OPERATORS),
    ("text search dictionary", others.TS_DICTIONARIES),
    ("text search configuration", others.TS_CONFIGURATIONS),
    ("foreign-data wrapper", others.WRAPPERS),
    ("server", others.SERVERS),
    ("foreign table", others.FOREIGN_TABLES),
    ("event trigger", others.EVENT_TRIGGERS),
)
_SINCE_15 = (("publication", others.PUBLICATIONS),)


def read_schema(
    session: Session,
    *,
    without: HistoryTable | None = None,
    renames: Sequence[Rename] = (),
    lock_timeout_ms: int = 0,
) -> Schema:
    """Read everything that users have created, except for the history's own tables.

    With `renames` the schema is what it will be after them: they are executed in a transaction
    that is rolled back after reading, so that the server itself says what each view and
    constraint becomes. A plan from such a schema begins with them.

    Reading locks what has a definition against being dropped, until its end. `lock_timeout_ms`
    limits the wait for such a lock, for the server breaks a deadlock after a second, and may end
    the other session; 0: without limit.

    Raises ServerFailure, ConnectionBroken; MigrationError (SourceInvalid) for a rename of an
    object that does not exist.
    """
    renaming = tuple(rename_statements(renames))
    try:
        session.query(f"BEGIN; {READS_CATALOGS}; SET LOCAL lock_timeout = {lock_timeout_ms}")
        for rename, statement in renaming:
            _do(session, statement, rename)
        done = tuple((rename.after, statement) for rename, statement in renaming)
        return _read(session, _passed_over(without), done)
    finally:
        # Closing the connection rolls back as well; the error that led here must not be lost.
        with suppress(ServerFailure, ConnectionBroken):
            session.roll_back()


def _do(session: Session, statement: str, rename: Rename) -> None:
    try:
        session.query(statement)
    except ServerFailure as failure:
        raise MigrationError(
            Reason.SOURCE_INVALID,
            f"can't rename {rename}: {failure}",
            hint="names are qualified: `column public.users.name=public.users.full_name`",
        ) from None


def _read(
    session: Session, passed_over: str, renaming: tuple[tuple[ObjectName, str], ...]
) -> Schema:
    known = _QUERIES + (_SINCE_15 if session.server_version >= 150000 else ())
    queries = [query for _, query in known]
    queries += [links.COMMENTS, links.DEPENDENCIES, links.UNHANDLED, links.TAKEN, database.SERVER]
    *tables, ((comments,),), dependencies, unhandled, taken, (server,) = session.query(
        "; ".join(queries).replace("$ignored", passed_over)
    )
    loader = Loader(json.loads(comments or "{}"))
    for (kind, _), ((rows,),) in zip(known, tables, strict=True):
        for row in json.loads(rows or "[]"):
            loader.add(kind, row)
    loader.link((user or "", used or "") for user, used in dependencies)
    kinds = {kind for kind, _ in known}
    names = {
        ObjectName(kind or "", name or ""): text or ""
        for kind, name, text in sorted(unhandled)
        if kind not in kinds
    }
    others = frozenset(name or "" for (name,) in taken)
    return Schema(loader.finish(), _ways(server), names, renaming, others)


def _ways(server: Row) -> Ways:
    found = json.loads(server[0] or "")
    return Ways(
        version=found["version"],
        role=found["role"],
        default_grants={
            kind: frozenset(Grant(grantee or OWNER, *rest) for grantee, *rest in grants)
            for kind, grants in found["default_grants"].items()
        },
        casts={(source, target): context for source, target, context in found["casts"]},
    )


def _passed_over(history: HistoryTable | None) -> str:
    if history is None:
        return "false"
    names = ", ".join(map(literal, own_relations(history.name)))
    return f"c.relname IN ({names})"
