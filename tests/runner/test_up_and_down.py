"""`up` and `down`, as golang-migrate has them, and what the history says afterwards."""

from __future__ import annotations

import hashlib

import pytest

from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.down import down
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


@pytest.mark.quick
def test_up_applies_all_that_is_pending_in_order(database: Database) -> None:
    witness = Witness()
    result = up(request(database, tables(1, 2, 10), observer=witness, command="up"))
    assert result.unwrap() is None
    assert witness.started == witness.finished == [1, 2, 10]
    assert table_names(database) == {"t1", "t2", "t10"}
    assert version_row(database) == [(10, False)]
    report = result.report
    assert (report.outcome, report.from_version, report.version, report.dirty) == (
        Outcome.APPLIED,
        None,
        "10",
        False,
    )
    assert (report.target, report.pending, report.steps_total) == ("10", 0, 3)
    assert [step.version for step in report.steps] == ["1", "2", "10"]


def test_up_with_nothing_pending_changes_nothing(database: Database) -> None:
    up(request(database, tables(1))).unwrap()
    result = up(request(database, tables(1)))
    assert result.unwrap() is None
    assert result.report.outcome is Outcome.UP_TO_DATE
    assert result.report.from_version == result.report.version == "1"
    assert len(log(database)) == 1


def test_a_limit_applies_so_many_steps(database: Database) -> None:
    result = up(request(database, tables(1, 2, 3)), 2)
    assert result.unwrap() is None
    assert version_row(database) == [(2, False)]
    assert result.report.pending == 1


def test_a_limit_that_is_too_high_applies_what_there_is_and_fails(database: Database) -> None:
    result = up(request(database, tables(1, 2)), 5)
    assert result.error is not None
    assert result.error.message == "limit 3 short"
    assert version_row(database) == [(2, False)]
    assert result.report.outcome is Outcome.FAILED
    assert result.report.version == "2"


@pytest.mark.parametrize("step", [up, down])
def test_a_limit_with_nothing_left_fails_without_a_step(database: Database, step: object) -> None:
    files = tables(1)
    if step is up:
        up(request(database, files)).unwrap()
        result = up(request(database, files), 1)
    else:
        result = down(request(database, files), 1)
    assert result.error is not None
    assert (result.error.reason, result.error.message) == (
        Reason.MISSING_VERSION,
        "file does not exist",
    )


def test_a_limit_of_zero_does_nothing_even_to_a_dirty_database(database: Database) -> None:
    up(request(database, tables(1))).unwrap()
    database.execute("UPDATE schema_migrations SET dirty = true")
    assert up(request(database, tables(1, 2)), 0).report.outcome is Outcome.UP_TO_DATE
    assert down(request(database, tables(1, 2)), 0).report.outcome is Outcome.UP_TO_DATE


def test_down_undoes_so_many_steps(database: Database) -> None:
    up(request(database, tables(1, 2, 3))).unwrap()
    result = down(request(database, tables(1, 2, 3)), 2)
    assert result.unwrap() is None
    assert table_names(database) == {"t1"}
    assert version_row(database) == [(1, False)]
    assert result.report.outcome is Outcome.ROLLED_BACK


def test_down_of_everything_leaves_an_empty_version_table(database: Database) -> None:
    up(request(database, tables(1, 2))).unwrap()
    assert down(request(database, tables(1, 2))).unwrap() is None
    assert table_names(database) == set()
    assert version_row(database) == []


def test_down_of_an_empty_database_is_no_change(database: Database) -> None:
    assert down(request(database, tables(1))).report.outcome is Outcome.UP_TO_DATE


def test_a_missing_script_moves_the_version_alone(database: Database) -> None:
    files = source(migration(1, None, "SELECT 1"), migration(2, "CREATE TABLE t2 ()", None))
    assert up(request(database, files)).unwrap() is None
    assert version_row(database) == [(2, False)]
    assert down(request(database, files)).unwrap() is None
    assert version_row(database) == []
    assert table_names(database) == {"t2"}


def test_the_version_of_the_database_must_have_a_file(database: Database) -> None:
    up(request(database, tables(1, 2))).unwrap()
    result = up(request(database, tables(1, 3)))
    assert result.error is not None
    assert result.error.reason is Reason.MISSING_VERSION
    assert "no migration found for version 2" in result.error.message


