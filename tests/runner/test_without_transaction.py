"""Files that can't be one transaction: dirty meanwhile, counted, and repaired."""

from __future__ import annotations

import pytest

from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.repair import repair
from dbmigrate.runner.commands.up import up
from dbmigrate.sources.migration import Source
from tests.database import Database
from tests.runner.arrange import log, migration, request, source, table, table_names, version_row

pytestmark = pytest.mark.database

DUPLICATES = source(
    migration(1, "CREATE TABLE t1 (a int); INSERT INTO t1 VALUES (1), (1)"),
    migration(
        2,
        "CREATE INDEX CONCURRENTLY one ON t1 (a);\n"
        "CREATE TABLE between ();\n"
        "CREATE UNIQUE INDEX CONCURRENTLY two ON t1 (a);\n"
        "CREATE TABLE after ();\n",
        "DROP INDEX CONCURRENTLY two; DROP INDEX CONCURRENTLY one; DROP TABLE after, between",
    ),
)


def indexes(database: Database) -> list[tuple[str, bool]]:
    """The indexes of t1 and whether they are valid."""
    return [
        (name, valid)
        for name, valid in database.query(
            "SELECT indexrelid::regclass::text, indisvalid FROM pg_index"
            " WHERE indrelid = 't1'::regclass ORDER BY 1"
        )
    ]


def test_concurrent_indexes_are_built_and_the_version_is_clean(database: Database) -> None:
    files = source(
        table(1),
        migration(
            2,
            "CREATE INDEX CONCURRENTLY one ON t1 (id);\nCREATE INDEX CONCURRENTLY two ON t1 (id);"
            "\nVACUUM t1;",
        ),
    )
    assert up(request(database, files)).unwrap() is None
    assert indexes(database) == [("one", True), ("two", True)]
    assert version_row(database) == [(2, False)]
    assert log(database, "version, outcome, statements, statements_done, finished_at IS NULL") == [
        (1, "applied", None, None, False),
        (2, "applied", 3, 3, False),
    ]


def test_a_failure_in_the_middle_says_what_is_done_and_what_is_left_behind(
    database: Database,
) -> None:
    result = up(request(database, DUPLICATES))
    error = result.error
    assert error is not None
    assert (error.reason, error.sqlstate) == (Reason.STATEMENT_FAILED, "23505")
    assert error.location is not None
    assert error.location.line == 3
    assert error.detail is not None
    assert "statement 3 of 4 failed, 2 are done" in error.detail
    assert "public.two" in error.detail
    assert "public.one" not in error.detail
    assert (result.report.version, result.report.dirty) == ("2", True)
    assert version_row(database) == [(2, True)]
    assert table_names(database) == {"t1", "between"}


def test_a_dirty_database_is_refused_with_the_way_out(database: Database) -> None:
    up(request(database, DUPLICATES))
    for result in (up(request(database, DUPLICATES)), down(request(database, DUPLICATES))):
        assert result.error is not None
        assert result.error.reason is Reason.DIRTY
        assert result.error.message == "Dirty database version 2. Fix and force version."
        assert result.error.hint is not None
        assert "repair" in result.error.hint
        assert result.report.dirty is True


def test_repair_goes_on_where_it_stopped(database: Database) -> None:
    up(request(database, DUPLICATES))
    database.execute("DELETE FROM t1")
    result = repair(request(database, DUPLICATES))
    done = result.unwrap()
    assert done is not None
    assert done.dropped_indexes == ("public.two",)
    assert indexes(database) == [("one", True), ("two", True)]
    assert table_names(database) == {"t1", "between", "after"}
    assert version_row(database) == [(2, False)]
    assert (result.report.outcome, result.report.version) == (Outcome.APPLIED, "2")
    assert down(request(database, DUPLICATES), 1).unwrap() is None
    assert table_names(database) == {"t1"}


