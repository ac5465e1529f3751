"""The catalog read again is what a full reading says, whatever has changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dbmigrate.postgres.connection.errors import ServerFailure
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import HistoryTable, parse_target
from dbmigrate.postgres.schema.catalog import read_catalog
from dbmigrate.postgres.schema.incremental import IncrementalCatalog
from dbmigrate.postgres.sqltext.splitter import split
from dbmigrate.runner.scratch.database import open_session
from tests.database import Database
from tests.diff_command.arrange import make_roles
from tests.diff_command.test_pairs import CORPUS, read

pytestmark = pytest.mark.database

START = """
CREATE SCHEMA s;
CREATE TABLE t (a int PRIMARY KEY, b text, c int DEFAULT 1 CHECK (c > 0));
CREATE TABLE u (a int REFERENCES t, d int);
CREATE TABLE s.p (a int, b int) PARTITION BY RANGE (a);
CREATE TABLE s.p1 PARTITION OF s.p FOR VALUES FROM (1) TO (9);
CREATE VIEW v AS SELECT b FROM t;
CREATE VIEW w AS SELECT x.*, u.d FROM t x (k) JOIN u ON u.a = x.k;
CREATE VIEW merged AS SELECT * FROM u JOIN t USING (a);
CREATE VIEW over AS SELECT * FROM v;
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION g() RETURNS bigint LANGUAGE sql BEGIN ATOMIC
  SELECT count(*) FROM u WHERE d > 1; END;
CREATE TYPE e AS ENUM ('x');
CREATE TYPE pair AS (one int, two int);
CREATE VIEW typed AS SELECT ((1, 2)::pair).one AS y;
CREATE SEQUENCE q;
CREATE TABLE i (a int DEFAULT nextval('q'), e e);
CREATE RULE keep AS ON INSERT TO u WHERE new.d > 7
  DO INSTEAD INSERT INTO t VALUES (1) ON CONFLICT ON CONSTRAINT t_pkey DO NOTHING;
