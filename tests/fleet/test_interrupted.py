"""Fleets that are killed, stopped, or meet one another: what is applied is applied once."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.cli.program import start, write_scripts
from tests.database.server import Database, Server
from tests.fleet.arrange import FIRST, applied, documents, fleet, make_schemas, write_list
from tests.runner.pgbouncer import PgBouncerUnavailable, pgbouncer

pytestmark = pytest.mark.database

SLOW = {"2_slow.up.sql": "SELECT pg_sleep(0.4);\nALTER TABLE items ADD note text;"}


def wait_until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def begun(database: Database) -> bool:
    """Whether a slow step is at work."""
    rows = database.query(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event = 'PgSleep'",
        database.name,
    )
    return rows != [(0,)]


def words(database: Database, files: Path, targets: Path, *more: str) -> list[str]:
    return [
        "-path", str(files), "-database", database.url,
        "fleet", "up", "-targets", str(targets), *more,
    ]  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_fleet_that_is_ended_in_the_middle_goes_on_where_it_was(
    database: Database, tmp_path: Path, number: signal.Signals
) -> None:
    names = [f"t{n}" for n in range(12)]
    make_schemas(database, names)
    files = write_scripts(tmp_path / "files", FIRST | SLOW)
    targets = write_list(tmp_path / "t.json", [{"name": n, "schema": n} for n in names])
    running = start(words(database, files, targets, "-concurrency", "3", "-json"))
    wait_until(lambda: begun(database))
    running.send_signal(number)
    output, messages = running.communicate(timeout=60)
    if number is signal.SIGTERM:
        assert running.returncode == 1
        assert "not begun" in messages
        assert "error: t" not in messages
        assert '"skipped":' in output
        done = applied(database, existing(database))
        assert 0 < sum(version == 2 for _, version in done) < len(names)
    again = fleet(database, files, "up", "-targets", str(targets), "-json")
    assert again.code == 0, again.stderr
    assert documents(again)[-1]["fleet"]["counts"]["current"] == len(names)
    assert set(applied(database, names).values()) == {1}
    assert len(applied(database, names)) == 2 * len(names)


def existing(database: Database) -> list[str]:
    """The schemas that have a log."""
    rows = database.query(
        "SELECT schemaname FROM pg_tables WHERE tablename = 'schema_migrations_log'"
    )
    return [name for (name,) in rows]


def test_two_fleets_at_once_apply_nothing_twice(database: Database, tmp_path: Path) -> None:
    names = [f"t{n}" for n in range(60)]
    make_schemas(database, names)
    files = write_scripts(tmp_path / "files", FIRST)
    targets = write_list(tmp_path / "t.json", [{"name": n, "schema": n} for n in names])
    both = [start(words(database, files, targets, "-results", "results")) for _ in range(2)]
    for running in both:
        _, messages = running.communicate(timeout=120)
        assert running.returncode == 0, messages
    found = applied(database, names)
    assert len(found) == len(names)
    assert set(found.values()) == {1}
    assert database.query("SELECT outcome, count(*) FROM results GROUP BY 1") == [("current", 60)]


def test_a_tenant_that_is_dropped_while_it_is_migrated_fails_alone(
    server: Server, database: Database, tmp_path: Path
) -> None:
    dropped, kept = server.create_database(), server.create_database()
    files = write_scripts(tmp_path / "files", FIRST | SLOW)
    rows = [{"name": each.name, "dbname": each.name} for each in (dropped, kept)]
    targets = write_list(tmp_path / "t.json", rows)
    running = start(words(database, files, targets, "-json"))
    wait_until(lambda: begun(dropped))
    dropped.drop()
    output, messages = running.communicate(timeout=60)
    assert running.returncode == 1
    assert kept.query("SELECT version FROM schema_migrations") == [(2,)]
    assert f"error: {dropped.name}" in messages
    assert f'database "{dropped.name}" does not exist' in messages
    assert '"current":1' in output
    kept.drop()


GATE = "SELECT pg_advisory_lock_shared(42), pg_advisory_unlock_shared(42);\n"
"""Waits as long as the test holds that lock."""
AT_GATE = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT granted"
WAITS = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted"
IN_STEPS = {
    "2_gate.up.sql": GATE + "ALTER TABLE items ADD note text;",
    "3_more.up.sql": "ALTER TABLE items ADD more text;",
}
OUTSIDE = {"2_gate.up.sql": "-- dbmigrate:no-transaction\nVACUUM items;\n" + GATE + "VACUUM items;"}
DROP = "LOCK TABLE b.schema_migrations IN ACCESS EXCLUSIVE MODE; DROP SCHEMA b CASCADE"
"""It gets its lock between two steps: the next one stands after it in the queue."""


@pytest.mark.parametrize(
    ("scripts", "change", "what", "left"),
    [
        (IN_STEPS, DROP, "dropped", None),
        (IN_STEPS, "ALTER SCHEMA b RENAME TO z", 'renamed to "z"', (1, False)),
        (IN_STEPS, "ALTER SCHEMA b RENAME TO z; CREATE SCHEMA b", 'renamed to "z"', (1, False)),
        (OUTSIDE, "ALTER SCHEMA b RENAME TO z", 'renamed to "z"', (2, True)),
    ],
)
def test_a_schema_that_is_dropped_or_renamed_while_its_file_runs_fails_alone(
    database: Database,
    tmp_path: Path,
    scripts: dict[str, str],
    change: str,
    what: str,
    left: tuple[int, bool] | None,
) -> None:
    names = ["a", "b", "c"]
    make_schemas(database, names)
    files = write_scripts(tmp_path / "files", FIRST | scripts)
    rows = [{"name": f"tenant {n}", "schema": n} for n in names]
    targets = write_list(tmp_path / "t.json", rows)
    with database.connect() as gate, ThreadPoolExecutor() as other:
        gate.execute("SELECT pg_advisory_lock(42)")
        running = start(words(database, files, targets, "-json"))
        wait_until(lambda: database.query(AT_GATE) == [(len(names),)])
        changing = other.submit(database.execute, change)
        wait_until(lambda: changing.done() or database.query(WAITS) == [(1,)])
        gate.execute("SELECT pg_advisory_unlock(42)")
        output, messages = running.communicate(timeout=60)
        changing.result()
    assert running.returncode == 1
    (*lines, report) = map(json.loads, output.splitlines())
    found = {line["target"]: line for line in lines}
    error = found.pop("tenant b")["error"]
    assert error["reason"] == "DatabaseMissing", messages
    assert error["message"].startswith(f'schema "b" was {what} while this run was at work in it: ')
    newest = 3 if scripts is IN_STEPS else 2
    assert {(each["outcome"], each["version"]) for each in found.values()} == {
        ("migrated", str(newest))
    }
    assert (report["fleet"]["counts"]["current"], report["fleet"]["counts"]["failed"]) == (2, 1)
    assert set(applied(database, ["a", "c"]).values()) == {1}
    if left is not None:
        assert database.query("SELECT version, dirty FROM z.schema_migrations") == [left]


def test_a_server_that_is_short_of_connections_and_of_locks_is_not_asked_for_more(
    tmp_path: Path,
) -> None:
    settings = {
        "max_connections": "8",
        "superuser_reserved_connections": "0",
        "max_locks_per_transaction": "10",
        "shared_buffers": "1MB",
    }
    with Server.start(settings=settings) as small:
        database = small.create_database()
        names = [f"t{n}" for n in range(40)]
        make_schemas(database, names)
        files = write_scripts(tmp_path / "files", FIRST)
        targets = write_list(tmp_path / "t.json", [{"name": n, "schema": n} for n in names])
        held = [database.connect() for _ in range(4)]
        ran = fleet(database, files, "up", "-targets", str(targets), "-concurrency", "16", "-json")
        for connection in held:
            connection.close()
        assert ran.code == 0, ran.stderr
        assert set(applied(database, names).values()) == {1}
        tables = "".join(f"CREATE TABLE many_{n} (id int PRIMARY KEY);\n" for n in range(3000))
        write_scripts(files, {"2_many.up.sql": tables})
        one = write_list(tmp_path / "one.json", [{"name": "t0", "schema": "t0"}])
        full = fleet(database, files, "up", "-targets", str(one))
        assert full.code == 1
        assert "53200" in full.stderr or "shared memory" in full.stderr
        assert "raise max_locks_per_transaction" in full.stderr


def test_a_pooler_that_is_short_of_connections_is_not_asked_for_more(
    server: Server, tmp_path: Path
) -> None:
    databases = [server.create_database() for _ in range(12)]
    files = write_scripts(tmp_path / "files", FIRST)
    rows = [{"name": each.name, "dbname": each.name} for each in databases]
    targets = write_list(tmp_path / "t.json", rows)
    try:
        with pgbouncer(server, databases[0].url, "session", max_client_conn="3") as url:
            held = [psycopg.connect(url) for _ in range(2)]
            args = ("-targets", str(targets), "-concurrency", "12", "-json")
            ran = fleet(url, files, "up", *args)
            for connection in held:
                connection.close()
    except PgBouncerUnavailable as problem:
        pytest.skip(f"NOT TESTED, no PgBouncer: {problem}")
    assert ran.code == 0, ran.stderr
    assert documents(ran)[-1]["fleet"]["counts"]["migrated"] == 12
    for each in databases:
        assert each.query("SELECT version FROM schema_migrations_log") == [(1,)]
        each.drop()
