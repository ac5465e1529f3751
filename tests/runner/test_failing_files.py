"""A file that fails: nothing has happened, and the error says where it went wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options
from dbmigrate.sources.golang_migrate import read_directory
from tests.database import Database
from tests.runner.arrange import (
    log,
    migration,
    request,
    source,
    table,
    table_names,
    tables,
    version_row,
)

pytestmark = pytest.mark.database


def fail(database: Database, text: str) -> MigrationError:
    """Apply a first version that works and a second one that is this text."""
    result = up(request(database, source(table(1), migration(2, text))))
    assert result.error is not None
    assert (result.report.outcome, result.report.version) == (Outcome.FAILED, "1")
    assert result.report.dirty is False
    assert version_row(database) == [(1, False)]
    assert table_names(database) == {"t1"}
    return result.error


@pytest.mark.parametrize(
    ("text", "sqlstate", "line", "column"),
    [
        pytest.param("CREATE TABLE t2 ();\nSELEC 1;", "42601", 2, 1, id="syntax"),
        pytest.param("CREATE TABLE t2 ();\n\n  SELECT 1, nope;", "42703", 3, 13, id="name"),
        pytest.param("/* é */ SELECT 'ß', nope", "42703", 1, 21, id="characters, not bytes"),
        pytest.param("CREATE TABLE t2 ();\r\nSELECT nope", "42703", 2, 8, id="CRLF"),
        pytest.param(
            "CREATE TABLE t2 ();\n-- then\n  SELECT 1/0;\nSELECT 2", "22012", 3, 3, id="at run time"
        ),
        pytest.param(
            "SELECT 1;\nDO $$\nBEGIN\n  PERFORM nope;\nEND $$;", "42703", 2, 1, id="in PL/pgSQL"
        ),
        pytest.param("SELECT 1/0", "22012", 1, 1, id="first statement"),
    ],
)
def test_an_error_has_its_line_and_column(
    database: Database, text: str, sqlstate: str, line: int, column: int
) -> None:
    error = fail(database, text)
    assert error.reason is Reason.STATEMENT_FAILED
    assert error.sqlstate == sqlstate
    assert error.location is not None
    assert error.location.file == "000002_m2.up.sql"
    assert (error.location.line, error.location.column) == (line, column)
    assert error.location.excerpt is not None
    assert error.location.excerpt.endswith("^")


def test_an_error_at_commit_belongs_to_the_file_and_to_no_line(database: Database) -> None:
    error = fail(
        database,
        "CREATE TABLE t2 (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);\n"
        "INSERT INTO t2 VALUES (1), (1);",
    )
    assert (error.reason, error.sqlstate) == (Reason.STATEMENT_FAILED, "23505")
    assert error.location is not None
    assert (error.location.file, error.location.line) == ("000002_m2.up.sql", None)


def test_detail_hint_and_context_of_the_server_are_passed_on(database: Database) -> None:
    error = fail(
        database,
        "DO $$ BEGIN RAISE EXCEPTION 'boom' USING DETAIL = 'so it is', HINT = 'do not'; END $$",
    )
    assert error.message == "migration failed: boom"
    assert error.hint == "do not"
    assert error.detail is not None
    assert error.detail.startswith("so it is; PL/pgSQL function inline_code_block line 1")


def test_the_log_keeps_the_failure(database: Database) -> None:
    fail(database, "SELECT 1/0")
    rows = log(database, "version, direction, outcome, from_version, to_version, error")
    assert rows[-1] == (
        2,
        "up",
        "failed",
        1,
        1,
        "migration failed: division by zero (SQLSTATE 22012)",
    )


def test_a_corrected_file_runs_without_anybodys_help(database: Database) -> None:
    fail(database, "CREATE TABLE t2 (); SELECT 1/0")
    assert up(request(database, tables(1, 2))).unwrap() is None
    assert version_row(database) == [(2, False)]


def test_a_file_that_is_wrapped_in_begin_and_commit_is_one_transaction(database: Database) -> None:
    fail(database, "BEGIN;\nCREATE TABLE t2 ();\nSELECT 1/0;\nCOMMIT;\n")
    files = source(table(1), migration(2, "BEGIN; CREATE TABLE t2 (); COMMIT"))
    assert up(request(database, files)).unwrap() is None
    assert table_names(database) == {"t1", "t2"}


def test_an_unterminated_string_can_not_swallow_what_follows(database: Database) -> None:
    error = fail(database, "SELECT 'oops")
    assert error.reason in {Reason.SOURCE_INVALID, Reason.STATEMENT_FAILED}


@pytest.mark.parametrize("text", ["SELECT $$ oops", "SELECT 1; /* oops"])
def test_of_an_open_quote_the_files_own_text_is_shown_alone(database: Database, text: str) -> None:
    error = fail(database, text)
    assert "unterminated" in error.message
    assert "oops" in error.message
    assert "schema_migrations" not in error.message


@pytest.mark.parametrize("text", ["SELECT 1;\nSELECT 'oops", 'SELECT 1;\nSELECT "oops'])
def test_a_quote_that_is_missing_is_found_where_the_string_begins(
    database: Database, text: str
) -> None:
    error = fail(database, text)
    assert error.reason is Reason.STATEMENT_FAILED
    assert "does not end: a quote is missing" in error.message
    assert error.location is not None
    assert (error.location.line, error.location.column) == (2, 8)


def test_a_statement_timeout_is_an_error_of_the_statement(database: Database) -> None:
    files = source(migration(1, "SELECT 1;\nSELECT pg_sleep(60)"))
    result = up(request(database, files, options=Options(statement_timeout_ms=1000)))
    assert result.error is not None
    assert (result.error.reason, result.error.sqlstate) == (Reason.STATEMENT_FAILED, "57014")
    assert result.error.location is not None
    assert result.error.location.line == 2


def test_the_urls_statement_timeout_holds_as_well(database: Database) -> None:
    files = source(migration(1, "SELECT pg_sleep(60)"))
    result = up(request(f"{database.url}&x-statement-timeout=1000", files))
    assert result.error is not None
    assert result.error.sqlstate == "57014"


def test_a_procedure_that_commits_can_not_leave_version_and_schema_apart(
    database: Database,
) -> None:
    database.execute(
        "CREATE PROCEDURE escape() LANGUAGE plpgsql AS $$ BEGIN CREATE TABLE t2 (); COMMIT; END $$"
    )
    error = fail(database, "CALL escape()")
    assert error.sqlstate == "2D000"


def test_copy_rows_of_pg_dump_run_in_the_transaction(database: Database) -> None:
    text = (
        "CREATE TABLE t2 (a int, b text);\nCOPY t2 (a, b) FROM stdin;\n1\tone\n2\t\\N\n\\.\n\n"
        "CREATE TABLE t3 (a int);\nCOPY t3 FROM stdin;\n7\n\\.\nSELECT nope;\n"
    )
    error = fail(database, text)
    assert error.location is not None
    assert (error.location.line, error.location.column) == (11, 8)
    files = source(table(1), migration(2, text.replace("nope", "1")))
    assert up(request(database, files)).unwrap() is None
    assert database.query("SELECT * FROM t2 ORDER BY 1") == [(1, "one"), (2, None)]
    assert database.query("SELECT * FROM t3") == [(7,)]


def test_a_bad_row_of_a_copy_is_named(database: Database) -> None:
    error = fail(database, "CREATE TABLE t2 (a int);\nCOPY t2 FROM stdin;\n1\nx\n\\.\n")
    assert error.sqlstate == "22P02"
    assert error.detail is not None
    assert "COPY t2, line 2" in error.detail
    assert error.location is not None
    assert error.location.line == 2


def test_a_large_file_fails_at_its_line(database: Database) -> None:
    lines = [f"SELECT {number}, '{'x' * 100}';" for number in range(20_000)]
    lines[15_000] = "SELECT 1/0;"
    error = fail(database, "\n".join(lines))
    assert error.location is not None
    assert error.location.line == 15_001


def test_all_files_are_looked_at_before_the_first_step(database: Database, tmp_path: Path) -> None:
    """A dangling link, bytes that are no text: nothing is applied, whichever file it is."""
    (tmp_path / "1_a.up.sql").write_text("CREATE TABLE a ();")
    (tmp_path / "2_b.up.sql").symlink_to(tmp_path / "nowhere")
    for _ in range(2):
        error = up(request(database, read_directory(tmp_path))).error
        assert error is not None
        assert error.reason is Reason.SOURCE_INVALID
        assert "2_b.up.sql" in error.message
        assert database.query("SELECT to_regclass('a'), to_regclass('schema_migrations')") == [
            (None, None)
        ]
        (tmp_path / "2_b.up.sql").unlink()
        (tmp_path / "2_b.up.sql").write_bytes(b"SELECT '\xff';")


def test_a_character_that_the_database_can_not_store_has_its_line(database: Database) -> None:
    other = Database(database.server, f"{database.name}_latin1")
    with database.connect() as connection:
        connection.autocommit = True
        connection.execute(
            f"CREATE DATABASE {other.name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"
        )
    try:
        text = "CREATE TABLE a ();\n-- five \u20ac\nCREATE TABLE b ();"
        error = up(request(other, source(migration(1, text)))).error
        assert error is not None
        assert (error.sqlstate, error.location and error.location.line) == ("22P05", 2)
    finally:
        other.drop()


def test_the_excerpt_shows_the_file_s_own_begin(database: Database) -> None:
    error = fail(database, "BEGIN; SELECT nosuch; COMMIT;")
    assert error.location is not None
    assert "BEGIN; SELECT nosuch; COMMIT;" in (error.location.excerpt or "")


def test_a_role_that_reads_only_is_told_what_keeps_it(database: Database) -> None:
    url = f"{database.url}&default_transaction_read_only=on"
    error = up(request(url, source(table(1)))).error
    assert error is not None
    assert error.sqlstate == "25006"
    assert "default_transaction_read_only is on" in (error.hint or "")


ROW_FILTER = "CREATE PUBLICATION p FOR TABLE schema_migrations WHERE (dirty)"
FOREIGN_DEFAULT = (
    "ALTER TABLE schema_migrations_log ALTER id DROP IDENTITY;"
    " CREATE SEQUENCE s MAXVALUE 2; SELECT nextval('s'), nextval('s');"
    " ALTER TABLE schema_migrations_log ALTER id SET DEFAULT nextval('s')"
)
UNIQUE = "CREATE UNIQUE INDEX u ON schema_migrations_log (direction)"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (ROW_FILTER, r"schema_migrations, a table of the history \((UPDATE|DELETE FROM)\): cannot"),
        (
            FOREIGN_DEFAULT,
            r"schema_migrations_log, a table of the history \(INSERT INTO\): nextval",
        ),
        (UNIQUE, r"schema_migrations_log, a table of the history \(INSERT INTO\): duplicate key"),
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE t2 ();\nCREATE TABLE t3 ();",
        "-- nothing\n",
        "-- dbmigrate:batched size=1\n"
        "DELETE FROM t1 WHERE id IN (SELECT id FROM t1 LIMIT :batch_size)",
        "-- dbmigrate:no-transaction\nCREATE TABLE t2 ();",
    ],
)
def test_what_prevents_the_history_is_not_the_files_fault(
    database: Database, broken: str, said: str, text: str
) -> None:
    assert up(request(database, tables(1))).error is None
    database.execute(broken)
    error = up(request(database, source(table(1), migration(2, text)))).error
    assert error is not None
    if "dbmigrate:" in text:
        said = r"the history public\.schema_migrations and its log"
    assert re.search(said, error.message), error.message
    assert error.location is None
    assert "t2" not in table_names(database)


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE schema_migrations_log",
        "DROP TABLE schema_migrations",
        "ALTER TABLE schema_migrations_log DROP COLUMN name",
        "ALTER TABLE schema_migrations_log RENAME TO other_log",
        "ALTER TABLE schema_migrations ALTER version TYPE uuid"
        " USING '00000000-0000-0000-0000-000000000000'",
        "DROP SCHEMA public CASCADE",
        "DROP TABLE schema_migrations_log; CREATE TABLE schema_migrations_log (id int)",
    ],
)
@pytest.mark.parametrize("end", ["", "; CREATE TABLE other (); VACUUM other"])
def test_a_file_that_changes_the_history_is_told_as_the_file_s_fault(
    database: Database, change: str, end: str
) -> None:
    if end and "DROP COLUMN" in change:
        pytest.skip("nothing is written to it any more: the next run says so")
    up(request(database, tables(1))).unwrap()
    files = source(table(1), migration(2, f"{change}{end};"))
    result = up(request(database, files))
    error = result.error
    assert error is not None
    assert error.reason in (Reason.STATEMENT_FAILED, Reason.FOREIGN_HISTORY)
    assert "not the cause" not in error.message
    assert error.location is not None
    assert error.location.file == "000002_m2.up.sql"
    if not end:
        assert "the file" in (error.hint or "")
        assert version_row(database) == [(1, False)]
