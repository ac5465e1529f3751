"""The rules that are kept by heart, against the server that makes them."""

from __future__ import annotations

import subprocess

import psycopg
import pytest

from dbmigrate.postgres.sqltext.splitter import split
from dbmigrate.postgres.sqltext.transaction_mode import TransactionKind, transaction_mode
from tests.database.server import Database
from tests.unit.postgres.sqltext.parser import parsed_spans
from tests.unit.postgres.sqltext.test_transaction_mode import FORBIDDEN, ORDINARY

pytestmark = pytest.mark.database

ACTIVE_TRANSACTION = "25001"
INVALID_TERMINATION = "2D000"

SETUP = """
CREATE TABLE t (a int) PARTITION BY RANGE (a);
CREATE TABLE p PARTITION OF t FOR VALUES FROM (1) TO (2);
CREATE TABLE ordinary (a int);
CREATE INDEX i ON ordinary (a);
CREATE SCHEMA s;
CREATE TABLE s.t (a int) PARTITION BY RANGE (a);
CREATE TABLE s.p PARTITION OF s.t FOR VALUES FROM (1) TO (2);
CREATE SUBSCRIPTION s CONNECTION 'dbname=nowhere' PUBLICATION x
    WITH (connect = false, slot_name = 'x');
"""
TEAR_DOWN = (
    "ALTER SUBSCRIPTION s DISABLE; ALTER SUBSCRIPTION s SET (slot_name = none); DROP SUBSCRIPTION s"
)


def answer(database: Database, statement: str) -> str | None:
    """The SQLSTATE of a statement inside of a transaction that is rolled back."""
    with database.connect() as connection:
        connection.execute("BEGIN")
        try:
            connection.execute(statement.encode())
        except psycopg.Error as error:
            return error.sqlstate
        finally:
            connection.execute("ROLLBACK")
    return None


def test_the_server_refuses_what_is_kept_out_of_transactions(database: Database) -> None:
    database.execute(SETUP)
    refused: set[str] = set()
    try:
        # Some are refused for another reason while the subscription is in the other state.
        for state in ("DISABLE", "ENABLE"):
            database.execute(f"ALTER SUBSCRIPTION s {state}")
            refused |= {
                statement
                for statement in FORBIDDEN
                if answer(database, statement) in {ACTIVE_TRANSACTION, INVALID_TERMINATION}
            }
    finally:
        for statement in TEAR_DOWN.split(";"):
            database.execute(statement)
    assert set(FORBIDDEN) - refused == set()


@pytest.mark.parametrize("sql", ORDINARY)
def test_the_server_refuses_nothing_that_is_taken_into_one(database: Database, sql: str) -> None:
    database.execute("CREATE TABLE ordinary (a int)")
    for statement in split(sql.encode(), file="f"):
        text = sql.encode()[statement.start : statement.end].decode()
        assert answer(database, text) not in {ACTIVE_TRANSACTION, INVALID_TERMINATION}


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("select E'a' -- ';\n '\\'; b'", ["a'; b"]),
        ("select E'a' --x\n--'\n\t'\\';'; select 'b'", ["a';", "b"]),
        ("select 'a'\r'b;'; select E'a' \f\n'\\';'", ["ab;", "a';"]),
    ],
)
def test_strings_go_on_where_the_server_lets_them(
    database: Database, sql: str, rows: list[str]
) -> None:
    statements = [sql[each.start : each.end] for each in split(sql.encode(), file="f")]
    assert [database.query(statement)[0][0] for statement in statements] == rows


LARGE_SCHEMA = """
DO $do$
BEGIN
    FOR i IN 1..150 LOOP
        EXECUTE format($f$
            CREATE TABLE %1$I (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                "a;b" text DEFAULT 'x;''y\\' CHECK ("a;b" <> ';'), at timestamptz DEFAULT now());
            COMMENT ON TABLE %1$I IS E'it''s; a\\n-- table';
            CREATE INDEX ON %1$I (("a;b" || ';'));
            CREATE FUNCTION %2$I(n int DEFAULT 1) RETURNS bigint LANGUAGE sql
                BEGIN ATOMIC
                    SELECT CASE WHEN n > 0 THEN count(*) ELSE 0 END FROM %1$I;
                    SELECT n;
                END;
            CREATE FUNCTION %3$I() RETURNS trigger LANGUAGE plpgsql
                AS $b$ BEGIN RAISE NOTICE '; %%', $$;$$; RETURN new; END; $b$;
            CREATE TRIGGER touched BEFORE UPDATE ON %1$I
                FOR EACH ROW EXECUTE FUNCTION %3$I();
            CREATE RULE twice AS ON DELETE TO %1$I
                DO ALSO (SELECT 1; NOTIFY gone; SELECT ';)');
            INSERT INTO %1$I ("a;b") VALUES ('tab' || chr(9) || 'line' || chr(10) || 'back\\.'),
                (NULL), ('\\.'), ('');
        $f$, 'table;' || i, 'count;' || i, 'touch;' || i);
    END LOOP;
END
$do$;
"""


def dump(database: Database, *options: str) -> bytes:
    program = str(database.server.bin_dir / "pg_dump")
    command = [program, "--no-owner", *options, "--dbname", database.url]
    return subprocess.run(command, capture_output=True, check=True).stdout


def test_a_dump_of_a_large_schema_is_split_as_the_parser_does(database: Database) -> None:
    database.execute(LARGE_SCHEMA)
    script = dump(database, "--inserts")
    mode = transaction_mode(script, "dump.sql")
    assert mode.kind is TransactionKind.ONE_QUERY
    sql = mode.prepare(script)
    expected = parsed_spans(sql)
    assert len(expected) > 150 * 10
    assert [(each.start, each.end) for each in split(script, file="dump.sql")] == expected


def test_a_dump_with_its_rows_is_restored(database: Database) -> None:
    database.execute(LARGE_SCHEMA)
    script = dump(database)
    assert b"FROM stdin;" in script
    mode = transaction_mode(script, "dump.sql")
    assert mode.kind is TransactionKind.STATEMENTS
    copy = database.server.create_database()
    try:
        with copy.connect() as connection, connection.transaction():
            cursor = connection.cursor()
            for statement in split(script, file="dump.sql"):
                text = script[statement.start : statement.end]
                if statement.rows is None:
                    cursor.execute(text)
                    continue
                with cursor.copy(text) as stream:
                    stream.write(script[slice(*statement.rows)])
        assert without_token(dump(copy)) == without_token(script)
    finally:
        copy.drop()


def without_token(script: bytes) -> list[bytes]:
    return [line for line in script.splitlines() if b"restrict " not in line]