def test_repair_that_fails_again_can_be_repaired_again(database: Database) -> None:
    up(request(database, DUPLICATES))
    result = repair(request(database, DUPLICATES))
    assert result.error is not None
    assert result.error.sqlstate == "23505"
    assert version_row(database) == [(2, True)]
    database.execute("DELETE FROM t1")
    assert repair(request(database, DUPLICATES)).error is None
    assert version_row(database) == [(2, False)]


def test_repair_takes_a_corrected_statement_but_no_edit_of_what_is_done(
    database: Database,
) -> None:
    up(request(database, DUPLICATES))
    script = DUPLICATES.migrations[1].up
    assert script is not None
    text = script.load().decode()

    def edited(old: str, new: str) -> Source:
        return source(DUPLICATES.migrations[0], migration(2, text.replace(old, new)))

    result = repair(request(database, edited("between", "amid")))
    assert result.error is not None
    assert result.error.reason is Reason.CHECKSUM_MISMATCH
    assert version_row(database) == [(2, True)]

    corrected = edited("UNIQUE INDEX CONCURRENTLY two", "INDEX CONCURRENTLY two")
    assert repair(request(database, corrected)).error is None
    assert indexes(database) == [("one", True), ("two", True)]
    assert up(request(database, corrected)).report.outcome is Outcome.UP_TO_DATE


def test_repair_leaves_a_clean_database_alone(database: Database) -> None:
    up(request(database, source(table(1)))).unwrap()
    result = repair(request(database, source(table(1))))
    assert result.unwrap() is not None
    assert result.report.outcome is Outcome.UP_TO_DATE


def test_repair_does_not_touch_what_somebody_else_left_dirty(database: Database) -> None:
    database.execute(
        "CREATE TABLE schema_migrations (version bigint not null primary key,"
        " dirty boolean not null); INSERT INTO schema_migrations VALUES (1, true)"
    )
    result = repair(request(database, source(table(1))))
    assert result.error is not None
    assert result.error.reason is Reason.DIRTY
    assert force(request(database), 1).unwrap() is None
    assert version_row(database) == [(1, False)]


def test_repair_after_a_sudden_death_skips_an_index_that_was_built(database: Database) -> None:
    files = source(
        table(1),
        migration(
            2, "CREATE INDEX CONCURRENTLY one ON t1 (id); CREATE INDEX CONCURRENTLY two ON t1 (id)"
        ),
    )
    up(request(database, source(table(1)))).unwrap()
    up(request(database, files)).unwrap()
    # As if the process had died after the first index, before it could count it.
    database.execute(
        "UPDATE schema_migrations SET dirty = true; DROP INDEX two;"
        " UPDATE schema_migrations_log SET outcome = 'running', statements_done = 0,"
        " done_checksum = encode(sha256(''), 'hex'), finished_at = NULL WHERE version = 2"
    )
    assert repair(request(database, files)).error is None
    assert indexes(database) == [("one", True), ("two", True)]
    assert version_row(database) == [(2, False)]


def test_several_transactions_in_a_file_count_as_they_are_committed(database: Database) -> None:
    files = source(
        migration(
            1,
            "BEGIN; CREATE TABLE a (); COMMIT;\nBEGIN; CREATE TABLE b (); SELECT 1/0; COMMIT;",
        )
    )
    result = up(request(database, files))
    assert result.error is not None
    assert result.error.location is not None
    assert result.error.location.line == 2
    assert table_names(database) == {"a"}
    assert log(database, "outcome, statements, statements_done") == [("failed", 7, 3)]
    good = source(
        migration(
            1,
            "BEGIN; CREATE TABLE a (); COMMIT;\nBEGIN; CREATE TABLE b (); SELECT 1/1; COMMIT;",
        )
    )
    assert repair(request(database, good)).error is None
    assert table_names(database) == {"a", "b"}


def test_a_directive_makes_each_statement_stand_alone(database: Database) -> None:
    files = source(migration(1, "-- dbmigrate:no-transaction\nCREATE TABLE a ();\nSELECT 1/0;"))
    result = up(request(database, files))
    assert result.error is not None
    assert table_names(database) == {"a"}
    assert version_row(database) == [(1, True)]


