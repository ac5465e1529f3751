"""The command line of `diff`, as people type it."""

from __future__ import annotations

import json
import os
import pty
import sys
from pathlib import Path

import pytest

from tests.cli.program import PROGRAM, Ran, environment, run
from tests.database import Database

pytestmark = pytest.mark.database

USERS = "CREATE TABLE users (id int PRIMARY KEY, name text);"
WITH_PHONE = "CREATE TABLE users (id int PRIMARY KEY, name text, phone text);"


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    directory = tmp_path / "migrations"
    directory.mkdir()
    (directory / "000001_users.up.sql").write_text(USERS)
    (directory / "000001_users.down.sql").write_text("DROP TABLE users;")
    return directory


def diff(database: Database, migrations: Path, desired: str, *args: str, before: str = "") -> Ran:
    schema = migrations.parent / "schema.sql"
    schema.write_text(desired)
    return run(*before.split(), "-path", str(migrations), "diff", "-dev-url", database.url, *args)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())[2:]


def leftovers(database: Database) -> list[object]:
    rows = database.query("SELECT datname FROM pg_database WHERE datname LIKE 'dbmigrate_d%'")
    return [name for (name,) in rows]


def test_the_next_version_is_written_and_nothing_is_left_on_the_server(
    database: Database, migrations: Path
) -> None:
    ran = diff(database, migrations, WITH_PHONE, "add_phone")
    assert ran.code == 0, ran.stderr
    assert names(migrations) == ["000002_add_phone.down.sql", "000002_add_phone.up.sql"]
    up, down = (migrations / f"000002_add_phone.{way}.sql" for way in ("up", "down"))
    assert "ADD COLUMN phone text" in up.read_text()
    assert "DROP COLUMN phone" in down.read_text()
    assert ran.stderr.splitlines()[:2] == [str(up), str(down)]
    assert leftovers(database) == []


def test_it_needs_no_server(migrations: Path) -> None:
    (migrations.parent / "schema.sql").write_text(WITH_PHONE)
    ran = run("-path", str(migrations), "diff", "add_phone")
    assert ran.code == 0, ran.stderr
    assert len(names(migrations)) == 2


def test_no_difference_is_said_and_nothing_written(database: Database, migrations: Path) -> None:
    for args in (["again"], ["-check"], ["-dry-run"]):
        ran = diff(database, migrations, USERS, *args)
        assert (ran.code, ran.stdout, ran.stderr) == (0, "", "no difference\n")
    assert names(migrations) == []


def test_a_check_exits_with_3_and_says_what_would_change(
    database: Database, migrations: Path
) -> None:
    ran = diff(database, migrations, WITH_PHONE, "-check")
    assert ran.code == 3
    assert "column public.users.phone" in ran.stderr
    assert names(migrations) == []


def test_a_dry_run_prints_the_files(database: Database, migrations: Path) -> None:
    ran = diff(database, migrations, WITH_PHONE, "-dry-run", "add_phone")
    assert ran.code == 0
    assert "-- 000002_add_phone.up.sql\n    ALTER TABLE" in ran.stdout
    assert "-- 000002_add_phone.down.sql\n" in ran.stdout
    assert names(migrations) == []


def test_each_group_of_changes_has_a_version_of_its_own(
    database: Database, migrations: Path
) -> None:
    ran = diff(
        database, migrations, f"{WITH_PHONE} CREATE INDEX by_phone ON users (phone)", "add_phone"
    )
    assert ran.code == 0, ran.stderr
    assert [name for name in names(migrations) if ".up." in name] == [
        "000002_add_phone.up.sql",
        "000003_add_phone_index.up.sql",
    ]
    text = (migrations / "000003_add_phone_index.up.sql").read_text()
    assert text.startswith("CREATE INDEX CONCURRENTLY")


def test_plain_forms_need_fewer_files(database: Database, migrations: Path) -> None:
    wanted = f"{WITH_PHONE} CREATE INDEX by_phone ON users (phone)"
    ran = diff(database, migrations, wanted, "-plain", "add_phone")
    assert ran.code == 0, ran.stderr
    assert len(names(migrations)) == 2
    assert "error index-blocks-writes: 000002_add_phone.up.sql" in ran.stderr


