"""Two runs never work on one history at once, and who waits says for whom."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import psycopg
import pytest

from dbmigrate.postgres.history.advisory_locks import lock_ids
from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options
from dbmigrate.runner.result import Result
from dbmigrate.runner.stop import Stop
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


def hold_lock(database: Database, connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Take the one of the two locks that golang-migrate's library users take."""
    lock = lock_ids("public", "schema_migrations", database.name, None)[-1]
    connection.execute("SELECT pg_advisory_lock(%s)", (lock,))


def test_two_runs_at_once_apply_each_step_once(database: Database) -> None:
    files = tables(*range(1, 21))
    results: list[Result[None]] = []

    def run() -> None:
        results.append(up(request(database, files, options=Options(lock_timeout=60))))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.error for result in results] == [None] * 4
    assert sorted(result.report.steps_total for result in results) == [0, 0, 0, 20]
    assert len(log(database)) == 20


def test_the_holder_of_the_lock_is_named_when_time_is_up(database: Database) -> None:
    witness = Witness()
    with database.connect() as other:
        other.execute("SET application_name = 'the other one'")
        hold_lock(database, other)
        options = Options(lock_timeout=1.0)
        result = up(request(database, tables(1), options=options, observer=witness))
        pid = other.info.backend_pid
    assert result.error is not None
    assert result.error.reason is Reason.LOCK_TIMEOUT
    assert result.error.detail is not None
    assert f"pid {pid}, the other one, role postgres" in result.error.detail
    assert "pg_advisory_lock" in result.error.detail
    assert [[s.pid for s in holders] for holders in witness.waits] == [[pid]]
    assert result.report.version is None
    assert table_names(database) == set()


def test_a_lock_that_is_let_go_is_taken(database: Database) -> None:
    witness = Witness()
    with database.connect() as other:
        hold_lock(database, other)
        witness.on_wait = lambda: other.execute("SELECT pg_advisory_unlock_all()")
        result = up(request(database, tables(1), observer=witness))
    assert result.unwrap() is None
    assert version_row(database) == [(1, False)]


def test_a_stop_ends_the_waiting(database: Database) -> None:
    stop = Stop()
    witness = Witness(on_wait=stop.request)
    with database.connect() as other:
        hold_lock(database, other)
        result = up(request(database, tables(1), observer=witness, stop=stop))
    assert result.error is not None
    assert result.error.reason is Reason.INTERRUPTED


def test_nothing_is_kept_locked_after_a_run(database: Database) -> None:
    up(request(database, tables(1))).unwrap()
    up(request(database, source(migration(1, "SELECT 1/0"))))
    sql = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'" + (
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    assert database.query(sql) == [(0,)]


def test_golang_migrate_waits_for_a_running_step(
    database: Database, migrate_oracle: Path, tmp_path: Path
) -> None:
    (tmp_path / "1_t.up.sql").write_text("CREATE TABLE theirs ()")
    command = [str(migrate_oracle), "-path", str(tmp_path), "-database", database.url, "up"]
    waiting = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        f" AND database = (SELECT oid FROM pg_database WHERE datname = '{database.name}')"
    )
    with database.connect() as holder:
        holder.execute("SELECT pg_advisory_lock(4711)")
        # The step itself lets go of what it waits for once the other tool stands in line.
        text = (
            "CREATE TABLE ours (); DO $$ BEGIN LOOP PERFORM pg_sleep(0.01);"
            f" EXIT WHEN ({waiting}) > 0; END LOOP; END $$"
        )
        processes: list[subprocess.Popen[bytes]] = []
        witness = Witness(
            on_start=lambda _: processes.append(
                subprocess.Popen(command, stderr=subprocess.DEVNULL)
            )
        )
        result = up(request(database, source(migration(1, text, name="t")), observer=witness))
    assert result.unwrap() is None
    assert processes[0].wait(timeout=60) == 0
    assert table_names(database) == {"ours"}
    assert version_row(database) == [(1, False)]


def test_we_wait_for_golang_migrate_and_find_its_work_done(
    database: Database, migrate_oracle: Path, tmp_path: Path
) -> None:
    # Of a query the server shows 1024 bytes: here who has the lock, not the attempt to take it.
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dbmigrate'"
        f" AND datname = '{database.name}' AND query LIKE '%(waiting.pid)%'"
    )
    text = (
        "DO $$ BEGIN LOOP PERFORM pg_sleep(0.01);"
        f" PERFORM pg_stat_clear_snapshot(); EXIT WHEN ({waiting}) > 0; END LOOP; END $$"
    )
    (tmp_path / "1_t.up.sql").write_text(text)
    command = [str(migrate_oracle), "-path", str(tmp_path), "-database", database.url, "up"]
    begun = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND query LIKE 'DO %'"
    )
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while database.query(begun) == [(0,)]:
            assert process.poll() is None
        witness = Witness()
        files = source(migration(1, text, name="t"))
        result = up(request(database, files, observer=witness, options=Options(lock_timeout=60)))
        assert process.wait(timeout=60) == 0
    assert result.report.outcome is Outcome.UP_TO_DATE
    assert len(witness.waits) == 1
    assert version_row(database) == [(1, False)]
