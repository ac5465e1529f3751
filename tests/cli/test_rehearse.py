"""`rehearse`: up, down and up again in a scratch database that is gone afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.program import run
from tests.database import Database

pytestmark = pytest.mark.database

GOOD = {
    "1_users.up.sql": "CREATE TABLE users (id int PRIMARY KEY);",
    "1_users.down.sql": "DROP TABLE users;",
    "2_phone.up.sql": "ALTER TABLE users ADD phone text;",
    "2_phone.down.sql": "ALTER TABLE users DROP phone;",
}


def write(directory: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (directory / name).write_text(text)
    return str(directory)


def scratch_databases(database: Database) -> list[object]:
    rows = database.query("SELECT datname FROM pg_database WHERE datname LIKE 'dbmigrate_reh%'")
    return [name for (name,) in rows]


def test_steps_whose_down_scripts_undo_them_pass_without_any_database(tmp_path: Path) -> None:
    ran = run("-path", write(tmp_path, GOOD), "rehearse")
    assert ran.code == 0, ran.stderr
    assert "2 of 2 steps went up, down and up again, and nothing was left" in ran.stderr
    assert [line.split()[0] for line in ran.stderr.splitlines()[:-2]] == [
        "1/u",
        "1/d",
        "1/u",
        "2/u",
        "2/d",
        "2/u",
    ]


@pytest.mark.parametrize(
    ("up", "down", "left"),
    [
        (
            "CREATE TYPE m AS ENUM ('a'); ALTER TABLE users ADD m m",
            "ALTER TABLE users DROP m",
            "type public.m is left",
        ),
        ("ALTER TABLE users ADD n int", "SELECT 1", "column public.users.n is left"),
        ("COMMENT ON TABLE users IS 'x'", "", "comment table public.users is left"),
        ("ALTER TABLE users ALTER id TYPE bigint", "", "column public.users.id was 'integer"),
        ("CREATE INDEX CONCURRENTLY i ON users (id)", "SELECT 1", "index public.i is left"),
    ],
)
def test_what_a_down_script_leaves_is_named(
    database: Database, tmp_path: Path, up: str, down: str, left: str
) -> None:
    files = {**GOOD, "2_phone.up.sql": up, "2_phone.down.sql": down}
    ran = run("-path", write(tmp_path, files), "-json", "rehearse", "-dev-url", database.url)
    assert ran.code == 1
    report = json.loads(ran.stdout)
    assert report["error"]["reason"] == "IrreversibleMigration"
    assert left in report["error"]["message"]
    assert report["rehearsal"][0]["left"] == []
    assert report["rehearsal"][1]["left"][0].startswith(left)
    assert scratch_databases(database) == []


def test_the_copy_of_a_database_has_its_schema_and_what_is_pending_is_rehearsed(
    database: Database, tmp_path: Path
) -> None:
    write(tmp_path, GOOD)
    assert run("-path", str(tmp_path), "-database", database.url, "up", "1").code == 0
    database.execute("INSERT INTO users VALUES (1); CREATE VIEW v AS SELECT id FROM users")
    before = database.dump_schema()
    words = ["-path", str(tmp_path), "-database", database.url, "-json", "rehearse", "-copy"]
    path = {"PATH": str(database.server.bin_dir)}
    ran = run(*words, "-dev-url", database.url, environ=path)
    assert ran.code == 0, ran.stderr
    (step,) = json.loads(ran.stdout)["rehearsal"]
    assert step["version"] == "2"
    assert step["locks"] == [{"table": "public.users", "mode": "ACCESS EXCLUSIVE"}]
    assert database.dump_schema() == before
    assert database.query("SELECT version FROM schema_migrations") == [(1,)]
    assert scratch_databases(database) == []


USED = {
    "1_used.up.sql": "CREATE TABLE used (id int, name varchar(10), note text);"
    ' CREATE TABLE "Other" (id int); CREATE MATERIALIZED VIEW counts AS SELECT 1 AS n',
}


@pytest.mark.parametrize(
    ("up", "down", "rewritten"),
    [
        ("ALTER TABLE used ALTER id TYPE bigint", "ALTER TABLE used ALTER id TYPE int", ["used"]),
        ("ALTER TABLE used ADD r float DEFAULT random()", "ALTER TABLE used DROP r", ["used"]),
        ('VACUUM FULL "Other"', "", ['"Other"']),
        ("REFRESH MATERIALIZED VIEW counts", "", ["counts"]),
        ("ALTER TABLE used SET UNLOGGED", "ALTER TABLE used SET LOGGED", ["used"]),
        (
            "ALTER TABLE used ALTER name TYPE text",
            "ALTER TABLE used ALTER name TYPE varchar(10)",
            [],
        ),
        ("ALTER TABLE used ADD d int DEFAULT 1", "ALTER TABLE used DROP d", []),
        ("TRUNCATE used", "", []),
        (
            "TRUNCATE used; ALTER TABLE used ALTER id TYPE bigint",
            "ALTER TABLE used ALTER id TYPE int",
            ["used"],
        ),
        ("CREATE TABLE t (a int); ALTER TABLE t ALTER a TYPE text", "DROP TABLE t", []),
    ],
)
def test_the_tables_that_a_step_rewrites_are_said(
    database: Database, tmp_path: Path, up: str, down: str, rewritten: list[str]
) -> None:
    files = {**USED, "2_more.up.sql": up, "2_more.down.sql": down}
    ran = run("-path", write(tmp_path, files), "-json", "rehearse", "-dev-url", database.url)
    assert ran.code == 0, ran.stderr
    steps = json.loads(ran.stdout)["rehearsal"]
    assert steps[0]["rewritten"] == []
    assert steps[1]["rewritten"] == [f"public.{name}" for name in rewritten]
    for name in rewritten:
        assert f"version 2 (more) rewrites the table public.{name}" in ran.stderr


def test_the_strongest_lock_on_a_table_that_was_there_is_said(
    database: Database, tmp_path: Path
) -> None:
    files = {
        **USED,
        "2_index.up.sql": "CREATE INDEX i ON used (id)",
        "3_add.up.sql": "CREATE TABLE own (id int); ALTER TABLE used ADD extra int",
    }
    ran = run("-path", write(tmp_path, files), "-json", "rehearse", "-dev-url", database.url)
    assert ran.code == 0, ran.stderr
    steps = json.loads(ran.stdout)["rehearsal"]
    assert [step["locks"] for step in steps] == [
        [],
        [{"table": "public.used", "mode": "SHARE"}],
        [{"table": "public.used", "mode": "ACCESS EXCLUSIVE"}],
    ]
    said = f"held for up to {steps[2]['up']} ms by version 3 (add)"
    assert f"strongest lock: ACCESS EXCLUSIVE on public.used, {said}" in ran.stderr


def test_what_a_script_leaves_in_its_session_is_not_there_in_the_next(
    database: Database, tmp_path: Path
) -> None:
    files = {
        **GOOD,
        "2_phone.up.sql": "CREATE TEMP TABLE passing (id int); PREPARE p AS SELECT 1;"
        " DECLARE c CURSOR WITH HOLD FOR SELECT 1; SET search_path = nowhere;"
        " SELECT pg_advisory_lock(7); LISTEN news; ALTER TABLE public.users ADD phone text",
    }
    ran = run("-path", write(tmp_path, files), "rehearse", "-dev-url", database.url)
    assert ran.code == 0, ran.stderr
    assert "2 of 2 steps went up, down and up again" in ran.stderr


def test_on_a_server_of_our_own_the_copy_has_the_roles_of_the_database(
    database: Database, tmp_path: Path
) -> None:
    role = database.create_role()
    database.execute(
        f"CREATE TABLE users (id int); ALTER TABLE users OWNER TO {role};"
        f"CREATE POLICY own ON users TO {role} USING (true)"
    )
    files = {
        "1_owner.up.sql": "ALTER TABLE users OWNER TO CURRENT_USER;",
        "1_owner.down.sql": f"ALTER TABLE users OWNER TO {role};",
    }
    words = ["-path", write(tmp_path, files), "-database", database.url, "rehearse", "-copy"]
    ran = run(*words, environ={"PATH": str(database.server.bin_dir)})
    assert ran.code == 0, ran.stderr
    assert "1 of 1 steps went up, down and up again, and nothing was left" in ran.stderr


def test_the_database_itself_is_not_even_asked(tmp_path: Path) -> None:
    away = "postgres://nobody@127.0.0.1:1/none?sslmode=disable"
    assert run("-path", write(tmp_path, GOOD), "-database", away, "rehearse").code == 0


def test_a_step_without_a_down_script_is_said_and_no_error(tmp_path: Path) -> None:
    files = {name: text for name, text in GOOD.items() if name != "2_phone.down.sql"}
    ran = run("-path", write(tmp_path, files), "rehearse")
    assert ran.code == 0
    assert "version 2 has no down script" in ran.stderr
    assert "1 of 2 steps went up, down and up again" in ran.stderr


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "2_phone.down.sql",
            "ALTER TABLE users DROP fax",
            "version 2 (phone): the way down failed",
        ),
        ("2_phone.up.sql", "ALTER TABLE nothing ADD x int", "2_phone.up.sql:1"),
    ],
)
def test_a_script_that_fails_is_shown_with_its_place(
    database: Database, tmp_path: Path, name: str, text: str, said: str
) -> None:
    words = ["-path", write(tmp_path, {**GOOD, name: text}), "rehearse", "-dev-url", database.url]
    ran = run(*words)
    assert ran.code == 1
    assert said in ran.stderr
    assert f"{name}:1" in ran.stderr
    assert scratch_databases(database) == []


def test_a_server_on_which_no_database_may_be_made_is_an_error(
    database: Database, tmp_path: Path
) -> None:
    role = database.create_role(password="x")
    dev = database.url_for(role, "x")
    ran = run("-path", write(tmp_path, GOOD), "rehearse", "-dev-url", dev)
    assert ran.code == 1
    assert "can't create a scratch database" in ran.stderr
    assert "permission denied" in ran.stderr


def test_files_of_goose_are_rehearsed_too(tmp_path: Path) -> None:
    text = "-- +goose Up\nCREATE TABLE users (id int);\n-- +goose Down\nDROP TABLE users;\n"
    ran = run("-path", write(tmp_path, {"00001_users.sql": text}), "rehearse")
    assert ran.code == 0, ran.stderr
    assert "1 of 1 steps went up, down and up again" in ran.stderr
