"""The command line on a real database: texts, streams, exit codes, reports."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dbmigrate.postgres.history.advisory_locks import lock_id
from tests.cli.program import PROGRAM, SCRIPTS, environment, run, start, write_scripts
from tests.cluster.waiting import eventually
from tests.database.server import Database

TIME = r"\(\d+(\.\d+)?(ms|s|µs)\)"


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(write_scripts(tmp_path / "migrations"))


def version(database: Database) -> list[tuple[Any, ...]]:
    return database.query("SELECT version, dirty FROM schema_migrations")


def test_up_tells_each_step_and_then_that_there_is_nothing_to_do(
    database: Database, path: str
) -> None:
    done = run("-path", path, "-database", database.url, "up")
    assert (done.code, done.stdout) == (0, "")
    assert re.fullmatch(f"1/u users {TIME}\n2/u phone {TIME}\n3/u orders {TIME}\n", done.stderr)
    assert version(database) == [(3, False)]
    assert run("-path", path, "-database", database.url, "up") == (0, "", "no change\n")


def test_the_main_commands_move_the_version(database: Database, path: str) -> None:
    options = ["-path", path, "-database", database.url]
    assert run(*options, "version") == (1, "", "error: no migration\n")
    for command, stderr, code in (
        (["up", "1"], f"1/u users {TIME}\n", 0),
        (["version"], "1\n", 0),
        (["goto", "3"], f"2/u phone {TIME}\n3/u orders {TIME}\n", 0),
        (["goto", "3"], "no change\n", 0),
        (["down", "2"], f"3/d orders {TIME}\n2/d phone {TIME}\n", 0),
        (["goto", "latest"], f"2/u phone {TIME}\n3/u orders {TIME}\n", 0),
        (["force", "2"], "", 0),
        (["version"], "2\n", 0),
        (["force", "-1"], "", 0),
        (["version"], "error: no migration\n", 1),
        (["goto", "7"], "error: .*7.*\n(  hint: .*\n)?", 1),
    ):
        done = run(*options, *command)
        assert done.code == code, (command, done)
        assert re.fullmatch(stderr, done.stderr), (command, done)
        assert done.stdout == ""


def test_force_and_version_need_no_source(database: Database) -> None:
    assert run("-database", database.url, "force", "5").code == 0
    assert run("-database", database.url, "version") == (0, "", "5\n")


def test_down_without_a_number_asks(database: Database, path: str) -> None:
    options = ["-path", path, "-database", database.url]
    assert run(*options, "up").code == 0
    assert run(*options, "down").code == 1
    assert version(database) == [(3, False)]
    done = run(*options, "down", answers="y\n")
    assert done.code == 0
    assert done.stderr.startswith(
        "Are you sure you want to apply all down migrations? [y/N]\nApplying all down migrations\n"
    )
    assert version(database) == []


def test_drop_asks_and_then_drops(database: Database, path: str) -> None:
    options = ["-path", path, "-database", database.url]
    assert run(*options, "up").code == 0
    assert run(*options, "drop").code == 1
    assert run(*options, "drop", "-f") == (0, "", "")
    assert database.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def test_a_broken_statement_is_shown_with_its_place(database: Database, tmp_path: Path) -> None:
    directory = write_scripts(
        tmp_path / "m",
        {**SCRIPTS, "2_phone.up.sql": "-- more\nCREATE TABLE a (id int);\nALTER TABLE usrs ADD a;"},
    )
    report = tmp_path / "report"
    done = run(
        "-path", str(directory), "-database", database.url, "-report", str(report), "-json", "up"
    )
    assert done.code == 1
    assert re.match(
        rf"1/u users {TIME}\nerror: migration failed: syntax error .*\(SQLSTATE 42601\)\n",
        done.stderr,
    )
    lines = done.stderr.splitlines()
    place = next(line for line in lines if line.startswith("  at "))
    assert place == "  at 2_phone.up.sql:3:23"
    statement, caret = lines[lines.index(place) + 1 : lines.index(place) + 3]
    assert statement == "    ALTER TABLE usrs ADD a;"
    assert caret == "                          ^"
    assert version(database) == [(1, False)]
    document = json.loads(report.read_text())
    assert document == json.loads(done.stdout)
    assert (document["outcome"], document["version"], document["dirty"]) == ("Failed", "1", False)
    assert document["error"]["file"] == "2_phone.up.sql"
    assert document["error"]["line"] == 3
    assert document["error"]["sqlstate"] == "42601"


def test_json_is_the_report_alone_on_stdout(database: Database, path: str) -> None:
    done = run("-path", path, "-database", database.url, "-json", "up", "2")
    document = json.loads(done.stdout)
    assert done.code == 0
    assert (document["command"], document["outcome"]) == ("up 2", "Applied")
    assert [step["version"] for step in document["steps"]] == ["1", "2"]


def test_verbose_lines_are_golang_migrates(database: Database, path: str) -> None:
    done = run("-verbose", "-path", path, "-database", database.url, "up", "1")
    stamp = r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d "
    expected = (
        f"{stamp}Start buffering 1/u users\n{stamp}Read and execute 1/u users\n",
        rf"{stamp}Finished 1/u users \(read [0-9.]+(ns|µs|ms|s), ran [0-9.]+(ns|µs|ms|s)\)\n",
        rf"{stamp}Finished after [0-9.]+(ms|s)\n{stamp}Closing source and database\n",
    )
    for text in expected:
        assert re.search(text, done.stderr), done.stderr


def test_the_environment_alone_is_enough(database: Database, path: str) -> None:
    environ = {"DBMIGRATE_DATABASE": database.url, "DBMIGRATE_PATH": path}
    assert run("up", environ=environ).code == 0
    server = database.server
    environ = {
        "PGHOST": server.host,
        "PGPORT": str(server.port),
        "PGUSER": server.user,
        "PGDATABASE": database.name,
        "PGPASSWORD": server.password or "",
    }
    assert run("version", environ=environ) == (0, "", "3\n")
    keywords = f"host={server.host} port={server.port} user={server.user} dbname={database.name}"
    if server.password is None:
        assert run("-database", keywords, "version") == (0, "", "3\n")


def test_services_and_password_files_work(database: Database, tmp_path: Path) -> None:
    role = database.create_role(password="se:cret")
    database.execute(f'GRANT ALL ON SCHEMA public TO "{role}"')
    server = database.server
    services, passwords = tmp_path / "services", tmp_path / "passwords"
    services.write_text(
        f"[shop]\nhost={server.host}\nport={server.port}\ndbname={database.name}\nuser={role}\n"
    )
    passwords.write_text("*:*:*:*:se\\:cret\n")
    passwords.chmod(0o600)
    environ = {"PGSERVICEFILE": str(services), "PGPASSFILE": str(passwords)}
    assert run("-database", "service=shop", "force", "4", environ=environ) == (0, "", "")
    assert run("-database", "postgres://?service=shop", "version", environ=environ).stderr == "4\n"
    assert run("version", environ={**environ, "PGSERVICE": "shop"}).stderr == "4\n"


def test_run_time_settings_of_the_url_reach_the_server(database: Database, tmp_path: Path) -> None:
    directory = write_scripts(tmp_path / "m", {"1_a.up.sql": "CREATE TABLE here (id int);"})
    database.execute('CREATE SCHEMA "My App"')
    url = f"{database.url}&search_path=%22My%20App%22,public"
    assert run("-path", str(directory), "-database", url, "up").code == 0
    assert database.query('SELECT count(*) FROM "My App".here') == [(0,)]
    assert database.query('SELECT version FROM "My App".schema_migrations') == [(1,)]


def test_the_program_goes_by_golang_migrates_name_as_well(database: Database, path: str) -> None:
    alias = Path(path).with_name("migrate")
    alias.symlink_to(PROGRAM)
    assert run("-help", program=alias).stderr.startswith("Usage: migrate OPTIONS COMMAND")
    assert run("-path", path, "-database", database.url, "up", "1", program=alias).code == 0


@pytest.mark.parametrize("password", ["p@ss/w#rd?", "100%", "a b:c@d", "x?y=z&u", "'\\\"`$(x)"])
def test_any_password_works_as_it_is(database: Database, password: str) -> None:
    role = database.create_role(password=password)
    database.execute(f'GRANT ALL ON SCHEMA public TO "{role}"')
    server = database.server
    address = f"{server.host}:{server.port}/{database.name}?sslmode=disable"
    done = run("-database", f"postgres://{role}:{password}@{address}", "force", "4")
    assert done == (0, "", "")
    assert version(database) == [(4, False)]


def test_a_wrong_password_is_no_retry_and_no_secret(database: Database, tmp_path: Path) -> None:
    role = database.create_role(password="right")
    report = tmp_path / "report"
    url = database.url_for(role, "s3cr3t-wrong")
    done = run("-verbose", "-database", url, "-report", str(report), "version")
    assert done.code == 1
    assert "s3cr3t" not in done.stdout + done.stderr + report.read_text()
    error = json.loads(report.read_text())["error"]
    assert (error["reason"], error["retryable"]) == ("AuthenticationFailed", False)


def test_a_server_that_is_not_there_is_worth_a_retry(tmp_path: Path) -> None:
    report = tmp_path / "report"
    url = "postgres://u:s3cr3t@127.0.0.1:1/shop"
    done = run("-database", url, "-report", str(report), "version")
    assert done.code == 1
    assert done.stderr.startswith("error: ")
    assert "s3cr3t" not in done.stderr + report.read_text()
    document = json.loads(report.read_text())
    assert (document["version"], document["dirty"]) == (None, None)
    assert document["error"]["reason"] == "ConnectionRefused"
    assert document["error"]["retryable"] is True


def test_a_source_that_is_not_there_leaves_a_report(database: Database, tmp_path: Path) -> None:
    report = tmp_path / "report"
    done = run(
        "-path", str(tmp_path / "no"), "-database", database.url, "-report", str(report), "up"
    )
    assert done.code == 1
    assert json.loads(report.read_text())["error"]["reason"] == "SourceInvalid"


def test_goto_does_not_go_down_where_that_is_forbidden(database: Database, path: str) -> None:
    options = ["-path", path, "-database", database.url, "-rollback", "forbid", "-json"]
    assert run(*options, "goto", "3").code == 0
    done = run(*options, "goto", "1")
    assert done.code == 1
    assert json.loads(done.stdout)["error"]["reason"] == "RollbackForbidden"
    assert version(database) == [(3, False)]


def test_status_lists_the_migrations(database: Database, path: str) -> None:
    options = ["-path", path, "-database", database.url]
    assert run(*options, "up", "2").code == 0
    done = run(*options, "status", "-exit-code")
    assert (done.code, done.stderr) == (3, "")
    lines = done.stdout.splitlines()
    assert [line.split()[:3] for line in lines[:4]] == [
        ["VERSION", "NAME", "STATE"],
        ["1", "users", "applied"],
        ["2", "phone", "applied"],
        ["3", "orders", "pending"],
    ]
    assert lines[-1] == "version 2, latest 3, 1 pending"
    assert run(*options, "status").code == 0
    document = json.loads(run("-json", *options, "status").stdout)
    assert [row["state"] for row in document["migrations"]] == ["applied", "applied", "pending"]
    assert (document["version"], document["pending"]) == ("2", 1)
    assert run(*options, "up").code == 0
    assert run(*options, "status", "-exit-code").code == 0


def test_plan_shows_the_sql_and_touches_nothing(database: Database, path: str) -> None:
    options = ["-path", path, "-database", database.url]
    before = database.dump_schema()
    done = run(*options, "plan", "2")
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith("-- 1/u users (1_users.up.sql)\n")
    assert f"\n    {SCRIPTS['2_phone.up.sql']}" in done.stdout
    assert SCRIPTS["3_orders.up.sql"] not in done.stdout
    document = json.loads(run("-json", *options, "plan").stdout)
    assert [step["version"] for step in document["plan"]] == ["1", "2", "3"]
    assert document["plan"][0]["sql"] == SCRIPTS["1_users.up.sql"]
    assert database.dump_schema() == before
    assert run(*options, "up").code == 0
    assert run(*options, "plan").stderr == "no change\n"


def test_plan_says_what_is_dangerous(database: Database, tmp_path: Path) -> None:
    directory = write_scripts(
        tmp_path / "m",
        {
            "1_a.up.sql": "CREATE TABLE a (id int);",
            "2_b.up.sql": "CREATE INDEX CONCURRENTLY i ON a (id);\nCREATE INDEX j ON a (id);",
            "3_c.up.sql": "TRUNCATE a;",
            "4_d.up.sql": "SELECT '\n-- 9/u forged (9.up.sql)\r\n--   line 1: no lock",
        },
    )
    options = ["-path", str(directory), "-database", database.url]
    lines = run(*options, "plan").stdout.splitlines()
    assert [line for line in lines if line.startswith("--")] == [
        "-- 1/u a (1_a.up.sql)",
        "-- 2/u b (2_b.up.sql)",
        "--   not in one transaction: line 1: CREATE INDEX CONCURRENTLY can't run inside a"
        " transaction",
        "--   line 1: SHARE UPDATE EXCLUSIVE lock on a",
        "--   line 2: SHARE lock on a (blocks writes)",
        "-- 3/u c (3_c.up.sql)",
        "--   line 1: ACCESS EXCLUSIVE lock on a (blocks reads and writes), loses data",
        "-- 4/u d (4_d.up.sql)",
        "--   can't run: 4_d.up.sql: line 1: this string does not end: a quote is missing",
    ]
    plan = json.loads(run("-json", *options, "plan").stdout)["plan"]
    assert [step["destructive"] for step in plan] == [False, False, True, False]
    assert [step["transaction"] for step in plan] == [True, False, True, True]


def test_verify_finds_an_edited_file(database: Database, path: str) -> None:
    options = ["-path", path, "-database", database.url]
    assert run(*options, "up").code == 0
    assert run(*options, "verify").code == 0
    (Path(path) / "2_phone.up.sql").write_text("ALTER TABLE users ADD phone varchar;")
    done = run(*options, "verify")
    assert done.code == 1
    assert "changed" in done.stdout
    document = json.loads(run("-json", *options, "verify").stdout)
    assert [found["version"] for found in document["findings"]] == ["2"]


def test_baseline_takes_a_database_as_it_is(database: Database, path: str) -> None:
    options = ["-path", path, "-database", database.url]
    database.execute("CREATE TABLE users (id int, phone text)")
    assert run(*options, "baseline", "2").code == 0
    done = run(*options, "up")
    assert done.code == 0
    assert re.fullmatch(f"3/u orders {TIME}\n", done.stderr)


def test_repair_says_when_there_is_nothing_to_do(database: Database, path: str) -> None:
    options = ["-path", path, "-database", database.url]
    assert run(*options, "up").code == 0
    assert run(*options, "repair") == (0, "", "nothing to repair\n")


def test_wait_ends_when_the_version_is_there(database: Database, path: str) -> None:
    options = ["-path", path, "-database", database.url]
    assert run(*options, "wait", "-timeout", "100ms").code == 1
    waiter = start([*options, "wait", "--latest", "-timeout", "60s"])
    later = start([*options, "wait", "--version", "4", "-timeout", "60s"])
    try:
        assert run(*options, "up").code == 0
        assert waiter.wait(60) == 0
        assert later.poll() is None
        assert run(*options, "force", "4").code == 0
        assert later.wait(60) == 0
    finally:
        for process in (waiter, later):
            process.kill()
            process.communicate()


BLOCKING = {
    "1_wait.up.sql": "SELECT pg_advisory_lock_shared(42);",
    "2_next.up.sql": "CREATE TABLE next (id int);",
}
WAITING = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT granted"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 1)])
def test_the_first_signal_lets_the_running_step_end(
    database: Database, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    options = ["-path", str(write_scripts(tmp_path / "m", BLOCKING)), "-database", database.url]
    with database.connect() as holder:
        holder.execute("SELECT pg_advisory_lock(42)")
        process = start([*options, "-statement-lock-timeout", "none", "up"])
        assert process.stderr is not None
        eventually(lambda: database.query(WAITING), what="the step")
        process.send_signal(number)
        assert process.stderr.readline() == "Stopping after this running migration ...\n"
        holder.execute("SELECT pg_advisory_unlock(42)")
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == code, stderr
    assert "1/u wait" in stderr
    assert "2/u next" not in stderr
    assert version(database) == [(1, False)]


def test_the_second_signal_cancels_the_running_step(database: Database, tmp_path: Path) -> None:
    report = tmp_path / "report"
    options = ["-path", str(write_scripts(tmp_path / "m", BLOCKING)), "-database", database.url]
    with database.connect() as holder:
        holder.execute("SELECT pg_advisory_lock(42)")
        line = [*options, "-statement-lock-timeout", "none", "-report", str(report), "up"]
        process = start(line)
        assert process.stderr is not None
        eventually(lambda: database.query(WAITING), what="the step")
        process.send_signal(signal.SIGTERM)
        assert process.stderr.readline() == "Stopping after this running migration ...\n"
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1, stderr
    assert "Cancelling the running statement ...\n" in stderr
    assert run("-database", database.url, "version").stderr == "error: no migration\n"
    error = json.loads(report.read_text())["error"]
    assert (error["reason"], error["retryable"]) == ("Interrupted", True)


def test_who_holds_the_migration_lock_is_said_and_a_signal_ends_the_waiting(
    database: Database, path: str
) -> None:
    lock = lock_id("public", "schema_migrations", f"/{database.name}")
    with database.connect() as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", [lock])
        process = start(["-path", path, "-database", database.url, "-lock-timeout", "none", "up"])
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("waiting for the migration lock, held by pid "), line
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1, stderr
    assert database.query("SELECT count(*) FROM pg_tables WHERE tablename = 'users'") == [(0,)]


def test_a_lock_that_stays_held_is_golang_migrates_error(database: Database, path: str) -> None:
    lock = lock_id("public", "schema_migrations", f"/{database.name}")
    with database.connect() as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", [lock])
        done = run("-path", path, "-database", database.url, "-lock-timeout", "0", "-json", "up")
    assert done.code == 1
    assert "error: timeout: can't acquire database lock" in done.stderr
    error = json.loads(done.stdout)["error"]
    assert (error["reason"], error["retryable"]) == ("LockTimeout", True)


def test_ctrl_c_ends_a_wait_at_once_and_not_as_a_success(database: Database) -> None:
    process = start(["-database", database.url, "wait", "-version", "1"])
    assert process.stderr is not None
    assert "waiting" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 1


def test_the_lock_may_be_waited_for_without_end(database: Database, path: str) -> None:
    done = run("-path", path, "-database", database.url, "-lock-timeout", "none", "up")
    assert done.code == 0


def test_a_terminal_gets_a_live_line_and_colours(database: Database, tmp_path: Path) -> None:
    directory = write_scripts(tmp_path / "m", {**BLOCKING, "2_next.up.sql": "SELCT 1;"})
    options = ["-path", str(directory), "-database", database.url]
    mine, its = pty.openpty()
    with database.connect() as holder:
        holder.execute("SELECT pg_advisory_lock(42)")
        process = subprocess.Popen(
            [PROGRAM, *options, "-statement-lock-timeout", "none", "up"],
            env=environment({"TERM": "xterm"}),
            stdin=subprocess.DEVNULL,
            stderr=its,
        )
        os.close(its)
        seen = b""
        while b"1/u wait running for" not in seen:
            seen += os.read(mine, 4096)
        holder.execute("SELECT pg_advisory_unlock(42)")
    assert process.wait(60) == 1
    with suppress(OSError):  # the other end is closed
        while more := os.read(mine, 4096):
            seen += more
    os.close(mine)
    assert re.search(rb"\r\x1b\[K1/u wait \([0-9.]+s\)\r\n", seen), seen
    assert b"\x1b[1;31merror:\x1b[0m migration failed" in seen


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-", "2>&1 | true"])
def test_closed_streams_stop_no_migration(database: Database, path: str, closed: str) -> None:
    line = f"'{PROGRAM}' -json -path '{path}' -database '{database.url}' up {closed}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], env=environment(), check=False, timeout=60
    )
    assert done.returncode == 0
    assert version(database) == [(3, False)]