def test_an_empty_source_is_an_error(database: Database) -> None:
    result = up(request(database, source()))
    assert result.error is not None
    assert result.error.message == "first .: file does not exist"


def test_the_log_keeps_checksum_and_down_script_and_who(database: Database) -> None:
    up(request(database, tables(1))).unwrap()
    columns = "version, name, direction, from_version, to_version, checksum, down_script"
    checksum = hashlib.sha256(b"CREATE TABLE t1 (id int);").hexdigest()
    assert log(database, columns) == [(1, "m1", "up", None, 1, checksum, "DROP TABLE t1;")]
    columns = "executed_by, executed_from, outcome, started_at <= finished_at, milliseconds >= 0"
    assert log(database, columns) == [("postgres", "tester", "applied", True, True)]


def test_each_file_starts_from_the_same_session(database: Database) -> None:
    files = source(
        migration(
            1,
            "CREATE SCHEMA other; CREATE ROLE r_#;"
            "GRANT ALL ON SCHEMA other TO r_#; SET search_path = other; SET ROLE r_#;"
            " CREATE TABLE t1 ()".replace("#", database.name),
        ),
        migration(2, "CREATE TABLE t2 ()"),
    )
    assert up(request(database, files)).unwrap() is None
    where = "SELECT schemaname, tablename FROM pg_tables WHERE tablename IN ('t1', 't2')"
    assert sorted(database.query(where)) == [("other", "t1"), ("public", "t2")]
    owners = "SELECT tableowner FROM pg_tables WHERE tablename = 't2'"
    assert database.query(owners) == [("postgres",)]
    database.execute(f"DROP OWNED BY r_{database.name}; DROP ROLE r_{database.name}")


def test_a_role_and_a_search_path_of_the_url_hold_for_every_file(database: Database) -> None:
    role = database.create_role()
    database.execute(f"CREATE SCHEMA app AUTHORIZATION {role}")
    url = f"{database.url}&search_path=app&role={role}"
    assert up(request(url, tables(1, 2))).unwrap() is None
    rows = database.query("SELECT tablename, tableowner FROM pg_tables WHERE schemaname = 'app'")
    names = {"t1", "t2", "schema_migrations", "schema_migrations_log"}
    assert set(rows) == {(name, role) for name in names}


def test_a_comment_at_the_end_and_an_empty_file_do_no_harm(database: Database) -> None:
    text = b"CREATE TABLE t1 ();\r\nCREATE TABLE t2 () -- no semicolon"
    assert up(request(database, source(migration(1, text), migration(2, b"")))).unwrap() is None
    assert table_names(database) == {"t1", "t2"}
    assert version_row(database) == [(2, False)]


def test_names_that_need_quotes_are_quoted(database: Database) -> None:
    database.execute('CREATE SCHEMA "Odd"')
    url = (
        f"{database.url}&x-migrations-table-quoted=1&x-migrations-table=%22Odd%22.%22My%20table%22"
    )
    assert up(request(url, tables(1))).unwrap() is None
    assert database.query('SELECT version FROM "Odd"."My table"') == [(1,)]
    assert database.query('SELECT version FROM "Odd"."My table_log"') == [(1,)]


def test_versions_are_as_large_as_the_column_holds(database: Database) -> None:
    largest = 2**63 - 1
    assert up(request(database, tables(0, largest))).unwrap() is None
    assert version_row(database) == [(largest, False)]
    assert down(request(database, tables(0, largest))).unwrap() is None


def test_notices_of_the_server_reach_the_observer_with_their_file(database: Database) -> None:
    witness = Witness()
    files = source(migration(1, "DO $$ BEGIN RAISE WARNING 'careful'; END $$"))
    up(request(database, files, observer=witness)).unwrap()
    (notice,) = [each for each in witness.notices if each.severity == "WARNING"]
    assert (notice.message, notice.file) == ("careful", "000001_m1.up.sql")


def test_a_percent_sign_and_copy_to_stdout_are_left_alone(database: Database) -> None:
    files = source(
        migration(1, "CREATE TABLE t1 (a text DEFAULT '100%s'); COPY t1 TO STDOUT; SELECT 1")
    )
    assert up(request(database, files)).unwrap() is None
    assert version_row(database) == [(1, False)]
