"""A statement that waits for the application's locks does not make it queue for long."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dbmigrate.policies import Transactions
from dbmigrate.report import Reason
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.read_only.version import version
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options, Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.stop import Stop
from tests.database import Database
from tests.runner.arrange import (
    Witness,
    log,
    migration,
    request,
    source,
    table,
    version_row,
)

pytestmark = pytest.mark.database

ALTER = source(table(1), migration(2, "SELECT 1;\nALTER TABLE t1 ADD COLUMN b int;"))
QUICK = Options(lock_timeout=3.0, statement_lock_timeout_ms=1000)


def test_who_blocks_is_named_when_time_is_up(database: Database) -> None:
    up(request(database, ALTER), 1).unwrap()
    witness = Witness()
    with database.connect() as application:
        application.execute("SET application_name = 'shop'")
        application.execute("BEGIN")
        application.execute("SELECT * FROM t1")
        result = up(request(database, ALTER, options=QUICK, observer=witness))
        pid = application.info.backend_pid
    error = result.error
    assert error is not None
    assert (error.reason, error.sqlstate) == (Reason.BLOCKED_BY_QUERY, "55P03")
    assert error.is_retryable
    assert error.location is not None
    assert error.location.line == 2
    assert error.detail is not None
    assert f"blocked by pid {pid}, shop, role postgres" in error.detail
    assert "idle in transaction" in error.detail
    assert "SELECT * FROM t1" in error.detail
    assert [s.pid for s in witness.blocks[0]] == [pid]
    assert version_row(database) == [(1, False)]
    assert log(database)[-1] == (2, "up", "failed")


def test_a_blocked_step_is_tried_again_until_it_gets_through(database: Database) -> None:
    up(request(database, ALTER), 1).unwrap()
    with database.connect() as application:
        application.execute("BEGIN")
        application.execute("SELECT * FROM t1")
        witness = Witness(on_blocked=lambda: application.execute("COMMIT"))
        options = Options(lock_timeout=60, statement_lock_timeout_ms=200)
        result = up(request(database, ALTER, options=options, observer=witness))
    assert result.unwrap() is None
    assert len(witness.blocks) >= 1
    assert version_row(database) == [(2, False)]
    assert len(log(database)) == 2


HISTORY = {
    "before the file": "LOCK TABLE schema_migrations IN SHARE MODE",
    "behind the file": "SELECT * FROM schema_migrations FOR UPDATE",
}


@pytest.mark.parametrize("transactions", [Transactions.FILE, Transactions.ALL])
@pytest.mark.parametrize("place", HISTORY)
def test_a_step_whose_history_is_locked_is_tried_again(
    database: Database, place: str, transactions: Transactions
) -> None:
    files = source(table(1), table(2))
    up(request(database, files), 1).unwrap()
    with database.connect() as other:

        def begin(_: object) -> None:
            other.execute(f"BEGIN; {HISTORY[place]}")

        witness = Witness(on_start=begin, on_blocked=lambda: other.execute("COMMIT"))
        options = Options(lock_timeout=60, statement_lock_timeout_ms=200, transactions=transactions)
        up(request(database, files, options=options, observer=witness)).unwrap()
    assert witness.blocks


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE t2 ()",
        "-- dbmigrate:no-transaction\nCREATE TABLE t2 ()",
        "-- dbmigrate:batched size=10 start=0\nUPDATE t1 SET b = 1 WHERE id IN (SELECT id FROM t1"
        " WHERE id > :cursor ORDER BY id LIMIT :batch_size) RETURNING id;",
    ],
)
def test_a_history_that_stays_locked_is_named_and_not_the_file(
    database: Database, text: str
) -> None:
    """Whatever writes to it waits as long as -lock-timeout says, the row of the failure too."""
    made = "CREATE TABLE t1 (id int PRIMARY KEY, b int); INSERT INTO t1 SELECT 1"
    files = source(migration(1, made), migration(2, text))
    up(request(database, files), 1).unwrap()
    with database.connect() as other:

        def begin(_: object) -> None:
            other.execute(
                "BEGIN; LOCK TABLE schema_migrations, schema_migrations_log IN SHARE MODE"
            )

        options = Options(lock_timeout=1.0, statement_lock_timeout_ms=500)
        result = up(request(database, files, options=options, observer=Witness(on_start=begin)))
    assert result.error is not None
    assert (result.error.reason, result.error.location) == (Reason.BLOCKED_BY_QUERY, None)
    assert "can't write" in result.error.message
    assert "history" in result.error.message
    assert version_row(database) == [(1, False)]


def test_without_a_lock_timeout_a_step_waits_and_an_urgent_stop_ends_it(
    database: Database,
) -> None:
    up(request(database, ALTER), 1).unwrap()
    stop = Stop()

    def stop_now() -> None:
        stop.request()
        stop.request()

    witness = Witness(on_blocked=stop_now)
    with database.connect() as application:
        application.execute("BEGIN")
        application.execute("SELECT * FROM t1")
        options = Options(lock_timeout=60, statement_lock_timeout_ms=None)
        result = up(request(database, ALTER, options=options, observer=witness, stop=stop))
    assert result.error is not None
    assert (result.error.reason, result.error.sqlstate) == (Reason.INTERRUPTED, "57014")
    assert version_row(database) == [(1, False)]


def test_a_stop_lets_the_running_step_end_and_starts_no_other(database: Database) -> None:
    stop = Stop()
    witness = Witness(on_start=lambda _: stop.request())
    result = up(request(database, ALTER, observer=witness, stop=stop))
    assert result.error is not None
    assert result.error.reason is Reason.INTERRUPTED
    assert "1 of 2 steps are done" in result.error.message
    assert version_row(database) == [(1, False)]
    assert (result.report.version, result.report.steps_total) == ("1", 1)


def test_a_blocked_statement_without_a_transaction_is_tried_again(database: Database) -> None:
    files = source(table(1), migration(2, "ALTER TABLE t1 ADD COLUMN b int;\nVACUUM t1;", name="v"))
    up(request(database, files), 1).unwrap()
    with database.connect() as application:
        application.execute("BEGIN")
        application.execute("SELECT * FROM t1")
        witness = Witness(on_blocked=lambda: application.execute("COMMIT"))
        options = Options(lock_timeout=60, statement_lock_timeout_ms=200)
        result = up(request(database, files, options=options, observer=witness))
    assert result.unwrap() is None
    assert version_row(database) == [(2, False)]


def test_a_long_index_build_reports_progress(database: Database) -> None:
    files = source(
        migration(
            1,
            "CREATE TABLE t1 AS SELECT n FROM generate_series(1, 10) n;"
            "CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_sleep(0.2); RETURN $1; END $$;",
        ),
        migration(2, "CREATE INDEX i ON t1 (slow(n))"),
    )
    witness = Witness()
    assert up(request(database, files, observer=witness)).unwrap() is None
    phases = {progress.phase for progress in witness.progresses}
    assert any(phase and phase.startswith("building index: ") for phase in phases)


@pytest.mark.parametrize("work", [up, version, lambda order: force(order, 1)])
def test_a_history_that_somebody_has_locked_is_not_waited_for_without_end(
    database: Database, work: Callable[[Request], Result[object]]
) -> None:
    up(request(database, source(table(1)))).unwrap()
    with database.connect() as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE schema_migrations")
        result = work(request(database, source(table(1)), options=Options(lock_timeout=1.0)))
    assert result.error is not None
    assert (result.error.reason, result.error.sqlstate) == (Reason.BLOCKED_BY_QUERY, "55P03")
    assert result.error.hint is not None
    assert "history table" in result.error.hint