def test_x_multi_statement_runs_each_statement_by_itself(database: Database) -> None:
    files = source(
        migration(
            1,
            "CREATE TABLE a (t text DEFAULT 'a;b');\n"
            "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;\n"
            "CREATE INDEX CONCURRENTLY i ON a (t);",
        )
    )
    assert up(request(f"{database.url}&x-multi-statement=true", files)).unwrap() is None
    assert version_row(database) == [(1, False)]
    assert log(database, "statements, statements_done") == [(3, 3)]


def test_a_failed_way_down_leaves_the_version_below_dirty(database: Database) -> None:
    files = source(migration(1, "CREATE TABLE t1 ()", "DROP TABLE t1; VACUUM; SELECT 1/0"))
    up(request(database, files)).unwrap()
    result = down(request(database, files), 1)
    assert result.error is not None
    assert version_row(database) == [(-1, True)]
    assert (result.report.version, result.report.dirty) == (None, True)
    good = source(migration(1, "CREATE TABLE t1 ()", "DROP TABLE t1; VACUUM; SELECT 1"))
    assert repair(request(database, good)).error is None
    assert version_row(database) == []


def test_a_step_whose_script_is_nowhere_is_not_finished_by_another(database: Database) -> None:
    """The log holds the down script of a step up that was broken off: it is not what is left."""
    files = source(migration(1, "CREATE TABLE t1 (); VACUUM; SELECT 1/0", "DROP TABLE t1"))
    assert up(request(database, files)).error is not None
    result = repair(request(database, source()))
    assert result.error is not None
    assert result.error.reason is Reason.MISSING_VERSION
    assert "its up file is not there" in result.error.message
    assert table_names(database) == {"t1"}


def test_a_way_down_without_file_and_stored_script_can_not_be_finished(database: Database) -> None:
    files = source(migration(1, "CREATE TABLE t1 ()", "DROP TABLE t1; VACUUM; SELECT 1/0"))
    up(request(database, files)).unwrap()
    assert down(request(database, files), 1).error is not None
    database.execute("UPDATE schema_migrations_log SET down_script = NULL, down_file = NULL")
    result = repair(request(database, source()))
    assert result.error is not None
    assert result.error.reason is Reason.MISSING_VERSION
    assert "its down file is not there" in result.error.message


def test_settings_of_one_file_do_not_reach_the_next(database: Database) -> None:
    database.execute("CREATE SCHEMA other")
    files = source(
        migration(1, "SET search_path = other; VACUUM; CREATE TABLE a ()"),
        migration(2, "CREATE TABLE b ()"),
    )
    assert up(request(database, files)).unwrap() is None
    where = "SELECT schemaname, tablename FROM pg_tables WHERE tablename IN ('a', 'b')"
    assert sorted(database.query(where)) == [("other", "a"), ("public", "b")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("VACUUM;\nBEGIN;\nCREATE TABLE a ()", 2),
        ("BEGIN;\nCREATE TABLE a ();", 1),
        ("-- x\nSTART TRANSACTION ISOLATION LEVEL SERIALIZABLE;\nCREATE TABLE a ();", 2),
        ("BEGIN; SELECT 1; COMMIT;\n\nBEGIN WORK;\nCREATE TABLE a ();", 3),
        ("BEGIN;\nCREATE TABLE a ();\nCOMMIT AND CHAIN;", 3),
        ("BEGIN;\nBEGIN;\nCREATE TABLE a ();\nROLLBACK;\nBEGIN;", 5),
    ],
)
def test_a_transaction_that_a_file_leaves_open_is_refused(
    database: Database, text: str, line: int
) -> None:
    error = up(request(database, source(migration(1, text)))).error
    assert error is not None
    assert error.reason is Reason.SOURCE_INVALID
    assert (error.location and error.location.line) == line
    assert database.query("SELECT to_regclass('a'), to_regclass('schema_migrations')") == [
        (None, None)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN; CREATE TABLE a (); COMMIT;",
        "CREATE TABLE a (); COMMIT;",
        "BEGIN; SELECT 1; ROLLBACK; CREATE TABLE a ();",
        "BEGIN; CREATE TABLE a (); COMMIT AND NO CHAIN;",
        "BEGIN; BEGIN; CREATE TABLE a (); END;",
    ],
)
def test_a_transaction_that_a_file_ends_is_not(database: Database, text: str) -> None:
    assert up(request(database, source(migration(1, text)))).error is None
    assert table_names(database) == {"a"}


