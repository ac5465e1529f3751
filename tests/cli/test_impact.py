"""What `plan` says of a statement is what the server does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.sqltext.impacts import LOSES, UNKNOWN, Impact, read_impacts
from dbmigrate.postgres.sqltext.table_actions import LOCKS, REWRITES, SCANS
from tests.database.server import Database

SETUP = """
CREATE TABLE other (id int PRIMARY KEY);
CREATE TABLE t (id int PRIMARY KEY, a int, b int NOT NULL DEFAULT 1, o int, s text DEFAULT 'x');
INSERT INTO t SELECT n, n, n FROM generate_series(1, 10) n;
CREATE INDEX t_a ON t (a);
CREATE UNIQUE INDEX t_b ON t (b);
ALTER TABLE t ADD CONSTRAINT late CHECK (a > 0) NOT VALID;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER existing BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();
CREATE POLICY mine ON t USING (true);
CREATE TABLE parent (id int) PARTITION BY RANGE (id);
CREATE TABLE part (id int);
CREATE MATERIALIZED VIEW m AS SELECT id FROM t;
CREATE UNIQUE INDEX m_id ON m (id);
CREATE VIEW v AS SELECT id FROM other;
CREATE SEQUENCE sq;
"""

LOCKING = [
    "ALTER TABLE t ADD COLUMN c int",
    "ALTER TABLE t ADD COLUMN c int, DROP COLUMN a",
    "ALTER TABLE IF EXISTS ONLY t ADD c int DEFAULT 5 NOT NULL",
    "alter table t drop column a",
    "ALTER TABLE t DROP a",
    "ALTER TABLE t ALTER COLUMN a TYPE bigint",
    "ALTER TABLE t ALTER COLUMN o SET DATA TYPE text USING o::text",
    "ALTER TABLE t ALTER a SET NOT NULL",
    "ALTER TABLE t ALTER b DROP NOT NULL",
    "ALTER TABLE t ALTER b DROP DEFAULT",
    "ALTER TABLE t ALTER b SET DEFAULT 4",
    "ALTER TABLE t ALTER a SET STATISTICS 10",
    "ALTER TABLE t SET (fillfactor = 70)",
    "ALTER TABLE t RESET (fillfactor)",
    "ALTER TABLE t ADD CONSTRAINT c CHECK (b > 0)",
    "ALTER TABLE t ADD CONSTRAINT c CHECK (b > 0) NOT VALID",
    "ALTER TABLE t VALIDATE CONSTRAINT late",
    "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (o) REFERENCES other (id)",
    "ALTER TABLE t ADD FOREIGN KEY (o) REFERENCES other NOT VALID",
    "ALTER TABLE t ADD COLUMN p int REFERENCES other",
    "ALTER TABLE t ADD CONSTRAINT u UNIQUE USING INDEX t_b",
    "ALTER TABLE t ADD UNIQUE (a)",
    "ALTER TABLE t DROP CONSTRAINT late",
    "ALTER TABLE t RENAME TO u",
    "ALTER TABLE t RENAME COLUMN a TO z",
    "ALTER TABLE t CLUSTER ON t_a",
    "ALTER TABLE t SET WITHOUT CLUSTER",
    "ALTER TABLE t DISABLE TRIGGER existing",
    "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE t SET UNLOGGED",
    "ALTER TABLE parent ATTACH PARTITION part FOR VALUES FROM (1) TO (2)",
    "ALTER TABLE t OWNER TO CURRENT_USER",
    "CREATE INDEX ON t (a)",
    "CREATE UNIQUE INDEX IF NOT EXISTS i ON ONLY t USING btree (b)",
    "CREATE TRIGGER n BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    "CREATE OR REPLACE TRIGGER existing AFTER DELETE ON t EXECUTE FUNCTION f()",
    "CREATE POLICY theirs ON t USING (false)",
    "DROP POLICY mine ON t",
    "DROP TRIGGER existing ON t",
    "ALTER TRIGGER existing ON t RENAME TO z",
    "CREATE TABLE p1 PARTITION OF parent FOR VALUES FROM (1) TO (2)",
    "CREATE TABLE n (o int REFERENCES other (id))",
    "DROP TABLE t CASCADE",
    "TRUNCATE t",
    "TRUNCATE TABLE ONLY t RESTART IDENTITY",
    "DELETE FROM t WHERE a = 1",
    "CLUSTER t USING t_a",
    "LOCK TABLE t",
    "LOCK t IN SHARE ROW EXCLUSIVE MODE",
    "REFRESH MATERIALIZED VIEW m",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY m",
    "REINDEX TABLE t",
    "DROP MATERIALIZED VIEW m",
    "ALTER MATERIALIZED VIEW m RENAME TO z",
    "CREATE OR REPLACE VIEW v AS SELECT id FROM other WHERE id > 0",
    "ALTER VIEW v RENAME TO w",
    "DROP VIEW v",
    "ALTER SEQUENCE sq RESTART",
    "ALTER SEQUENCE sq RENAME TO z",
    "DROP SEQUENCE sq",
    "COMMENT ON TABLE t IS 'x'",
    "COMMENT ON COLUMN t.a IS 'x'",
    "ANALYZE t",
    "CREATE STATISTICS st ON a, b FROM t",
    "ALTER INDEX t_a RENAME TO z",
]

TAKEN = """
SELECT upper(regexp_replace(regexp_replace(mode, 'Lock$', ''), '(.)([A-Z])', '\\1 \\2', 'g'))
FROM pg_locks WHERE pid = pg_backend_pid() AND relation = %s::oid AND granted
"""


def read_one(statement: str) -> Impact:
    (impact,) = read_impacts(statement.encode(), "f")
    return impact


def test_the_lock_is_the_one_that_the_server_takes(database: Database) -> None:
    database.execute(SETUP)
    taken = {}
    with database.connect() as connection:
        for statement in LOCKING:
            table = read_one(statement).table
            found = connection.execute("SELECT %s::regclass::oid", [table]).fetchone()
            connection.execute("BEGIN")
            connection.execute(statement.encode())
            rows = connection.execute(TAKEN.encode(), found).fetchall()
            connection.execute("ROLLBACK")
            modes = [mode for (mode,) in rows if mode in LOCKS]
            taken[statement] = max(modes, key=LOCKS.index)
    assert {statement: read_one(statement).lock for statement in LOCKING} == taken


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE t ALTER COLUMN a TYPE bigint",
        "ALTER TABLE t SET UNLOGGED",
        "CLUSTER t USING t_a",
        "ALTER TABLE t ADD COLUMN c int",
        "ALTER TABLE t ALTER a SET NOT NULL",
        "ALTER TABLE t ADD CONSTRAINT c CHECK (b > 0)",
        "ALTER TABLE t VALIDATE CONSTRAINT late",
    ],
)
def test_a_rewrite_is_announced(database: Database, statement: str) -> None:
    database.execute(SETUP)
    file = "SELECT pg_relation_filenode('t')"
    before = database.query(file)
    database.execute(statement)
    assert (database.query(file) != before) is (REWRITES in read_one(statement).notes)


@pytest.mark.parametrize(
    ("statement", "notes"),
    [
        ("ALTER TABLE t DROP COLUMN a", (LOSES,)),
        ("ALTER TABLE t ADD c int, DROP IF EXISTS a, ALTER b SET NOT NULL", (LOSES, SCANS)),
        ("ALTER TABLE t DROP CONSTRAINT c", ()),
        ("ALTER TABLE t ALTER a DROP NOT NULL", ()),
        ("ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES o", (SCANS,)),
        ("ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES o NOT VALID", ()),
        ("DROP TABLE a, b", (LOSES,)),
        ("DROP SCHEMA s CASCADE", (LOSES,)),
        ("DROP EXTENSION e CASCADE", (LOSES,)),
        ("TRUNCATE t", (LOSES,)),
        ("DELETE FROM t", (LOSES,)),
        ("CREATE INDEX CONCURRENTLY i ON t (a)", ()),
        ("VACUUM FULL t", (REWRITES,)),
    ],
)
def test_what_loses_data_or_takes_long_is_said(statement: str, notes: tuple[str, ...]) -> None:
    impact = read_one(statement)
    assert impact.notes == notes
    assert impact.is_destructive is (LOSES in notes)


@pytest.mark.parametrize(
    "script",
    [
        "SELECT 1; INSERT INTO t VALUES (1); UPDATE t SET a = 1",
        "CREATE TABLE n (id int); CREATE INDEX ON n (id); ALTER TABLE N ADD c int",
        "CREATE TABLE IF NOT EXISTS s.n (id int); CREATE INDEX i ON s.n (id)",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'DROP TABLE t; SELECT 1'",
        "COMMENT ON FUNCTION f IS 'DROP TABLE t'; -- DROP TABLE t",
        "CREATE VIEW v AS SELECT 1; CREATE TYPE e AS ENUM ('a'); GRANT SELECT ON v TO r",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "DROP FUNCTION f(int); DROP SCHEMA s; ALTER TYPE e ADD VALUE 'x'",
        "",
    ],
)
def test_of_the_harmless_nothing_is_said(script: str) -> None:
    assert read_impacts(script.encode(), "f") == ()


@pytest.mark.parametrize(
    "statement",
    [
        "DO 'BEGIN DROP TABLE t; END'",
        "CALL p()",
        "DROP FUNCTION f CASCADE",
        "CREATE EXTENSION e",
        "ALTER DOMAIN d SET NOT NULL",
        "ALTER TYPE c ADD ATTRIBUTE a int CASCADE",
        "CREATE TABLE n () INHERITS (t)",
        "IMPORT FOREIGN SCHEMA s FROM SERVER r INTO t",
    ],
)
def test_of_what_the_text_does_not_tell_it_says_so(statement: str) -> None:
    impact = read_one(statement)
    assert not impact.is_known
    first = statement.split(maxsplit=1)[0]
    assert str(impact) == f"line 1: {first}: its locks and data loss are unknown"


@pytest.mark.parametrize(
    "statement",
    [
        "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
        "MERGE INTO t USING o ON true WHEN MATCHED THEN DELETE",
    ],
)
def test_a_hidden_delete_is_seen(statement: str) -> None:
    assert read_one(statement).is_destructive


def test_the_line_is_that_of_the_statement() -> None:
    script = '-- one\n\nCREATE INDEX i\n  ON "My".t (a);\n/* x */ DROP TABLE u;\n'
    first, second = read_impacts(script.encode(), "f")
    assert str(first) == 'line 3: SHARE lock on "My".t (blocks writes)'
    assert str(second) == (
        "line 5: ACCESS EXCLUSIVE lock on u (blocks reads and writes), loses data"
    )


def test_a_concurrent_index_blocks_nobody() -> None:
    assert str(read_one("CREATE INDEX CONCURRENTLY i ON t (a)")) == (
        "line 1: SHARE UPDATE EXCLUSIVE lock on t"
    )


WORDS = (
    "ALTER TABLE CREATE DROP INDEX ON t , ( ) ; IF NOT EXISTS ADD COLUMN REFERENCES IN MODE LOCK"
)
MORE = (
    " TRUNCATE DELETE FROM PARTITION OF REINDEX VACUUM FULL REFRESH VIEW CLUSTER . \"a\" 'b' TYPE"
)


@given(st.lists(st.sampled_from((WORDS + MORE).split()), max_size=12))
def test_no_order_of_words_breaks_it(words: list[str]) -> None:
    try:
        impacts = read_impacts(" ".join(words).encode(), "f")
    except MigrationError as refused:
        assert "does not end" in refused.message or "unterminated" in refused.message  # noqa: PT017
        return
    losing = {"DROP", "TRUNCATE", "DELETE"}
    for impact in impacts:
        assert str(impact).startswith("line 1: ")
        assert impact.lock is None or impact.lock in LOCKS
        assert not impact.is_destructive or losing & set(words)
        assert impact.is_known or UNKNOWN in str(impact)
