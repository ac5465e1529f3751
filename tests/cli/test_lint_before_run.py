"""`-lint`: what is pending is looked at before the first step, and may stop the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dbmigrate.runner.preparation import lint_gate
from tests.cli.program import Ran, run, run_here, write_scripts
from tests.database import Database

pytestmark = pytest.mark.database

BIG = (
    "CREATE TABLE users (id int, name text);"
    "INSERT INTO users SELECT n, repeat('x', 900) FROM generate_series(1, 20000) n; ANALYZE users"
)
INDEX = "CREATE INDEX users_name ON users (name);"
FILES = {
    "1_users.up.sql": "SELECT 1;",
    "1_users.down.sql": "SELECT 1;",
    "2_index.up.sql": f"-- an index\n{INDEX}\n",
    "2_index.down.sql": "DROP INDEX users_name;",
}


def up(database: Database, directory: Path, policy: str, *words: str) -> Ran:
    options = ["-path", str(directory), "-database", database.url, "-lint", policy]
    return run(*options, "-json", *(words or ("up",)))


def report_of(ran: Ran) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(ran.stdout)
    return document


@pytest.fixture
def big(database: Database) -> Database:
    database.execute(BIG)
    return database


@pytest.mark.parametrize("command", [("up",), ("goto", "2"), ("plan",)])
def test_an_error_of_a_pending_file_stops_the_run_before_it_has_changed_anything(
    big: Database, tmp_path: Path, command: tuple[str, ...]
) -> None:
    ran = up(big, write_scripts(tmp_path, FILES), "reject", *command)
    assert ran.code == 1
    report = report_of(ran)
    error = report["error"]
    assert (error["reason"], error["retryable"]) == ("LintRejected", False)
    assert (error["file"], error["line"]) == ("2_index.up.sql", 2)
    assert "20,000 rows" in error["message"]
    assert "-- dbmigrate:ignore index-blocks-writes" in error["hint"]
    assert "CREATE INDEX CONCURRENTLY" in error["hint"]
    (found,) = report["findings"]
    assert (found["rule"], found["severity"]) == ("index-blocks-writes", "error")
    assert report["findingsTotal"] == 1
    assert big.query("SELECT to_regclass('schema_migrations')") == [(None,)]


def test_what_says_that_it_is_meant_is_run(big: Database, tmp_path: Path) -> None:
    meant = {"2_index.up.sql": f"-- dbmigrate:ignore index-blocks-writes at night\n{INDEX}"}
    ran = up(big, write_scripts(tmp_path, FILES | meant), "reject")
    assert ran.code == 0, ran.stderr
    assert "findings" not in report_of(ran)


def test_what_is_applied_already_is_not_looked_at(big: Database, tmp_path: Path) -> None:
    directory = write_scripts(tmp_path, FILES)
    assert up(big, directory, "off").code == 0
    write_scripts(tmp_path, {"3_more.up.sql": "SELECT 1;", "3_more.down.sql": "SELECT 1;"})
    ran = up(big, directory, "reject")
    assert ran.code == 0, ran.stderr


def test_a_warning_is_told_and_the_run_goes_on(big: Database, tmp_path: Path) -> None:
    ran = up(big, write_scripts(tmp_path, FILES), "warn")
    assert ran.code == 0
    assert "2_index.up.sql: line 2: index-blocks-writes: users: CREATE INDEX keeps" in ran.stderr
    assert "instead: CREATE INDEX CONCURRENTLY" in ran.stderr
    assert [found["file"] for found in report_of(ran)["findings"]] == ["2_index.up.sql"]


def test_without_a_word_nobody_looks(big: Database, tmp_path: Path) -> None:
    directory = write_scripts(tmp_path, FILES)
    ran = run("-path", str(directory), "-database", big.url, "-json", "up")
    assert ran.code == 0
    assert "index-blocks-writes" not in ran.stderr
    assert "findings" not in report_of(ran)


def test_an_environment_twin_says_the_same(big: Database, tmp_path: Path) -> None:
    directory = write_scripts(tmp_path, FILES)
    words = ["-path", str(directory), "-database", big.url, "up"]
    assert run(*words, environ={"DBMIGRATE_LINT": "reject"}).code == 1


def test_a_small_table_is_no_reason(database: Database, tmp_path: Path) -> None:
    database.execute("CREATE TABLE users (id int, name text)")
    ran = up(database, write_scripts(tmp_path, FILES), "reject")
    assert ran.code == 0
    assert "info: 2_index.up.sql: line 2: index-blocks-writes" in ran.stderr
    assert "findings" not in report_of(ran)


def test_tables_that_the_pending_files_make_concern_nobody(
    database: Database, tmp_path: Path
) -> None:
    files = {
        "1_users.up.sql": "CREATE TABLE public.users (id int, name text, phone text);",
        "1_users.down.sql": "DROP TABLE users;",
        "2_index.up.sql": f"{INDEX} ALTER TABLE users DROP phone;",
        "2_index.down.sql": "DROP INDEX users_name;",
    }
    ran = up(database, write_scripts(tmp_path, files), "reject")
    assert ran.code == 0, ran.stderr


def test_a_table_that_got_its_name_on_the_way_is_not_a_new_one(
    big: Database, tmp_path: Path
) -> None:
    files = {
        "1_rename.up.sql": "-- dbmigrate:ignore renamed\nALTER TABLE users RENAME TO people;",
        "1_rename.down.sql": "ALTER TABLE people RENAME TO users;",
        "2_drop.up.sql": "ALTER TABLE people DROP name;",
        "2_drop.down.sql": "ALTER TABLE people ADD name text;",
    }
    ran = up(big, write_scripts(tmp_path, files), "reject")
    assert report_of(ran)["error"]["file"] == "2_drop.up.sql"


def test_a_way_down_is_nothing_for_lint(database: Database, tmp_path: Path) -> None:
    directory = write_scripts(tmp_path)
    assert up(database, directory, "off").code == 0
    ran = up(database, directory, "reject", "goto", "1")
    assert ran.code == 0, ran.stderr


def test_a_table_that_somebody_keeps_to_himself_is_waited_for_another_time(
    big: Database, tmp_path: Path
) -> None:
    directory = write_scripts(tmp_path, FILES)
    with big.connect() as other:
        other.execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        error = report_of(up(big, directory, "reject"))["error"]
    assert (error["reason"], error["retryable"]) == ("BlockedByQuery", True)
    assert "the sizes of the tables" in error["message"]
    assert up(big, directory, "reject").code == 1


@pytest.mark.parametrize("policy", ["warn", "reject"])
def test_a_column_named_like_a_key_word_stops_no_run(
    database: Database, tmp_path: Path, policy: str
) -> None:
    database.execute('CREATE TABLE t ("if" int, a int)')
    files = {
        "1_drop.up.sql": "-- dbmigrate:ignore column-dropped\nALTER TABLE t DROP COLUMN if;",
        "1_drop.down.sql": "ALTER TABLE t ADD if int;",
    }
    ran = up(database, write_scripts(tmp_path, files), policy)
    assert (ran.code, report_of(ran)["version"]) == (0, "1"), ran.stderr


def test_a_fault_of_lint_stops_no_run(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RecursionError

    monkeypatch.setattr(lint_gate, "judge_pending", fail)
    write_scripts(tmp_path, {"1_x.up.sql": "CREATE TABLE t (a int);", "1_x.down.sql": ""})
    ran = run_here("-path", str(tmp_path), "-database", database.url, "-lint", "reject", "up")
    assert ran.code == 0, ran.stderr
    assert "lint has no result: RecursionError" in ran.stderr
    assert database.query("SELECT version FROM schema_migrations") == [(1,)]


@pytest.mark.parametrize(
    ("new", "code"), [("varchar(20)", 0), ("text", 0), ("varchar(5)", 1), ("char(20)", 1)]
)
def test_the_catalog_tells_of_a_type_that_is_only_widened(
    big: Database, tmp_path: Path, new: str, code: int
) -> None:
    big.execute("ALTER TABLE users ADD code varchar(10)")
    file = pg_file(big)
    files = {
        "1_code.up.sql": f"ALTER TABLE users ALTER code TYPE {new};",
        "1_code.down.sql": "SELECT 1;",
    }
    ran = up(big, write_scripts(tmp_path, files), "reject")
    assert ran.code == code, ran.stderr
    assert ("type-rewrites" in ran.stderr) is bool(code)
    assert pg_file(big) == file


def pg_file(database: Database) -> object:
    return database.query("SELECT pg_relation_filenode('users')")
