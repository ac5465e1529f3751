"""What a plan says of the tables beside the first one, against the server's pg_locks."""

from __future__ import annotations

import pytest

from dbmigrate.postgres.sqltext.impacts import read_impacts
from dbmigrate.postgres.sqltext.table_actions import LOCKS, REWRITES
from tests.database.server import Database

pytestmark = pytest.mark.database

SETUP = """
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE t (a int NOT NULL);
CREATE TABLE u (a int);
CREATE TABLE whole (a int) PARTITION BY RANGE (a);
CREATE TABLE part PARTITION OF whole FOR VALUES FROM (1) TO (2);
CREATE TABLE more (a int);
INSERT INTO parent VALUES (1), (2);
INSERT INTO t VALUES (1), (2);
"""

NAMES = """
SELECT oid, relname FROM pg_class WHERE relname = ANY ('{parent,t,u,whole,part,more}')
"""
TAKEN = """
SELECT relation, upper(regexp_replace(regexp_replace(
    mode, 'Lock$', ''), '(.)([A-Z])', '\\1 \\2', 'g'))
FROM pg_locks WHERE pid = pg_backend_pid() AND relation = ANY (%s)
"""


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES parent",
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES public.parent (id) NOT VALID",
        "ALTER TABLE t ADD COLUMN b int REFERENCES parent, ADD c int",
        "ALTER TABLE whole ATTACH PARTITION more FOR VALUES FROM (3) TO (4)",
        "ALTER TABLE whole DETACH PARTITION part",
        "CREATE TABLE n (a int REFERENCES parent, b int REFERENCES parent (id))",
        "DROP TABLE IF EXISTS t, u",
        "TRUNCATE t, ONLY u, more",
        "LOCK TABLE t, u IN SHARE MODE",
        "CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING",
    ],
)
def test_all_tables_that_are_locked_are_named(database: Database, statement: str) -> None:
    database.execute(SETUP)
    (impact,) = read_impacts(statement.encode(), "f")
    said = dict([(impact.table or "", impact.lock or ""), *impact.others])
    taken: dict[str, str] = {}
    with database.connect() as connection:
        names = dict(connection.execute(NAMES.encode()).fetchall())
        connection.execute("BEGIN")
        connection.execute(statement.encode())
        for oid, mode in connection.execute(TAKEN.encode(), [[*names]]).fetchall():
            table = names[oid]
            if mode in LOCKS:
                taken[table] = max(mode, taken.get(table, LOCKS[0]), key=LOCKS.index)
        connection.execute("ROLLBACK")
    assert {table.removeprefix("public."): lock for table, lock in said.items()} == taken


@pytest.mark.parametrize(
    "column",
    [
        "int", "int DEFAULT 5", "text DEFAULT 'a' || 'b'", "timestamptz DEFAULT now() NOT NULL",
        "varchar(10) DEFAULT 'x'::varchar(5)", "int DEFAULT (1 + 2) CHECK (b > 0)",
        "float DEFAULT random()", "timestamptz DEFAULT clock_timestamp()", "bigserial",
        "uuid DEFAULT pg_catalog.gen_random_uuid()", "int GENERATED ALWAYS AS IDENTITY",
        "int GENERATED ALWAYS AS (a * 2) STORED",
    ],
)  # fmt: skip
def test_a_column_that_is_written_to_all_rows_is_announced(database: Database, column: str) -> None:
    database.execute(SETUP)
    statement = f"ALTER TABLE t ADD COLUMN b {column}"
    (impact,) = read_impacts(statement.encode(), "f")
    file = "SELECT pg_relation_filenode('t')"
    before = database.query(file)
    database.execute(statement)
    assert (database.query(file) != before) is (REWRITES in impact.notes)


def test_a_table_the_script_created_does_not_hide_the_other_one() -> None:
    script = b"CREATE TABLE n (a int); ALTER TABLE n ADD FOREIGN KEY (a) REFERENCES parent;"
    (impact,) = read_impacts(script, "f")
    assert str(impact) == "line 1: SHARE ROW EXCLUSIVE lock on parent (blocks writes)"


@pytest.mark.parametrize("statement", ["ALTER TABLE t ADD type text", "ALTER TABLE t DROP type"])
def test_a_column_that_is_called_type_is_like_any_other(statement: str) -> None:
    (impact,) = read_impacts(statement.encode(), "f")
    assert REWRITES not in impact.notes
    assert impact.is_destructive is ("DROP" in statement)
