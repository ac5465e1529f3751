"""`force`, `baseline` and `drop`: what people order by hand."""

from __future__ import annotations

import pytest

from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.baseline import baseline
from dbmigrate.runner.commands.drop import drop
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.up import up
from tests.database import Database
from tests.runner.arrange import (
    Witness,
    log,
    migration,
    request,
    source,
    table_names,
    tables,
    version_row,
)

pytestmark = pytest.mark.database


def test_force_sets_any_version_and_clears_the_dirty_mark(database: Database) -> None:
    up(request(database, tables(1))).unwrap()
    database.execute("UPDATE schema_migrations SET dirty = true")
    result = force(request(database), 17)
    assert result.unwrap() is None
    assert (result.report.outcome, result.report.version) == (Outcome.APPLIED, "17")
    assert version_row(database) == [(17, False)]
    assert log(database, "direction, from_version, to_version")[-1] == ("force", 1, 17)


def test_force_of_nothing_empties_the_table(database: Database) -> None:
    assert force(request(database), 3).unwrap() is None
    assert force(request(database), None).unwrap() is None
    assert version_row(database) == []


@pytest.mark.parametrize("version", [-2, 2**63])
def test_a_version_the_column_can_not_hold_is_refused(database: Database, version: int) -> None:
    result = force(request(database), version)
    assert result.error is not None
    assert result.error.reason is Reason.MISSING_VERSION


def test_forced_down_versions_are_pending_again(database: Database) -> None:
    up(request(database, tables(1, 2))).unwrap()
    force(request(database), 1).unwrap()
    database.execute("DROP TABLE t2")
    assert up(request(database, tables(1, 2))).unwrap() is None
    assert table_names(database) == {"t1", "t2"}


def test_baseline_begins_the_history_of_a_schema_that_is_there(database: Database) -> None:
    database.execute("CREATE TABLE t1 (); CREATE TABLE t2 ()")
    files = tables(1, 2, 3)
    result = baseline(request(database, files), 2)
    assert result.unwrap() is None
    assert (result.report.outcome, result.report.pending) == (Outcome.APPLIED, 1)
    assert goto(request(database, files)).unwrap() is None
    assert table_names(database) == {"t1", "t2", "t3"}
    columns = "version, direction, from_version, to_version"
    assert log(database, columns) == [(None, "baseline", None, 2), (3, "up", 2, 3)]


def test_baseline_is_refused_where_a_history_says_otherwise(database: Database) -> None:
    files = tables(1, 2, 3)
    baseline(request(database, files), 2).unwrap()
    assert baseline(request(database, files), 2).report.outcome is Outcome.UP_TO_DATE
    result = baseline(request(database, files), 3)
    assert result.error is not None
    assert result.error.reason is Reason.FOREIGN_HISTORY
    result = baseline(request(database, tables(1)), 9)
    assert result.error is not None
    assert result.error.reason is Reason.MISSING_VERSION
    assert version_row(database) == [(2, False)]


def test_baseline_needs_no_files_where_none_are_given(database: Database) -> None:
    assert baseline(request(database), 7).unwrap() is None
    assert version_row(database) == [(7, False)]


def test_drop_removes_every_table_of_the_schema_and_no_other(database: Database) -> None:
    up(request(database, tables(1, 2))).unwrap()
    database.execute(
        "CREATE SCHEMA other; CREATE TABLE other.t ();"
        "CREATE TABLE parts (a int) PARTITION BY RANGE (a);"
        "CREATE TABLE part PARTITION OF parts DEFAULT;"
        "ALTER TABLE t1 ADD PRIMARY KEY (id);"
        "ALTER TABLE t2 ADD FOREIGN KEY (id) REFERENCES t1 (id); CREATE VIEW v AS TABLE t1"
    )
    result = drop(request(database))
    assert result.unwrap() is None
    assert (result.report.outcome, result.report.version) == (Outcome.APPLIED, None)
    tables_left = (
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'other')"
    )
    assert database.query(tables_left) == [("other", "t")]
    assert drop(request(database)).report.outcome is Outcome.UP_TO_DATE
    assert up(request(database, tables(1))).unwrap() is None


