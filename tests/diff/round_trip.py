"""Plans, carried out on a real server, and judged by another reader of the catalogs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dbmigrate.diff.change import Change
from dbmigrate.diff.plan import plan_changes
from dbmigrate.diff.reader import read_schema
from dbmigrate.diff.renames import Rename
from dbmigrate.diff.schema import Schema
from dbmigrate.postgres.catalog import Catalog, compare, read_catalog
from dbmigrate.postgres.connecting import connect
from dbmigrate.postgres.session import Session
from dbmigrate.postgres.target import parse_target
from tests.database import Database, Server


@contextmanager
def loaded(server: Server, sql: str) -> Iterator[Database]:
    """A database with that in it."""
    database = server.create_database()
    try:
        if sql.strip():
            database.execute(sql)
        yield database
    finally:
        database.drop()


@contextmanager
def session(database: Database) -> Iterator[Session]:
    """A session of ours."""
    opened = connect(parse_target(database.url, {}))
    try:
        yield opened
    finally:
        opened.close()


def schema_of(database: Database, renames: Sequence[Rename] = ()) -> Schema:
    """What the engine reads."""
    with session(database) as opened:
        return read_schema(opened, renames=renames)


def catalog_of(database: Database) -> Catalog:
    """What the judge reads."""
    with session(database) as opened:
        return read_catalog(opened)


def apply(database: Database, plan: Sequence[Change]) -> None:
    """As a runner would: each file in a transaction, or a statement alone."""
    with session(database) as opened:
        for file in sorted({change.file for change in plan}):
            changes = [change for change in plan if change.file == file]
            sql = ";\n".join(change.sql for change in changes)
            if all(change.can_be_in_transaction for change in changes):
                sql = f"BEGIN;\n{sql};\nCOMMIT"
            else:
                assert len(changes) == 1, "what can't be in a transaction is alone in its file"
            opened.execute(sql.encode())


def check(
    server: Server,
    before: str,
    after: str,
    *,
    online: bool = True,
    renames: Sequence[Rename] = (),
) -> tuple[Change, ...]:
    """Plan, carry out, and compare with what was wanted. The plan, if all is well."""
    with loaded(server, before) as one, loaded(server, after) as other:
        wanted, judged = schema_of(other), catalog_of(other)
        plan = plan_changes(schema_of(one, renames), wanted, online=online)
        try:
            apply(one, plan)
        except Exception as error:
            raise AssertionError(f"{error}\n{show(plan)}") from error
        left = [each.describe() for each in compare(catalog_of(one), judged)]
        assert not left, "\n".join([*left, show(plan)])
        again = plan_changes(schema_of(one), wanted, online=online)
        assert not again, f"not at rest:\n{show(again)}\nafter:\n{show(plan)}"
    return plan


def show(plan: Sequence[Change]) -> str:
    """The plan for people."""
    return "\n".join(f"{change.file} {change.sql};" for change in plan)
