"""Batched files that would leave rows out, or never end: each is stopped by name."""

from __future__ import annotations

import pytest

from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.up import up
from tests.database import Database
from tests.runner.arrange import Witness, migration, request, source

pytestmark = pytest.mark.database

TABLE = (
    "CREATE TABLE t (id int PRIMARY KEY, name text NOT NULL, at int, done bool DEFAULT false);"
    "CREATE TABLE copy (id int PRIMARY KEY);"
    "INSERT INTO t SELECT g, CASE WHEN g > 15 THEN 'Z' ELSE 'a' END, g % 7 FROM"
    " generate_series(1, 25) g;"
)
BATCHED = "-- dbmigrate:batched size=5 duration=1h"


def run(database: Database, statement: str, *, before: str = "", start: str = " start=0") -> str:
    """The error of a file with that statement; empty for none."""
    files = source(
        migration(1, TABLE + before), migration(2, f"{BATCHED}{start}\n{statement};\n", None)
    )
    done = up(request(database, files))
    if done.error is None:
        return ""
    assert done.error.reason is Reason.STATEMENT_FAILED
    assert done.error.location is not None
    return f"{done.error.message}; {done.error.hint}"


OUTSIDE = (
    "UPDATE t SET done = true WHERE id IN (SELECT id FROM t WHERE id > :cursor ORDER BY id LIMIT"
    " :batch_size) AND name = 'Z' RETURNING id"
)
PLAIN = (
    "UPDATE t SET done = true WHERE id IN (SELECT id FROM t WHERE id > :cursor ORDER BY id LIMIT"
    " :batch_size) RETURNING id"
)
CONFLICT = (
    "INSERT INTO copy SELECT id FROM t WHERE id > :cursor ORDER BY id LIMIT :batch_size"
    " ON CONFLICT DO NOTHING RETURNING id"
)
TRIGGER = (
    "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
    "CREATE TRIGGER no BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION no();"
)


@pytest.mark.parametrize(
    ("statement", "before"),
    [
        (OUTSIDE, ""),
        (PLAIN, TRIGGER),
        (CONFLICT, "INSERT INTO copy SELECT g FROM generate_series(1, 10) g;"),
    ],
)
def test_rows_that_a_batch_selects_and_does_not_change(
    database: Database, statement: str, before: str
) -> None:
    assert "changes none of the rows that it selects" in run(database, statement, before=before)


def test_without_a_cursor_as_well(database: Database) -> None:
    statement = "DELETE FROM t WHERE id IN (SELECT id FROM t LIMIT :batch_size) AND name = 'none'"
    assert "changes none of the rows" in run(database, statement, start="")


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("at", "follows at of t, which no unique index covers"),
        ("name", "follows name of t, which no unique index covers"),
    ],
)
def test_a_key_that_rows_share(database: Database, key: str, told: str) -> None:
    statement = PLAIN.replace("WHERE id > ", f"WHERE {key} > ").replace("BY id", f"BY {key}")
    statement = statement.replace("RETURNING id", f"RETURNING {key}")
    text = run(database, statement, start=" start=-1" if key == "at" else " start=A")
    assert told in text
    assert "WITH TIES" in text


def test_a_key_that_may_be_null(database: Database) -> None:
    before = "CREATE UNIQUE INDEX ON t (at, id); UPDATE t SET at = NULL WHERE id = 3;"
    statement = (
        "UPDATE t SET done = true WHERE id IN (SELECT id FROM t WHERE (at, id) > (:cursor_1,"
        " :cursor_2) ORDER BY at, id LIMIT :batch_size) RETURNING at, id"
    )
    start = " start=-1 start_2=0"
    assert "t has rows whose at is NULL" in run(database, statement, before=before, start=start)


def test_what_is_complete_passes(database: Database) -> None:
    before = (
        "CREATE UNIQUE INDEX ON t (at, id); UPDATE t SET at = NULL WHERE id = 3;"
        'CREATE TABLE "Odd" AS SELECT * FROM t; ALTER TABLE "Odd" ADD UNIQUE (id);'
    )
    statements = [
        PLAIN,
        PLAIN.replace(" RETURNING id", " AND name IN ('Z', 'a') RETURNING id"),
        PLAIN.replace("FROM t WHERE", 'FROM "Odd" AS o WHERE'),
        PLAIN.replace("LIMIT :batch_size", "FETCH FIRST :batch_size ROWS WITH TIES"),
        "UPDATE t SET done = true WHERE id IN (SELECT id FROM t WHERE at > :cursor ORDER BY at"
        " FETCH FIRST :batch_size ROWS WITH TIES) RETURNING at",
        "WITH next AS MATERIALIZED (SELECT id FROM t WHERE id > :cursor ORDER BY id LIMIT"
        " :batch_size FOR UPDATE), done AS (UPDATE t SET done = true FROM next WHERE t.id ="
        " next.id) SELECT id FROM next",
        "INSERT INTO copy SELECT id FROM t WHERE id > :cursor ORDER BY id LIMIT :batch_size"
        " RETURNING id",
    ]
    nulls = " AND at IS NOT NULL ORDER BY at FETCH"
    statements[4] = statements[4].replace(" ORDER BY at FETCH", nulls)
    files = [migration(1, TABLE + before)]
    for version, statement in enumerate(statements, 2):
        files.append(migration(version, f"{BATCHED} start=0\n{statement};\n", None))
    witness = Witness()
    done = up(request(database, source(*files), observer=witness))
    assert done.error is None, done.error
    assert done.report.outcome is Outcome.APPLIED
    assert [n.message for n in witness.notices if n.severity == "WARNING"] == []
    assert database.query("SELECT count(*) FROM copy") == [(25,)]


def test_a_condition_that_is_never_exhausted(database: Database) -> None:
    statement = (
        "UPDATE t SET done = true WHERE id IN (SELECT id FROM t WHERE name = 'Z' LIMIT :batch_size)"
    )
    text = run(database, statement, start="")
    assert "t has 25: the statement selects again what it has changed" in text


def test_what_cannot_be_checked_is_a_warning(database: Database) -> None:
    statement = (
        "WITH chosen AS (SELECT id FROM t), next AS (SELECT id FROM chosen WHERE id > :cursor"
        " ORDER BY id LIMIT :batch_size), done AS (UPDATE t SET done = true FROM next"
        " WHERE t.id = next.id)"
        " SELECT id FROM next"
    )
    files = source(migration(1, TABLE), migration(2, f"{BATCHED} start=0\n{statement};\n", None))
    witness = Witness()
    assert up(request(database, files, observer=witness)).error is None
    (warning,) = [n.message for n in witness.notices if n.severity == "WARNING"]
    assert "whether rows are left is not known" in warning
    assert database.query("SELECT count(*) FROM t WHERE done") == [(25,)]
