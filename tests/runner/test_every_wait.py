"""Every wait for other sessions has a limit, names who is in the way, and ends with a stop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.drop import drop
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.read_only.plan import preview
from dbmigrate.runner.commands.read_only.status import status
from dbmigrate.runner.commands.read_only.verify import verify
from dbmigrate.runner.commands.read_only.version import version
from dbmigrate.runner.commands.read_only.wait import wait
from dbmigrate.runner.commands.repair import repair
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options, Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.stop import Stop
from dbmigrate.sources.migration import Source
from tests.database import Database
from tests.runner.arrange import (
    Witness,
    migration,
    request,
    source,
    table_names,
    tables,
    version_row,
)

pytestmark = pytest.mark.database

QUICK = Options(
    lock_timeout=2.0, statement_lock_timeout_ms=700, concurrent_lock_timeout_ms=700, who="tester"
)
FOREVER = Options(lock_timeout=float("inf"), statement_lock_timeout_ms=None, who="tester")
READER = "BEGIN; SELECT * FROM t1"
OLD_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM elsewhere"
MADE = migration(
    1,
    "CREATE TABLE t1 (id int); CREATE INDEX i1 ON t1 (id); CREATE TABLE elsewhere ();"
    "CREATE TABLE parts (a int) PARTITION BY LIST (a);"
    "CREATE TABLE part PARTITION OF parts FOR VALUES IN (1);",
)


@contextmanager
def held(database: Database, *statements: str) -> Iterator[int]:
    """Another session that has done that; its pid."""
    with database.connect() as other:
        for statement in statements:
            other.execute(statement.encode())
        yield other.info.backend_pid


def invalid(database: Database) -> list[tuple[object, ...]]:
    return database.query("SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid")


@dataclass(frozen=True)
class Wait:
    """A statement outside of a transaction, and what keeps it waiting."""

    statement: str
    holder: str


WAITS = [
    Wait("CREATE INDEX CONCURRENTLY i2 ON t1 (id)", OLD_SNAPSHOT),
    # The index can't be dropped either while that goes on: the next run does it.
    Wait("CREATE INDEX CONCURRENTLY i2 ON t1 (id)", "BEGIN; INSERT INTO t1 VALUES (1)"),
    Wait("CREATE UNIQUE INDEX CONCURRENTLY ON t1 (id)", OLD_SNAPSHOT),
    Wait("REINDEX INDEX CONCURRENTLY i1", OLD_SNAPSHOT),
    Wait("DROP INDEX CONCURRENTLY i1", READER),
    Wait("ALTER TABLE parts DETACH PARTITION part CONCURRENTLY", "BEGIN; SELECT * FROM parts"),
    Wait("VACUUM t1", "BEGIN; LOCK TABLE t1 IN SHARE UPDATE EXCLUSIVE MODE"),
]


@pytest.mark.parametrize("wait", WAITS[:6], ids=lambda wait: f"{wait.statement}, {wait.holder}")
def test_a_concurrent_statement_gives_up_and_goes_on_with_the_next_run(
    database: Database, wait: Wait
) -> None:
    wanted = source(MADE, migration(2, f"{wait.statement};\nCREATE TABLE reached ();"))
    up(request(database, wanted), 1).unwrap()
    with held(database, wait.holder):
        result = up(request(database, wanted, options=QUICK))
        assert result.error is not None
        assert (result.error.reason, result.error.sqlstate) == (Reason.BLOCKED_BY_QUERY, "55P03")
        assert result.error.is_retryable
        if wait.holder == OLD_SNAPSHOT and wait.statement.startswith("CREATE"):
            assert invalid(database) == []
    if "DETACH" in wait.statement:
        return  # the server wants FINALIZE now: a person decides
    assert up(request(database, wanted)).error is None
    assert invalid(database) == []
    assert version_row(database) == [(2, False)]
    assert "reached" in table_names(database)


@pytest.mark.parametrize("wait", WAITS, ids=lambda wait: f"{wait.statement}, {wait.holder}")
def test_a_concurrent_statement_waits_as_long_as_it_takes_and_a_stop_ends_it(
    database: Database, wait: Wait
) -> None:
    wanted = source(MADE, migration(2, f"{wait.statement};\nCREATE TABLE reached ();"))
    up(request(database, wanted), 1).unwrap()
    with held(database, wait.holder) as pid:
        result, witness = stop_when_blocked(up, database, wanted, Options(lock_timeout=0.1))
        assert [session.pid for session in witness.blocks[0]] == [pid]
        assert result.error is not None
        assert result.error.reason is Reason.INTERRUPTED
        if wait.holder == OLD_SNAPSHOT and wait.statement.startswith("CREATE"):
            assert invalid(database) == []


def stop_when_blocked(
    work: Callable[..., Result[Any]], database: Database, wanted: Source | None, options: Options
) -> tuple[Result[Any], Witness]:
    """Ask twice to stop as soon as the run says who blocks it."""
    stop = Stop()

    def stop_now() -> None:
        stop.request()
        stop.request()

    witness = Witness(on_blocked=stop_now)
    asked = request(database, wanted, options=options, observer=witness, stop=stop)
    return work(asked), witness


def test_drop_gives_up_beside_an_open_reader_and_names_it(database: Database) -> None:
    up(request(database, tables(1, 2))).unwrap()
    with held(database, READER) as pid:
        result = drop(request(database, options=QUICK))
        assert result.error is not None
        assert (result.error.reason, result.error.sqlstate) == (Reason.BLOCKED_BY_QUERY, "55P03")
        assert result.error.detail is not None
        assert f"blocked by pid {pid}" in result.error.detail
        assert table_names(database) == {"t1", "t2"}
        stopped, _ = stop_when_blocked(drop, database, None, FOREVER)
        assert stopped.error is not None
        assert stopped.error.reason is Reason.INTERRUPTED
        assert table_names(database) == {"t1", "t2"}
    done = drop(request(database, options=QUICK))
    assert done.report.outcome is Outcome.APPLIED
    assert table_names(database) == set()


def test_drop_gets_through_when_the_reader_is_done(database: Database) -> None:
    up(request(database, tables(1))).unwrap()
    with database.connect() as reader:
        reader.execute("BEGIN; SELECT * FROM t1")
        witness = Witness(on_blocked=lambda: reader.execute("COMMIT"))
        options = Options(lock_timeout=60, statement_lock_timeout_ms=200)
        assert drop(request(database, options=options, observer=witness)).error is None
    assert table_names(database) == set()


def test_repair_gives_up_where_the_invalid_index_is_in_use(database: Database) -> None:
    wanted = source(
        MADE,
        migration(
            2, "INSERT INTO t1 VALUES (1), (1);\nCREATE UNIQUE INDEX CONCURRENTLY u ON t1 (id)"
        ),
    )
    assert up(request(database, wanted)).error is not None
    database.execute("DELETE FROM t1")
    with held(database, READER) as pid:
        result = repair(request(database, wanted, options=QUICK))
        assert result.error is not None
        assert result.error.reason is Reason.BLOCKED_BY_QUERY
        assert "can't drop the invalid index public.u" in result.error.message
        assert f"blocked by pid {pid}" in (result.error.detail or "")
        stopped, _ = stop_when_blocked(repair, database, wanted, FOREVER)
        assert stopped.error is not None
        assert stopped.error.reason is Reason.INTERRUPTED
    assert repair(request(database, wanted)).error is None
    assert version_row(database) == [(2, False)]


def test_a_locked_history_is_waited_for_as_long_as_it_was_said(database: Database) -> None:
    wanted = source(MADE, migration(2, "VACUUM t1"))
    up(request(database, wanted), 1).unwrap()
    options = Options(lock_timeout=2.0, who="tester")
    with held(database, "BEGIN; LOCK TABLE schema_migrations_log IN SHARE MODE"):
        result = up(request(database, wanted, options=options))
    assert result.error is not None
    assert result.error.reason is Reason.BLOCKED_BY_QUERY
    assert version_row(database) == [(1, False)]
    assert up(request(database, wanted)).error is None


READERS: dict[str, Callable[[Request], Result[Any]]] = {
    "version": version,
    "status": status,
    "plan": preview,
    "verify": verify,
    "up": up,
    "force": lambda asked: force(asked, 1),
    "drop": drop,
}


@pytest.mark.parametrize("name", ["schema_migrations", "schema_migrations_log"])
@pytest.mark.parametrize("command", READERS)
def test_a_history_that_nobody_may_read_now_is_told_as_locked(
    database: Database, command: str, name: str
) -> None:
    """The catalogs' own functions lock the tables that they describe: the look at the start too."""
    up(request(database, source(MADE))).unwrap()
    options = Options(lock_timeout=1.0, who="tester")
    with held(database, f"BEGIN; LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE"):
        error = READERS[command](request(database, source(MADE), options=options)).error
    assert error is not None
    assert (error.reason, error.sqlstate) == (Reason.BLOCKED_BY_QUERY, "55P03")


@pytest.mark.parametrize("name", ["schema_migrations", "schema_migrations_log"])
def test_who_waits_is_told_that_it_is_locked(database: Database, name: str) -> None:
    up(request(database, source(MADE))).unwrap()
    with held(database, f"BEGIN; LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE"):
        error = wait(request(database, source(MADE)), 1, timeout=2).error
    assert error is not None
    assert "lock timeout" in error.message