NOTHING_DONE = {
    "VACUUM nosuch;": "42P01",
    "CREATE INDEX CONCURRENTLY i ON nosuch (a);": "42P01",
    "DROP INDEX CONCURRENTLY nosuch;": "42704",
    "REINDEX TABLE CONCURRENTLY nosuch;": "42P01",
    "-- dbmigrate:no-transaction\nCREATE TABLE t1 (id int);\nVACUUM;": "42P07",
    "SET lock_timeout = 0;\nCREATE INDEX CONCURRENTLY i ON nosuch (a);\nSELECT 1;": "42P01",
    "BEGIN;\nCREATE TABLE a ();\nSELECT 1/0;\nCOMMIT;\nVACUUM;": "22012",
    "ALTER TABLE nosuch DETACH PARTITION p CONCURRENTLY;": "42P01",
    "ALTER TABLE t1 DETACH PARTITION p CONCURRENTLY;": "42809",
    "DROP DATABASE nosuch;": "3D000",
    "DROP TABLESPACE nosuch;": "42704",
    "DROP SUBSCRIPTION nosuch;": "42704",
}


@pytest.mark.parametrize("text", NOTHING_DONE)
@pytest.mark.parametrize("way", ["up", "down"])
def test_a_step_that_has_done_nothing_leaves_nothing_dirty(
    database: Database, text: str, way: str
) -> None:
    """The log has it as a step that failed; after a correction `up` just goes on."""
    good = migration(2, "CREATE TABLE good ();", "DROP TABLE good;")
    bad = migration(2, text) if way == "up" else migration(2, "CREATE TABLE good ();", text)
    up(request(database, source(table(1), *(() if way == "up" else (good,))))).unwrap()
    command = up if way == "up" else lambda made: down(made, 1)
    failed = command(request(database, source(table(1), bad)))
    assert failed.error is not None
    assert failed.error.sqlstate == NOTHING_DONE[text]
    assert "repair" not in (failed.error.hint or "")
    here = 1 if way == "up" else 2
    assert version_row(database) == [(here, False)]
    assert (failed.report.version, failed.report.dirty) == (str(here), False)
    assert log(database, "outcome, statements")[-1] == ("failed", None)
    assert command(request(database, source(table(1), good))).error is None
    assert version_row(database) == [(2 if way == "up" else 1, False)]


@pytest.mark.parametrize(
    "text",
    [
        "CREATE UNIQUE INDEX CONCURRENTLY two ON t1 (a);",
        "CREATE UNIQUE INDEX CONCURRENTLY ON t1 (a);",
        "VACUUM t1;\nVACUUM nosuch;",
        "CALL commits();",
        "DO $$ BEGIN CREATE TABLE half (); COMMIT; PERFORM 1/0; END $$;",
    ],
)
def test_a_step_that_may_have_done_something_is_dirty(database: Database, text: str) -> None:
    up(request(database, source(*DUPLICATES.migrations[:1]))).unwrap()
    database.execute(
        "CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$ BEGIN CREATE TABLE half (); COMMIT;"
        " PERFORM 1/0; END $$"
    )
    files = source(DUPLICATES.migrations[0], migration(2, f"-- dbmigrate:no-transaction\n{text}"))
    assert up(request(database, files)).error is not None
    assert version_row(database) == [(2, True)]
