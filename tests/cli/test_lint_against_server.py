"""What `lint` says of locks, scans and surprises is what a server does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from dbmigrate.lint.script import judge_script
from dbmigrate.lint.sizes import read_sizes
from dbmigrate.postgres.connection.target import parse_target
from dbmigrate.postgres.sqltext.table_actions import LOCKS, STABLE
from dbmigrate.runner.scratch.database import open_session
from tests.database import Database

pytestmark = pytest.mark.database

SETUP = """
CREATE DOMAIN d AS int;
CREATE TABLE o (id int PRIMARY KEY);
CREATE TABLE t (a int NOT NULL, b text, v d);
CREATE TABLE whole (a int) PARTITION BY RANGE (a);
CREATE TABLE part PARTITION OF whole FOR VALUES FROM (1) TO (2);
CREATE TABLE rest PARTITION OF whole DEFAULT;
CREATE TABLE more (a int);
INSERT INTO o VALUES (1), (5);
INSERT INTO t VALUES (1, 'x', 1), (2, 'y', 2);
INSERT INTO rest VALUES (77);
INSERT INTO more VALUES (3);
"""
HELD = """
SELECT relation::regclass::text, upper(regexp_replace(regexp_replace(
    mode, 'Lock$', ''), '(.)([A-Z])', '\\1 \\2', 'g'))
