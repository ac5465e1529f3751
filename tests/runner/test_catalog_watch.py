"""The catalog read again: in full only where more than one index may be another one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import HistoryTable, parse_target
from dbmigrate.postgres.schema import incremental
from dbmigrate.postgres.schema.catalog import ObjectName, read_catalog
from dbmigrate.postgres.schema.incremental import CatalogWatch
from dbmigrate.runner.scratch.database import open_session
from tests.database import Database

pytestmark = pytest.mark.database

INDEX = ObjectName("index", 'public."I x"')
CREATE = 'CREATE INDEX CONCURRENTLY "I x" ON t (a)'
DROP = 'DROP INDEX CONCURRENTLY "I x"'


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    database.execute(
        "CREATE TABLE t (a int PRIMARY KEY, b text); CREATE TABLE u (a int);"
        "CREATE VIEW v AS SELECT b FROM t; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS"
        " 'SELECT 1'"
    )
    with open_session(parse_target(database.url, {}), "test") as opened:
        yield opened


def test_after_one_index_all_else_is_not_read_again(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = CatalogWatch(session, HistoryTable())
    before = watch.catalog
    monkeypatch.delattr(incremental, "read_catalog")
    made = watch.after(lambda: run(session, CREATE), index=INDEX)
    assert made == read_catalog(session, without=HistoryTable())
    assert set(made) - set(before) == {INDEX}
    assert watch.after(lambda: run(session, DROP), index=INDEX) == before
    assert watch.after(lambda: run(session, CREATE), index=INDEX) == made


@pytest.mark.parametrize(
    "more",
    [
        "ALTER TABLE u ADD c int",
        "DROP TABLE u",
        "COMMENT ON INDEX \"I x\" IS 'hi'",
        "COMMENT ON TABLE u IS 'hi'",
        "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'",
        "ALTER TABLE t CLUSTER ON t_pkey",
        "ALTER TABLE t ALTER b SET DEFAULT 'x'",
        "ALTER VIEW v RENAME b TO c",
        "GRANT SELECT ON u TO PUBLIC",
        "CREATE INDEX other ON u (a)",
        "CREATE TYPE e AS ENUM ('x')",
        "ALTER INDEX t_pkey RENAME TO key",
    ],
)
def test_what_changes_beside_the_index_is_seen(session: Session, more: str) -> None:
    watch = CatalogWatch(session, HistoryTable())

    def change() -> None:
        run(session, CREATE)
        run(session, more)

    found = watch.after(change, index=INDEX)
    assert found == read_catalog(session, without=HistoryTable())


def test_an_index_that_is_another_one_under_its_name_is_seen(session: Session) -> None:
    run(session, CREATE)
    watch = CatalogWatch(session, HistoryTable())

    def change() -> None:
        run(session, DROP)
        run(session, 'CREATE INDEX "I x" ON t (b)')

    found = watch.after(change, index=INDEX)
    assert "(b)" in found[INDEX]
    assert found == read_catalog(session, without=HistoryTable())


def run(session: Session, statement: str) -> None:
    session.command(statement)