def test_what_loses_data_is_marked_everywhere(database: Database, migrations: Path) -> None:
    wanted = "CREATE TABLE users (id int PRIMARY KEY);"
    ran = diff(database, migrations, wanted, "drop_name", before="-json")
    assert ran.code == 0, ran.stderr
    text = (migrations / "000002_drop_name.up.sql").read_text()
    assert text.startswith("-- DESTRUCTIVE: ")
    assert "warning: 000002_drop_name is destructive: " in ran.stderr
    assert "error column-dropped: 000002_drop_name.up.sql:2" in ran.stderr
    found = json.loads(ran.stdout)["diff"]
    (change,) = found["changes"]
    assert change["destroys"]
    assert found["written"] == [
        str(migrations / f"000002_drop_name.{way}.sql") for way in ("up", "down")
    ]
    assert [each["rule"] for each in found["findings"]] == ["column-dropped"]
    assert found["migrations"][0]["files"]["000002_drop_name.up.sql"] == text


RENAMED = "CREATE TABLE users (id int PRIMARY KEY, full_name text);"


def test_a_rename_is_not_guessed(database: Database, migrations: Path) -> None:
    ran = diff(database, migrations, RENAMED, "rename")
    assert ran.code == 1
    assert "renamed, or dropped and created? column public.users.name to" in ran.stderr
    assert "-rename 'column:public.users.name=public.users.full_name'" in ran.stderr
    assert "-no-renames" in ran.stderr
    assert names(migrations) == []


def test_a_rename_that_is_asked_for_keeps_the_data(database: Database, migrations: Path) -> None:
    ran = diff(
        database, migrations, RENAMED, "-rename", "column:public.users.name=full_name", "rename"
    )
    assert ran.code == 0, ran.stderr
    up, down = ((migrations / f"000002_rename.{way}.sql").read_text() for way in ("up", "down"))
    assert "RENAME COLUMN name TO full_name" in up
    assert "RENAME COLUMN full_name TO name" in down
    assert "DESTRUCTIVE" not in up + down


def test_without_renames_it_is_dropped_and_created(database: Database, migrations: Path) -> None:
    ran = diff(database, migrations, RENAMED, "-no-renames", "rename")
    assert ran.code == 0, ran.stderr
    assert "DROP COLUMN name" in (migrations / "000002_rename.up.sql").read_text()


@pytest.mark.parametrize(("answer", "word"), [("y", "RENAME COLUMN"), ("n", "DROP COLUMN")])
def test_on_a_terminal_it_is_asked(
    database: Database, migrations: Path, answer: str, word: str
) -> None:
    (migrations.parent / "schema.sql").write_text(RENAMED)
    command = [str(PROGRAM), "-path", str(migrations), "diff", "-dev-url", database.url, "rename"]
    said = on_a_terminal(command, f"{answer}\n")
    assert "Is column public.users.name to" in said
    assert word in (migrations / "000002_rename.up.sql").read_text()


