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
from tests.runner.arrange import Witness, log, request, table_names, tables, version_row

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


def test_drop_says_what_it_leaves(database: Database) -> None:
    """Only tables go, as with golang-migrate; a type would fail the next `up`."""
    up(request(database, tables(1))).unwrap()
    witness = Witness()
    assert drop(request(database, observer=witness)).error is None
    assert witness.notices == []
    up(request(database, tables(1))).unwrap()
    database.execute("CREATE TYPE mood AS ENUM ('good')")
    assert drop(request(database, observer=witness)).error is None
    (notice,) = witness.notices
    assert (notice.severity, 'still holds the type "mood"' in notice.message) == ("WARNING", True)