FROM pg_locks WHERE pid = pg_backend_pid() AND relation >= 16384 AND locktype = 'relation'
"""


class Tried:
    """What a server did with a script in one transaction."""

    def __init__(self, connection: psycopg.Connection[Any], script: str) -> None:
        self.said: list[str] = []
        connection.add_notice_handler(lambda notice: self.said.append(notice.message_primary or ""))
        connection.execute("SET client_min_messages = debug1; BEGIN")
        connection.execute(script.encode())
        self.locks: dict[str, str] = {}
        for table, mode in connection.execute(HELD.encode()).fetchall():
            if mode in LOCKS:
                strongest = max(mode, self.locks.get(table, LOCKS[0]), key=LOCKS.index)
                self.locks[table] = strongest


@contextmanager
def trying(database: Database, script: str) -> Iterator[Tried]:
    database.execute(SETUP)
    with database.connect() as connection:
        yield Tried(connection, script)
        connection.execute("ROLLBACK")


def rules(script: str) -> set[str]:
    return {finding.rule.name for finding in judge_script(script.encode(), "f")}


@pytest.mark.parametrize(
    ("script", "rule", "table", "lock", "said"),
    [
        (
            "ALTER TABLE whole ATTACH PARTITION more FOR VALUES FROM (3) TO (4)",
            "attach-scans",
            "more",
            "ACCESS EXCLUSIVE",
            ['verifying table "more"', 'verifying table "rest"'],
        ),
        (
            "ALTER TABLE whole DETACH PARTITION part",
            "detach-blocks",
            "whole",
            "ACCESS EXCLUSIVE",
            [],
        ),
        (
            "CREATE TABLE n PARTITION OF whole FOR VALUES FROM (5) TO (6)",
            "partition-blocks",
            "whole",
            "ACCESS EXCLUSIVE",
            [],
        ),
        (
            "ALTER TABLE t ADD EXCLUDE USING btree (a WITH =)",
            "exclude-builds-index",
            "t",
            "ACCESS EXCLUSIVE",
            ['building index "t_a_excl" on table "t" serially'],
        ),
        ("ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE > 0)", "domain-scans", "t", "SHARE", []),
        ("ALTER DOMAIN d SET NOT NULL", "domain-scans", "t", "SHARE", []),
        (
            "ALTER TABLE t ADD c int DEFAULT 5 REFERENCES o",
            "foreign-key-scans",
            "o",
            "SHARE ROW EXCLUSIVE",
            ['validating foreign key constraint "t_c_fkey"'],
        ),
        (
            "ALTER TABLE t ADD c int CHECK (c > 0)",
            "check-scans",
            "t",
            "ACCESS EXCLUSIVE",
            ['verifying table "t"'],
        ),
        (
            "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;"
            " ALTER TABLE t VALIDATE CONSTRAINT c",
            "validated-at-once",
            "t",
            "ACCESS EXCLUSIVE",
            ['verifying table "t"'],
        ),
        (
            "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES o NOT VALID;"
            " DELETE FROM t WHERE a > 1; ALTER TABLE t VALIDATE CONSTRAINT c",
            "validated-at-once",
            "t",
            "SHARE ROW EXCLUSIVE",
            ['validating foreign key constraint "c"'],
        ),
    ],
)
def test_a_rule_that_speaks_of_locks_and_scans_is_right(
    database: Database, script: str, rule: str, table: str, lock: str, said: list[str]
) -> None:
    assert rule in rules(script)
    with trying(database, script) as tried:
        assert tried.locks[table] == lock
        assert [each for each in said if each not in tried.said] == []


@pytest.mark.parametrize(
    ("script", "table", "lock"),
    [
        ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID", "t", "ACCESS EXCLUSIVE"),
        ("ALTER TABLE t ADD c int REFERENCES o", "o", "SHARE ROW EXCLUSIVE"),
        ("ALTER TABLE t ALTER a ADD GENERATED ALWAYS AS IDENTITY", "t", "ACCESS EXCLUSIVE"),
        ("ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE > 0) NOT VALID", "t", ""),
        ("ALTER TABLE t ADD c int REFERENCES o ON DELETE SET DEFAULT", "o", "SHARE ROW EXCLUSIVE"),
        ("CREATE INDEX i ON ONLY whole (a)", "part", ""),
    ],
)
def test_a_safer_form_looks_at_no_rows(
    database: Database, script: str, table: str, lock: str
) -> None:
    assert rules(script) == set()
    with trying(database, script) as tried:
        assert tried.locks.get(table, "") == lock
        looked = ("verifying table", "rewriting table", "validating", 'on table "t"')
        assert [each for each in tried.said if any(word in each for word in looked)] == []


def test_a_partition_whose_check_says_the_same_is_not_looked_at(database: Database) -> None:
    script = "ALTER TABLE whole ATTACH PARTITION more FOR VALUES FROM (3) TO (4)"
    check = "ALTER TABLE {0} ADD CONSTRAINT c CHECK (a IS NOT NULL AND {1});"
    prepared = check.format("more", "a >= 3 AND a < 4") + check.format("rest", "a > 50")
    with trying(database, prepared + script) as tried:
        assert tried.said.count('verifying table "more"') == 1  # by the CHECK alone
        assert tried.said.count('verifying table "rest"') == 1


def test_a_validation_of_a_domain_blocks_writes_as_its_rule_says(database: Database) -> None:
    script = (
        "ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE > 0) NOT VALID;"
        "ALTER DOMAIN d VALIDATE CONSTRAINT c"
    )
    with trying(database, script) as tried:
        assert tried.locks["t"] == "SHARE"


@pytest.mark.parametrize(
    ("column", "rewrites"),
    [
        ("text DEFAULT ('a' || random()::text)", True),
        ("float DEFAULT 1 + random()", True),
        ("text DEFAULT coalesce(gen_random_uuid()::text, 'x') NOT NULL", True),
        ("timestamptz DEFAULT CURRENT_TIMESTAMP(3)", False),
        ("numeric(10,2) DEFAULT CAST('1' AS numeric(10,2))", False),
        ("text DEFAULT coalesce(NULL, 'x'::varchar(3)) CHECK (length(c) < 9)", False),
        ("timestamp DEFAULT timezone('utc', now())", False),
        ("jsonb DEFAULT jsonb_build_object('a', upper('b'))", False),
        ("int GENERATED ALWAYS AS (a + 1) STORED", True),
    ],
)
def test_a_default_is_read_as_an_expression(
    database: Database, column: str, rewrites: bool
) -> None:
    script = f"ALTER TABLE t ADD COLUMN c {column}"
    assert ("default-rewrites" in rules(script)) is rewrites
    with trying(database, script) as tried:
        assert ('rewriting table "t"' in tried.said) is rewrites


def test_the_functions_that_are_taken_for_stable_are_so_in_every_form(database: Database) -> None:
    volatile = database.query(
        "SELECT DISTINCT proname FROM pg_proc WHERE provolatile = 'v'"
        " AND pronamespace = 'pg_catalog'::regnamespace AND proname = ANY (%s)",
        [*STABLE],
    )
    assert volatile == []


def test_a_partitioned_table_is_as_large_as_its_partitions(database: Database) -> None:
    database.execute(
        "CREATE TABLE whole (a int) PARTITION BY LIST (a); CREATE TABLE parent (a int);"
        "CREATE TABLE part PARTITION OF whole FOR VALUES IN (1) PARTITION BY LIST (a);"
        "CREATE TABLE leaf PARTITION OF part FOR VALUES IN (1);"
        "CREATE TABLE child () INHERITS (parent);"
        "INSERT INTO whole SELECT 1 FROM generate_series(1, 500);"
        "INSERT INTO child SELECT 1 FROM generate_series(1, 500); ANALYZE leaf, child"
    )
    with open_session(parse_target(database.url, {}), "lint") as session:
        sizes = read_sizes(session, ["whole", "leaf", "parent", "child"])
    assert sizes["whole"] == sizes["leaf"]
    assert sizes["parent"].rows == sizes["child"].rows == 500
    assert sizes["child"].bytes > 0


def test_a_new_expression_rewrites(database: Database) -> None:
    if database.query("SELECT current_setting('server_version_num')::int < 170000") == [(True,)]:
        pytest.skip("SET EXPRESSION came with PostgreSQL 17")
    script = "ALTER TABLE t ALTER g SET EXPRESSION AS (a + 2)"
    assert "table-rewrites" in rules(script)
    before = "ALTER TABLE t ADD g int GENERATED ALWAYS AS (a + 1) STORED;"
    with trying(database, before + script) as tried:
        assert tried.said.count('rewriting table "t"') == 2


def test_if_not_exists_takes_an_invalid_index(database: Database) -> None:
    database.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1), (1)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        database.execute("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)")
    script = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)"
    database.execute(script)
    assert database.query("SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass") == [
        (False,)
    ]
    assert {"index-if-not-exists", "unique-may-fail"} <= rules(script)


def test_row_security_without_a_policy_hides_all_rows(database: Database) -> None:
    role = database.create_role(password="x")
    database.execute(f"CREATE TABLE t (a int); INSERT INTO t VALUES (1); GRANT ALL ON t TO {role}")
    script = "ALTER TABLE t ENABLE ROW LEVEL SECURITY"
    database.execute(script)
    with psycopg.connect(database.url_for(role, "x")) as application:
        assert application.execute("SELECT count(*) FROM t").fetchall() == [(0,)]
    assert rules(script) == {"row-security"}


def test_a_name_that_the_server_makes_up_depends_on_what_is_there(database: Database) -> None:
    script = "ALTER TABLE t ADD CHECK (a > 0)"
    assert "constraint-unnamed" in rules(script)
    database.execute(
        "CREATE TABLE t (a int, CONSTRAINT t_a_check CHECK (a < 9)); CREATE TABLE u (a int)"
    )
    database.execute(script)
    database.execute(script.replace(" t ", " u "))
    names = "SELECT conname FROM pg_constraint WHERE conname ~ '_a_check' ORDER BY 1"
    assert database.query(names) == [("t_a_check",), ("t_a_check1",), ("u_a_check",)]


@pytest.mark.parametrize(
    "script",
    [
        "ALTER TYPE m RENAME VALUE 'a' TO 'b'",
        "ALTER TYPE c RENAME ATTRIBUTE x TO y",
        "ALTER MATERIALIZED VIEW v SET SCHEMA other",
        "ALTER SEQUENCE s RENAME TO r",
        "ALTER SCHEMA other RENAME TO another",
        "ALTER DOMAIN d RENAME TO e",
    ],
)
def test_a_new_name_of_anything_that_is_used_by_name_is_told(
    database: Database, script: str
) -> None:
    assert rules(script) == {"renamed"}
    database.execute(
        "CREATE TYPE m AS ENUM ('a'); CREATE TYPE c AS (x int); CREATE SEQUENCE s;"
        "CREATE MATERIALIZED VIEW v AS SELECT 1; CREATE SCHEMA other; CREATE DOMAIN d AS int"
    )
    database.execute(script)