def on_a_terminal(command: list[str], answers: str) -> str:
    """Run it as people do; what the terminal showed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(command[0], command, environment({"TERM": "xterm"}))
    os.write(terminal, answers.encode())
    said = b""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # how Linux says that the other end was closed
            break
        if not piece:
            break
        said += piece
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, said
    return said.decode()


def test_what_is_not_handled_is_named_where_it_differs(
    database: Database, migrations: Path
) -> None:
    rare = "CREATE CONVERSION c FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;"
    ran = diff(database, migrations, f"{USERS} {rare}", "c")
    assert ran.code == 1
    assert "does not handle: conversion public.c" in ran.stderr
    assert names(migrations) == []
    first = migrations / "000001_users.up.sql"
    first.write_text(f"{USERS} {rare}")
    ran = diff(database, migrations, f"{WITH_PHONE} {rare}", "add_phone")
    assert ran.code == 0, ran.stderr


def test_the_schema_of_a_live_database_is_taken(database: Database, migrations: Path) -> None:
    assert run("-path", str(migrations), "-database", database.url, "up").code == 0
    database.execute("ALTER TABLE users ADD phone text; INSERT INTO users VALUES (1, 'a', 'b')")
    path = {"PATH": str(database.server.bin_dir)}
    words = ["diff", "-dev-url", database.url, "-to", database.url, "add_phone"]
    ran = run("-path", str(migrations), *words, environ=path)
    assert ran.code == 0, ran.stderr
    assert "ADD COLUMN phone text" in (migrations / "000002_add_phone.up.sql").read_text()
    assert database.query("SELECT * FROM users") == [(1, "a", "b")]


def test_the_history_of_atlas_is_no_part_of_a_live_database(
    database: Database, tmp_path: Path
) -> None:
    migrations = tmp_path / "migrations"
    migrations.mkdir()
    (migrations / "20240101000000_users.sql").write_text(USERS)
    assert run("-path", str(migrations), "hash").code == 0
    assert run("-path", str(migrations), "-database", database.url, "up").code == 0
    database.execute("ALTER TABLE users ADD phone text")
    path = {"PATH": str(database.server.bin_dir)}
    words = ["diff", "-dev-url", database.url, "-to", database.url, "add_phone"]
    ran = run("-path", str(migrations), *words, environ=path)
    assert ran.code == 0, ran.stderr
    (written,) = migrations.glob("*_add_phone.sql")
    assert written.read_text() == "ALTER TABLE public.users ADD COLUMN phone text;\n"
    assert run("-path", str(migrations), "hash", "-check").code == 0


def test_a_program_is_asked_and_its_words_are_shown_when_it_fails(
    database: Database, migrations: Path
) -> None:
    code = f"print('{WITH_PHONE}')"
    base = ["-path", str(migrations), "diff", "-dev-url", database.url]
    ran = run(*base, "-to", f'exec:{sys.executable} -c "{code}"', "add_phone")
    assert ran.code == 0, ran.stderr
    ran = run(*base, "-to", f"exec:{sys.executable} -c 'raise SystemExit(\"no models\")'", "x")
    assert ran.code == 1
    assert "ended with code 1\n  detail: no models" in ran.stderr


@pytest.mark.parametrize(
    ("first", "mark"),
    [
        ("-- +goose Up\n{}\n-- +goose Down\nDROP TABLE users;\n", "-- +goose Up"),
        ("-- migrate:up\n{}\n-- migrate:down\nDROP TABLE users;\n", "-- migrate:up"),
    ],
)
def test_the_files_are_of_the_format_of_those_beside_them(
    database: Database, tmp_path: Path, first: str, mark: str
) -> None:
    migrations = tmp_path / "migrations"
    migrations.mkdir()
    (migrations / "00001_users.sql").write_text(first.format(USERS))
    wanted = (
        f"{WITH_PHONE} CREATE INDEX i ON users (phone); CREATE FUNCTION f() RETURNS int"
        " LANGUAGE plpgsql AS $$\nBEGIN\n  RETURN 1;\nEND;\n$$;"
    )
    ran = diff(database, migrations, wanted, "add_phone")
    assert ran.code == 0, ran.stderr
    written = sorted(path.name for path in migrations.iterdir())[1:]
    assert written == ["00002_add_phone.sql", "00003_add_phone_index.sql"]
    assert mark in (migrations / written[0]).read_text()
    ran = run("-path", str(migrations), "-database", database.url, "up")
    assert ran.code == 0, ran.stderr
    assert database.query("SELECT f()") == [(1,)]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "please specify name"),
        (["a", "b"], "too many arguments: b"),
        (["a b"], "malformed migration name"),
        (["-to", "nowhere", "a"], "nowhere: no such file"),
        (["-rename", "x", "a"], "expected kind:old=new"),
        (["-rename", "column:public.users.fax=x", "a"], "fax"),
    ],
)
def test_mistakes_are_told(
    database: Database, migrations: Path, args: list[str], said: str
) -> None:
    ran = diff(database, migrations, WITH_PHONE, *args)
    assert ran.code == 1
    assert said in ran.stderr
    assert names(migrations) == []


def test_a_schema_that_is_nowhere_is_asked_for(migrations: Path) -> None:
    ran = run("-path", str(migrations), "diff", "x")
    assert ran.code == 1
    assert "name it with -to" in ran.stderr


def test_migrations_that_fail_are_shown_with_their_place(
    database: Database, migrations: Path
) -> None:
    (migrations / "000002_bad.up.sql").write_text("ALTER TABLE nothing ADD x int;")
    ran = diff(database, migrations, USERS, "x")
    assert ran.code == 1
    assert "the migrations can't be run: " in ran.stderr
    assert "000002_bad.up.sql:1" in ran.stderr
    assert leftovers(database) == []


def test_the_target_is_not_even_asked(database: Database, migrations: Path) -> None:
    away = "postgres://nobody@127.0.0.1:1/none?sslmode=disable"
    ran = diff(database, migrations, WITH_PHONE, "x", before=f"-database {away}")
    assert ran.code == 0, ran.stderr


def test_the_schema_of_a_live_databases_history_is_no_part_of_what_is_wanted(
    database: Database, migrations: Path
) -> None:
    database.execute("CREATE SCHEMA ops")
    base = ("-path", str(migrations), "-history-table", "ops.versions")
    assert run(*base, "-database", database.url, "up").code == 0
    wanted = ("diff", "-dev-url", database.url, "-to", database.url)
    ran = run(*base, *wanted, "again")
    assert (ran.code, ran.stderr) == (0, "no difference\n")
    database.execute("CREATE TABLE ops.jobs (id int)")
    ran = run(*base, *wanted, "-check")
    assert (ran.code, ran.stderr.splitlines()[:2]) == (
        3,
        ["create schema ops", "create table ops.jobs"],
    )


@pytest.mark.parametrize("is_theirs", [False, True])
def test_migrations_that_make_a_role_on_both_sides(
    database: Database, migrations: Path, is_theirs: bool
) -> None:
    role = f"app_{migrations.parent.name.replace('-', '_')}".lower()
    begun = f"CREATE ROLE {role}; CREATE TABLE users (id int); GRANT SELECT ON users TO {role};"
    (migrations / "000001_users.up.sql").write_text(begun)
    other = migrations.parent / "other"
    other.mkdir()
    (other / "1_users.up.sql").write_text(begun)
    (other / "2_phone.up.sql").write_text("ALTER TABLE users ADD phone text;")
    words = ["-path", str(migrations), "diff", "-to", str(other)]
    if not is_theirs:
        ran = run(*words, "add_phone")
        assert ran.code == 0, ran.stderr
        assert "ADD COLUMN phone" in (migrations / "000002_add_phone.up.sql").read_text()
        return
    ran = run(*words, "-dev-url", database.url, "add_phone")
    database.execute(f"DROP ROLE {role}")
    assert ran.code == 1
    assert f'role "{role}" already exists' in ran.stderr
    assert "roles belong to the whole server" in ran.stderr
    assert leftovers(database) == []


CALLS = """CREATE FUNCTION z() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
CREATE FUNCTION a() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN z(); END';"""