EVERY_KIND = """
CREATE TYPE mood AS ENUM ('good'); CREATE TYPE "odd ""Name" AS (a int);
CREATE FUNCTION ok(a int, m mood DEFAULT 'good') RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE DOMAIN small AS int CHECK (public.ok(VALUE)); CREATE TYPE spans AS RANGE (subtype = int);
CREATE FUNCTION pair(small, v spans) RETURNS SETOF mood LANGUAGE sql AS 'SELECT NULL::public.mood';
CREATE SEQUENCE numbers; CREATE TABLE t1 (id int DEFAULT nextval('numbers'), s small, m mood);
CREATE VIEW v AS TABLE t1; CREATE MATERIALIZED VIEW m AS TABLE v; CREATE VIEW w AS TABLE m;
CREATE VIEW alone AS SELECT 1 AS a, 'good'::mood AS m; CREATE MATERIALIZED VIEW n AS TABLE alone;
CREATE AGGREGATE total (int) (SFUNC = int4pl, STYPE = int);
CREATE PROCEDURE p(a int) LANGUAGE sql AS 'SELECT 1';
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
CREATE OPERATOR CLASS ordered FOR TYPE int USING hash AS OPERATOR 1 ===, FUNCTION 1 hashint4(int);
CREATE TEXT SEARCH CONFIGURATION words (COPY = simple); CREATE COLLATION plain FROM "C";
CREATE FOREIGN TABLE far (a int) SERVER away;
"""


def test_after_drop_the_same_files_can_run_again(database: Database) -> None:
    """Whatever they have made in the schema, nothing of it is left."""
    files = source(migration(1, EVERY_KIND))
    database.execute("CREATE FOREIGN DATA WRAPPER far; CREATE SERVER away FOREIGN DATA WRAPPER far")
    witness = Witness()
    for _ in range(2):
        up(request(database, files)).unwrap()
        assert drop(request(database, observer=witness)).error is None
    assert [each for each in witness.notices if each.severity == "WARNING"] == []
    everything = "SELECT count(*) FROM pg_depend WHERE refobjid = 'public'::regnamespace"
    assert database.query(everything) == [(0,)]


def test_drop_leaves_what_others_need_and_says_so(database: Database) -> None:
    up(request(database, tables(1))).unwrap()
    database.execute(
        "CREATE SCHEMA other; CREATE TYPE mood AS ENUM ('good'); CREATE TYPE gone AS ENUM ();"
        "CREATE TABLE other.t (m mood); INSERT INTO other.t VALUES ('good');"
        "CREATE FUNCTION used(mood) RETURNS int LANGUAGE sql AS 'SELECT 1';"
        "CREATE VIEW other.v AS SELECT used(m) FROM other.t; CREATE EXTENSION citext"
    )
    witness = Witness()
    assert drop(request(database, observer=witness)).error is None
    (notice,) = witness.notices
    left = "public: extension citext, function public.used(public.mood), type public.mood: "
    assert (notice.severity, left in notice.message) == ("WARNING", True), notice.message
    assert database.query("SELECT m::text, used FROM other.t, other.v") == [("good", 1)]
    assert database.query("SELECT to_regtype('gone')") == [(None,)]


def test_drop_leaves_what_another_role_owns(database: Database) -> None:
    role = database.create_role(password="secret")
    database.execute(f"GRANT CREATE ON SCHEMA public TO {role}; CREATE TYPE mood AS ENUM ()")
    there = database.url_for(role, "secret")
    up(request(there, tables(1))).unwrap()
    witness = Witness()
    result = drop(request(there, observer=witness))
    assert result.error is None
    assert ["type public.mood" in notice.message for notice in witness.notices] == [True]
    assert database.query("SELECT to_regclass('t1'), to_regtype('mood')::text") == [(None, "mood")]
