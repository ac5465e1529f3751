"""Steps in batches, interrupted in each way and all over: no row twice, and none left out.

Wherever the interruption comes, the rows that were touched are exactly those that the
history counts, up to its cursor. The next run does the rest. As the statement adds one
to each row without looking at it, a batch that ran twice would show.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from dbmigrate.runner.commands.up import up
from dbmigrate.runner.result import Result
from dbmigrate.sources.migration import Source
from tests.database import Database, Server
from tests.database.programs import PostgresUnavailable
from tests.database.proxy import Proxy
from tests.runner.arrange import request, version_row
from tests.runner.batches import files, progress, touched
from tests.runner.test_interruptions import Command, Point, Tell, cut, describe
from tests.tallies import TALLY

pytestmark = [pytest.mark.database, pytest.mark.timeout(900)]

ROWS = 25
FILES = Source("test", files(rows=ROWS).migrations[:2])
FIRST = 30
"""The messages before are those of opening the database, which every run has."""
BACK = (
    "UPDATE many SET touched = 0; UPDATE schema_migrations SET version = 1, dirty = false;"
    " DELETE FROM schema_migrations_log WHERE id > 1;"
    " DROP TABLE IF EXISTS schema_migrations_batches"
)


def prepared(server: Server) -> Database:
    """A database at version 1, whose step in batches is still to come."""
    database = server.create_database()
    up(request(database, FILES), 1).unwrap()
    return database


def run_through(database: Database, point: Point) -> Result[None]:
    with closing(Proxy(database.server.host, database.server.port, hook=point)) as proxy:
        result = up(request(proxy.divert(database.url), FILES))
        point.wait()
    return result


def check(database: Database, what: str) -> str:
    """What the history says is what happened, and the next run ends it. How far it was."""
    ((reached, dirty),) = version_row(database)
    counts = touched(database)
    done = counts.get(1, 0)
    assert set(counts) <= {0, 1}, what
    if dirty:
        assert reached == 2, what
        ((cursor, batches, rows),) = progress(database)
        assert rows == done == int(cursor[0]), what  # type: ignore[index]
        assert batches == (done + 9) // 10, what
    else:
        assert done == (ROWS if reached == 2 else 0), what
    again = up(request(database, FILES))
    assert again.error is None, f"{what}; then {again.error}"
    assert touched(database) == {1: ROWS}, what
    assert progress(database) == [([str(ROWS)], 3, ROWS)], what
    assert version_row(database) == [(2, False)], what
    return f"{done} rows" if dirty else "done" if reached == 2 else "not begun"


def interrupt_all_over(
    database: Database, interrupt: Callable[[], object], *, step: int
) -> Counter[str]:
    """A run for each point; how the runs ended, and how far the steps were then."""
    endings: Counter[str] = Counter()
    number = FIRST
    while True:
        point = Point(number, interrupt)
        result = run_through(database, point)
        what = f"{point}: {result.error}"
        reached = check(database, what)
        database.execute(BACK)
        if point.message is None:
            assert (result.error, reached) == (None, "done"), what
            return endings
        if result.error is None:
            assert reached == "done", what
        else:
            assert result.error.is_retryable, what
        endings[reached] += 1
        number += step


def test_the_connection_cut(server: Server, record_property: Tell) -> None:
    database = prepared(server)
    endings = interrupt_all_over(database, cut, step=2)
    database.drop()
    record_property(TALLY, describe("in batches, connection cut", endings))
    # Once it has begun it connects again and goes on: a cut is nothing that anybody notices.
    assert set(endings) == {"not begun", "done"}
    assert endings["done"] > endings["not begun"]


def test_the_backend_terminated(server: Server, record_property: Tell) -> None:
    database = prepared(server)
    terminate = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = '{database.name}' AND application_name = 'dbmigrate'"
    )
    endings = interrupt_all_over(database, partial(database.execute, terminate), step=19)
    database.drop()
    record_property(TALLY, describe("in batches, backend terminated", endings))
    assert "done" in endings
    assert set(endings) <= {"not begun", "done"}


@pytest.fixture
def mortal() -> Iterator[Server]:
    """A server of this test's own, which loses what is not flushed."""
    try:
        server = Server.start(settings={"wal_writer_delay": "10s"})
    except PostgresUnavailable as problem:
        pytest.skip(f"NOT TESTED, no PostgreSQL: {problem}")
    with server:
        yield server


def test_the_server_restarted_at_once(mortal: Server, record_property: Tell) -> None:
    database = prepared(mortal)
    # From a thread that stays: a server ends with the thread that launched it.
    with ThreadPoolExecutor(max_workers=1) as launcher:
        restart = partial(mortal.restart, "immediate")
        endings = interrupt_all_over(database, lambda: launcher.submit(restart).result(), step=43)
    record_property(TALLY, describe("in batches, server restarted", endings))
    assert "done" in endings
    assert set(endings) <= {"not begun", "done"}


@pytest.mark.parametrize(
    "signals",
    [(signal.SIGTERM,), (signal.SIGINT,), (signal.SIGTERM, signal.SIGTERM), (signal.SIGKILL,)],
    ids=lambda signals: "+".join(each.name for each in signals),
)
def test_a_signal(
    server: Server, tmp_path: Path, signals: tuple[signal.Signals, ...], record_property: Tell
) -> None:
    for each in FILES.migrations:
        for script in filter(None, (each.up, each.down)):
            (tmp_path / script.file).write_bytes(script.load())
    database = prepared(server)
    reached: Counter[str] = Counter()
    number = FIRST
    while True:
        command = Command(tmp_path, signals)
        point = Point(number, command.interrupt)
        code, told = command.run(database, point)
        what = f"{signals} {point}: {code}, {told}"
        if point.message is None:
            assert code == 0, what
            break
        reached[check(database, what)] += 1
        if signals == (signal.SIGINT,):
            assert code == 0, what
        database.execute(BACK)
        number += 23 if signal.SIGKILL in signals else 45
    database.drop()
    name = "+".join(each.name for each in signals)
    record_property(TALLY, describe(f"in batches, {name}", reached))
    assert len(reached) > 1
