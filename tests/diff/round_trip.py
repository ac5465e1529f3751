"""Plans, carried out on a real server, and judged by another reader of the catalogs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dbmigrate.diff.change import Change
from dbmigrate.diff.plan import plan_changes
from dbmigrate.diff.reader import read_schema
from dbmigrate.diff.renames import Rename
from dbmigrate.diff.schema import Schema
from dbmigrate.postgres.connection.connect import connect
from dbmigrate.postgres.connection.errors import ConnectionBroken, ServerFailure
from dbmigrate.postgres.connection.target import parse_target
from dbmigrate.postgres.schema.catalog import Catalog, compare, read_catalog
from tests.database import Database, Server

Plan = tuple[Change, ...]


_EMPTY = """
DO $$ DECLARE it text; BEGIN
FOR it IN SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM pg_namespace
    WHERE nspname !~ '^(pg_|information_schema$|public$)' LOOP EXECUTE it; END LOOP;
FOR it IN SELECT format('DROP EXTENSION %I CASCADE', extname) FROM pg_extension
    WHERE extname <> 'plpgsql' LOOP EXECUTE it; END LOOP;
FOR it IN SELECT format('DROP %s IF EXISTS %s CASCADE', CASE relkind WHEN 'v' THEN 'VIEW'
    WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' WHEN 'c' THEN 'TYPE'
    ELSE 'TABLE' END, oid::regclass) FROM pg_class WHERE relnamespace = 'public'::regnamespace
    AND relkind IN ('r', 'p', 'v', 'm', 'c', 'S') LOOP
    BEGIN EXECUTE it; EXCEPTION WHEN undefined_table THEN NULL; END; END LOOP;
FOR it IN SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', oid::regprocedure) FROM pg_proc p
    WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.objid = p.oid AND d.deptype IN ('i', 'e')) LOOP EXECUTE it; END LOOP;
FOR it IN SELECT format('DROP TYPE IF EXISTS %s CASCADE', oid::regtype) FROM pg_type t
    WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd', 'r') LOOP
    EXECUTE it; END LOOP;
END $$"""


class Stage:
    """A database with one session: a new one would plan every query anew."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.session = connect(parse_target(database.url, {}))
        self._empty = self.catalog()

    def is_emptied(self) -> bool:
        """Drop all that is in it; False if something is left."""
        try:
            self.session.execute(_EMPTY.encode())
        except ServerFailure:
            return False
        return self.catalog() == self._empty

    def schema(self, renames: Sequence[Rename] = ()) -> Schema:
        """What the engine reads."""
        return read_schema(self.session, renames=renames)

    def catalog(self) -> Catalog:
        """What the judge reads."""
        return read_catalog(self.session)

    def apply(self, plan: Plan) -> None:
        """As a runner would: each file in a transaction, or a statement alone."""
        for file in sorted({change.file for change in plan}):
            changes = [change for change in plan if change.file == file]
            sql = ";\n".join(change.sql for change in changes)
            if all(change.can_be_in_transaction for change in changes):
                sql = f"BEGIN;\n{sql};\nCOMMIT"
            else:
                assert len(changes) == 1, "what can't be in a transaction is alone in its file"
            self.session.execute(sql.encode())


@contextmanager
def loaded(server: Server, sql: str) -> Iterator[Stage]:
    """A database with that in it. It is emptied for the next one, which is quicker than another."""
    idle = _IDLE.setdefault(server.port, [])
    stage = idle.pop() if idle else Stage(server.create_database())
    if sql.strip():
        stage.session.execute(sql.encode())
    yield stage
    # After a failure it is left alone: the server goes at the end, with everything in it.
    if stage.is_emptied():
        idle.append(stage)
    else:
        stage.session.close()
        stage.database.drop()


_IDLE: dict[int, list[Stage]] = {}
"""Empty databases, by the port of their server."""


def close_idle(server: Server) -> None:
    """Close the sessions, and drop the databases."""
    for stage in _IDLE.pop(server.port, []):
        stage.session.close()
        stage.database.drop()


def there_and_back(
    server: Server, before: str, after: str, *, online: bool = True
) -> tuple[Plan, Plan]:
    """Both plans, if each leads where it should, and leaves nothing to be planned."""
    with loaded(server, before) as one, loaded(server, after) as other:
        old, old_judged = one.schema(), one.catalog()
        new, new_judged = other.schema(), other.catalog()
        assert not old.unhandled, old.unhandled
        assert not new.unhandled, new.unhandled
        there = carry_out(one, old, new, new_judged, online=online)
        return there, carry_out(one, one.schema(), old, old_judged, online=online)


def carry_out(
    stage: Stage, here: Schema, wanted: Schema, judged: Catalog, *, online: bool = True
) -> Plan:
    """Plan, apply, and compare with what was wanted. The plan, if all is well."""
    plan = plan_changes(here, wanted, online=online)
    try:
        stage.apply(plan)
    except (ServerFailure, ConnectionBroken) as error:
        raise AssertionError(f"{error}\n{show(plan)}") from error
    left = [each.describe() for each in compare(judged, stage.catalog())]
    assert not left, "\n".join([*left, show(plan)])
    again = plan_changes(stage.schema(), wanted, online=online)
    assert not again, f"not at rest:\n{show(again)}\nafter:\n{show(plan)}"
    return plan


def show(plan: Sequence[Change]) -> str:
    """The plan for people."""
    return "\n".join(f"{change.file} {change.sql};" for change in plan)
