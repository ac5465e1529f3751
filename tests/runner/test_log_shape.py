"""Logs of other shapes in a real database: older, newer, changed by hand, emptied."""

from __future__ import annotations

import pytest

from dbmigrate.postgres.connection.target import HistoryKind
from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.prune import prune
from dbmigrate.runner.commands.read_only.status import status
from dbmigrate.runner.commands.read_only.verify import verify
from dbmigrate.runner.commands.read_only.version import version
from dbmigrate.runner.commands.read_only.wait import wait
from dbmigrate.runner.commands.up import up
from tests.database import Database
from tests.runner.arrange import log, migration, request, source, tables, version_row
from tests.runner.test_lost_history import of

pytestmark = pytest.mark.database

LOG = "schema_migrations_log"
OLDER = {
    1: f"ALTER TABLE {LOG} DROP done_checksum; COMMENT ON TABLE {LOG} IS NULL;",
    2: f"COMMENT ON TABLE {LOG} IS NULL;",
}
NO_INDEXES = """
DO $$ DECLARE found regclass; BEGIN
  FOR found IN SELECT indexrelid FROM pg_index
    WHERE indrelid = 'schema_migrations_log'::regclass AND NOT indisprimary
  LOOP EXECUTE 'DROP INDEX ' || found; END LOOP; END $$
"""
SHAPE = """
SELECT obj_description('schema_migrations_log'::regclass, 'pg_class'),
  (SELECT count(*)::int FROM pg_index WHERE indrelid = 'schema_migrations_log'::regclass),
  (SELECT count(*)::int FROM pg_attribute WHERE attrelid = 'schema_migrations_log'::regclass
     AND attnum > 0 AND NOT attisdropped)
"""


@pytest.mark.parametrize("number", OLDER)
def test_an_older_log_is_read_as_it_is_and_brought_forward_by_the_first_step(
    database: Database, number: int
) -> None:
    up(request(database, tables(1, 2))).unwrap()
    whole = database.query(SHAPE)
    database.execute(OLDER[number] + NO_INDEXES)
    older = database.query(SHAPE)
    table = status(request(database, tables(1, 2))).unwrap()
    assert table is not None
    assert all(row.recorded for row in table.rows)
    assert verify(request(database, tables(1, 2))).unwrap() == ()
    assert up(request(database, tables(1, 2))).report.outcome is Outcome.UP_TO_DATE
    assert database.query(SHAPE) == older
    assert up(request(database, tables(1, 2, 3))).report.version == "3"
    assert database.query(SHAPE) == whole
    assert log(database, "version, direction") == [(1, "up"), (2, "up"), (3, "up")]


@pytest.mark.parametrize("number", OLDER)
def test_an_older_log_of_another_owner_is_written_as_far_as_it_can_be(
    database: Database, number: int
) -> None:
    up(request(database, tables(1))).unwrap()
    database.execute(OLDER[number] + NO_INDEXES)
    database.execute(
        "DROP ROLE IF EXISTS writer; CREATE ROLE writer LOGIN PASSWORD 'w';"
        "GRANT CREATE, USAGE ON SCHEMA public TO writer;"
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON schema_migrations, {LOG} TO writer"
    )
    url = database.url.replace("postgres://postgres@", "postgres://writer:w@")
    result = up(request(f"{url}&x-migrations-table=schema_migrations", tables(1, 2)))
    try:
        if number == 1:
            assert result.error is not None
            assert "of an older dbmigrate (shape 1)" in result.error.message
        else:
            assert result.report.version == "2", result.error
    finally:
        database.execute("DROP OWNED BY writer; DROP ROLE writer")


def test_a_newer_log_that_can_be_read_is_gone_on_with_and_kept(database: Database) -> None:
    up(request(database, tables(1))).unwrap()
    database.execute(
        f"ALTER TABLE {LOG} ADD later jsonb;"
        f"COMMENT ON TABLE {LOG} IS 'dbmigrate: log of shape 9, readable since shape 3'"
    )
    newer = database.query(SHAPE)
    assert up(request(database, tables(1, 2))).report.version == "2"
    assert down(request(database, tables(1, 2)), 1).report.version == "1"
    assert database.query(SHAPE) == newer