CREATE POLICY own ON u USING (d IN (SELECT c FROM t));
COMMENT ON CONSTRAINT t_pkey ON t IS 'the key';
CREATE STATISTICS st ON a, d FROM u;
CREATE PUBLICATION pub FOR TABLE t (a, b);
"""
CHANGES = (
    "ALTER TABLE u ADD b int",
    "ALTER TABLE u RENAME d TO dd",
    "ALTER TABLE t RENAME b TO bb",
    "ALTER TABLE t RENAME TO tt",
    "ALTER TABLE t SET SCHEMA s",
    "ALTER SCHEMA s RENAME TO z",
    "ALTER TABLE t RENAME CONSTRAINT t_pkey TO key",
    "ALTER INDEX t_pkey RENAME TO key",
    "ALTER TABLE t CLUSTER ON t_pkey",
    "ALTER TABLE t REPLICA IDENTITY USING INDEX t_pkey",
    "ALTER TABLE t ALTER c SET DEFAULT 2",
    "ALTER TABLE t ALTER c DROP DEFAULT",
    "ALTER TABLE t ALTER b SET STORAGE EXTERNAL",
    "ALTER TABLE t ALTER b SET STATISTICS 7",
    "ALTER TABLE t SET (toast.autovacuum_enabled = off)",
    "ALTER TABLE t SET (fillfactor = 50)",
    "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE u DISABLE RULE keep",
    "ALTER POLICY own ON u USING (true)",
    "ALTER STATISTICS st SET STATISTICS 9",
    "CREATE INDEX CONCURRENTLY ix ON t (b)",
    "CREATE INDEX ix ON u ((d + 1)); ALTER INDEX ix ALTER COLUMN 1 SET STATISTICS 5",
    "ALTER VIEW v RENAME b TO x",
    "CREATE OR REPLACE VIEW v AS SELECT b, a FROM t",
    "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 2'",
    "ALTER FUNCTION f() RENAME TO ff",
    "ALTER TYPE e ADD VALUE 'y'",
    "ALTER TYPE e RENAME TO ee",
    "ALTER TYPE pair RENAME ATTRIBUTE one TO eins",
    "ALTER TYPE pair ADD ATTRIBUTE three int",
    "ALTER SEQUENCE q OWNED BY i.a",
    "ALTER SEQUENCE q RENAME TO qq",
    "ALTER SEQUENCE q INCREMENT 5",
    "ALTER TABLE i ALTER a DROP DEFAULT, ALTER a SET NOT NULL, ALTER a ADD GENERATED ALWAYS"
    " AS IDENTITY",
    "GRANT SELECT ON u TO PUBLIC",
    "GRANT SELECT (a) ON u TO PUBLIC",
    "GRANT USAGE ON SCHEMA s TO PUBLIC",
    "REVOKE ALL ON FUNCTION f() FROM PUBLIC",
    "COMMENT ON TABLE u IS 'hi'",
    "COMMENT ON COLUMN u.a IS 'hi'",
    "COMMENT ON INDEX t_pkey IS 'hi'",
    "CREATE TABLE s.p2 PARTITION OF s.p FOR VALUES FROM (10) TO (19)",
    "ALTER TABLE s.p DETACH PARTITION s.p1",
    "ALTER TABLE s.p ADD PRIMARY KEY (a)",
    "CREATE TABLE child (z int) INHERITS (u)",
    "CREATE TABLE child (z int) INHERITS (u); ALTER TABLE child NO INHERIT u",
    "ALTER PUBLICATION pub ADD TABLE u",
    "CREATE PUBLICATION whole FOR ALL TABLES; CREATE TABLE more (a int)",
    "ALTER TABLE u DROP CONSTRAINT u_a_fkey",
    "ALTER TABLE u ALTER CONSTRAINT u_a_fkey DEFERRABLE",
    "ALTER TABLE t ADD CONSTRAINT positive CHECK (a > 0) NOT VALID",
    "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW"
    " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "DROP VIEW over, v",
    "DROP TABLE t CASCADE",
    "DROP SCHEMA s CASCADE",
    "DROP TABLE u CASCADE; CREATE TABLE u (a int)",
    "CREATE DOMAIN d AS int CHECK (value > 0); CREATE TABLE k (d d)",
    "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
    "CREATE TABLE schema_migrations (version bigint); INSERT INTO schema_migrations VALUES (1)",
    "CREATE TABLE k (pair pair, many pair[]); ALTER TABLE k ADD more u",
    "ALTER FUNCTION pg_catalog.lower(text) RENAME TO lowered",
    "UPDATE pg_class SET relname = 'other' WHERE oid = 'u'::regclass",
)


@contextmanager
def watched(database: Database) -> Iterator[tuple[Session, Session, IncrementalCatalog]]:
    """The session that changes, the one that reads in full, and the incremental catalog."""
    target = parse_target(database.url, {})
    with (
        open_session(target, "test") as writer,
        open_session(target, "test") as reader,
        open_session(target, "test") as again,
    ):
        yield writer, reader, IncrementalCatalog(again, HistoryTable())


@pytest.mark.parametrize("change", CHANGES)
def test_after_a_change_the_catalog_is_what_a_full_reading_says(
    database: Database, change: str
) -> None:
    database.execute(START)
    with watched(database) as (writer, reader, catalog):
        assert catalog.read() == read_catalog(reader, without=HistoryTable())
        for statement in change.split("; "):
            writer.command(statement)
        assert catalog.read() == read_catalog(reader, without=HistoryTable())


@pytest.mark.parametrize("kind", sorted(path.stem for path in CORPUS.glob("*.sql")))
def test_after_each_statement_of_the_corpus_both_readings_agree(
    database: Database, kind: str
) -> None:
    written = read(CORPUS / f"{kind}.sql")
    with watched(database) as (writer, reader, catalog):
        make_roles(database.server)
        for number, (_, text) in enumerate(written.variants):
            writer.command(f"CREATE SCHEMA variant_{number}")
            writer.command(f"SET search_path = variant_{number}, public")
            script = (written.always + text).encode()
            for statement in split(script, file=""):
                try:
                    writer.execute(script[statement.start : statement.end])
                except ServerFailure:
                    writer.roll_back()  # the variant before has made it
            assert catalog.read() == read_catalog(reader, without=HistoryTable()), number
            if number % 3 == 2:
                writer.command(f"DROP SCHEMA variant_{number - 1} CASCADE")
                assert catalog.read() == read_catalog(reader, without=HistoryTable()), number


def test_only_what_has_changed_is_read_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.execute("CREATE TABLE t (a int PRIMARY KEY); CREATE TABLE u (a int)")
    with watched(database) as (writer, reader, catalog):
        before = catalog.read()
        monkeypatch.delattr(IncrementalCatalog, "_read_all")
        assert catalog.read() is before
        writer.command("CREATE TABLE v (a int REFERENCES t, b serial)")
        writer.command("ALTER TABLE u ADD b int")
        assert catalog.read() == read_catalog(reader, without=HistoryTable())
        writer.command("DROP TABLE v")
        writer.command("ALTER TABLE u DROP b")
        assert catalog.read() == before