def test_the_proof_has_rows(database: Database, migrations: Path) -> None:
    wanted = f"{CALLS} CREATE TABLE users (id int PRIMARY KEY, name text, x int DEFAULT a());"
    ran = diff(database, migrations, wanted, "calls")
    assert (ran.code, "where tables have rows" in ran.stderr) == (0, False), ran.stderr
    wanted = wanted.replace("x int DEFAULT a()", "x int DEFAULT a(), y int NOT NULL")
    ran = diff(database, migrations, wanted, "required")
    assert ran.code == 0, ran.stderr
    assert "_required fails where tables have rows: ALTER TABLE public.users ADD" in ran.stderr


def test_a_subscription_leaves_no_scratch_database_behind(
    database: Database, migrations: Path
) -> None:
    words = "CONNECTION 'host=127.0.0.1 dbname=nowhere' PUBLICATION p WITH (connect = false)"
    (migrations / "000001_users.up.sql").write_text(f"{USERS} CREATE SUBSCRIPTION s {words};")
    ran = diff(database, migrations, WITH_PHONE, "add_phone")
    assert "does not handle: subscription s" in ran.stderr
    assert leftovers(database) == []


def test_a_type_that_is_only_widened_is_no_finding(database: Database, migrations: Path) -> None:
    first = migrations / "000001_users.up.sql"
    first.write_text("CREATE TABLE users (id int PRIMARY KEY, name varchar(10), n numeric(5, 2));")
    wider = "CREATE TABLE users (id int PRIMARY KEY, name text, n numeric(9, 2));"
    ran = diff(database, migrations, wider, "wider")
    assert (ran.code, "type-rewrites" in ran.stderr) == (0, False), ran.stderr
    other = wider.replace("name text", "name date")
    ran = diff(database, migrations, other, "other")
    assert "type-rewrites" in ran.stderr


def test_an_extension_that_can_not_go_back_has_a_down_script_that_says_so(
    database: Database, migrations: Path
) -> None:
    first = migrations / "000001_users.up.sql"
    first.write_text(f"{USERS} CREATE EXTENSION hstore VERSION '1.4';")
    (migrations / "000001_users.down.sql").write_text("DROP EXTENSION hstore; DROP TABLE users")
    ran = diff(database, migrations, f"{USERS} CREATE EXTENSION hstore VERSION '1.5';", "newer")
    assert ran.code == 0, ran.stderr
    assert "there is no way back: extension hstore can not go from 1.5 to 1.4" in ran.stderr
    up, down = (migrations / f"000002_newer.{way}.sql" for way in ("up", "down"))
    assert "ALTER EXTENSION hstore UPDATE TO '1.5'" in up.read_text()
    assert "RAISE EXCEPTION" in down.read_text()