def test_a_newer_log_that_can_not_be_read_stops_what_needs_it(database: Database) -> None:
    up(request(database, tables(1))).unwrap()
    database.execute(
        f"COMMENT ON TABLE {LOG} IS 'dbmigrate: log of shape 9, readable since shape 8'"
    )
    for command in (up, status, verify, down):
        error = command(request(database, tables(1, 2))).error
        assert error is not None
        assert error.reason is Reason.FOREIGN_HISTORY
        assert "shape 9" in error.message
    assert version(request(database)).report.version == "1"
    assert wait(request(database, tables(1)), timeout=5).error is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "ALTER TABLE {0} ADD team text NOT NULL DEFAULT ''; ALTER TABLE {0} ALTER team DROP"
            " DEFAULT",
            "its column team must have a value",
        ),
        ("UPDATE {0} SET error = ''; ALTER TABLE {0} ALTER error SET NOT NULL", "its column error"),
        ("CREATE UNIQUE INDEX once ON {0} (direction)", "can't write public.schema_migrations_log"),
        ("ALTER TABLE {0} ALTER name TYPE varchar(2)", "can't write public.schema_migrations_log"),
        (
            "ALTER TABLE schema_migrations ADD team text NOT NULL DEFAULT '';"
            "ALTER TABLE schema_migrations ALTER team DROP DEFAULT;"
            "TRUNCATE schema_migrations; DROP TABLE {0}",
            "can't write public.schema_migrations,",
        ),
    ],
)
@pytest.mark.parametrize("script", ["CREATE TABLE fresh (n int)", "VACUUM"])
def test_what_was_added_to_the_tables_is_told_as_their_fault(
    database: Database, change: str, said: str, script: str
) -> None:
    up(request(database, tables(1))).unwrap()
    database.execute(change.format(LOG))
    files = source(*tables(1).migrations, migration(22, script, name="long_name"))
    if "TRUNCATE" in change:
        files = source(migration(22, script))
    error = up(request(database, files)).error
    assert error is not None
    told = f"{error.message} {error.hint}"
    if script != "VACUUM" or "its column" in said:
        assert said in told
        assert "at fault" in told or "its file is not the cause" in told
    assert "history" in told or "log" in told
    assert error.location is None
    assert database.query("SELECT to_regclass('fresh')") == [(None,)]


@pytest.mark.parametrize("older", ["", OLDER[1]])
@pytest.mark.parametrize("column", ["id", "checksum", "outcome", "executed_by", "error"])
def test_a_renamed_column_gets_its_name_back_by_the_statement_that_is_told(
    database: Database, older: str, column: str
) -> None:
    up(request(database, tables(1, 2))).unwrap()
    if older:
        database.execute(older)
        up(request(database, tables(1, 2, 3))).unwrap()
    database.execute(f"ALTER TABLE {LOG} RENAME {column} TO another")
    error = up(request(database, tables(1, 2, 3, 4))).error
    assert error is not None
    told = (error.hint or "").partition("ALTER TABLE")
    database.execute("".join(told[1:]))
    assert up(request(database, tables(1, 2, 3, 4))).report.version == "4"


def test_a_log_that_was_emptied_lets_no_version_go_without_its_script(database: Database) -> None:
    up(request(database, tables(1, 2))).unwrap()
    database.execute(f"TRUNCATE {LOG}")
    left = source(*tables(1).migrations, migration(2, "CREATE TABLE t2 (id int)"))
    error = down(request(database, left), 1).error
    assert error is not None
    assert error.reason is Reason.IRREVERSIBLE_MIGRATION
    assert version_row(database) == [(2, False)]
    assert down(request(database, tables(1, 2)), 1).report.version == "1"


@pytest.mark.parametrize("kind", [HistoryKind.GOLANG_MIGRATE, HistoryKind.GOOSE])
def test_a_pruned_log_says_the_same_of_the_present(database: Database, kind: HistoryKind) -> None:
    wanted = of(kind, database, tables(1, 2, 3))
    up(wanted).unwrap()
    for _ in range(5):
        down(wanted, 1).unwrap()
        up(wanted).unwrap()
    before = status(wanted).unwrap()
    done = prune(wanted, 2).unwrap()
    assert done is not None
    assert (done.removed, done.left) == (9, 4)
    assert status(wanted).unwrap() == before
    assert verify(wanted).unwrap() == ()
    again = prune(wanted, 0).unwrap()
    assert again is not None
    assert again.removed == 0
    assert down(wanted, 3).report.version is None


def test_an_identity_that_this_role_may_not_correct_is_told_with_the_statement_that_does(
    database: Database,
) -> None:
    """As on a promoted logical replica, whose sequences are behind, by a role that only writes."""
    up(request(database, tables(1))).unwrap()
    database.execute(
        f"ALTER TABLE {LOG} ALTER id RESTART WITH 1;"
        "DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN PASSWORD 'g';"
        "GRANT CREATE, USAGE ON SCHEMA public TO guest;"
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON schema_migrations, {LOG} TO guest"
    )
    url = database.url.replace("postgres://postgres@", "postgres://guest:g@")
    error = up(request(url, tables(1, 2))).error
    try:
        assert error is not None
        assert error.reason is Reason.FOREIGN_HISTORY
        assert "its file is not the cause" in error.message
        assert "setval(pg_get_serial_sequence" in (error.hint or "")
        assert error.location is None
    finally:
        database.execute("DROP OWNED BY guest; DROP ROLE guest")
