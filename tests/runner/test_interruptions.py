"""The matrix of interruptions: each kind at messages all over a run, one run for each point.

The point is a message on its way between runner and server: the hook of the proxy
interrupts before it goes on. Whatever the kind and wherever the point, the
database is exactly before or exactly after a step, the version row tells the
truth, the report says the same, and the next run goes on by itself, in a step that
can't be one transaction as well; only where a statement of one has failed `repair` comes
first. How many points were tried is printed below the results.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import psycopg
import pytest

from dbmigrate.report import Reason
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.result import Result
from tests.cluster.waiting import eventually
from tests.database import Database, Server
from tests.database.programs import PostgresUnavailable
from tests.database.proxy import Cut, Message, Proxy
from tests.database.small_disk import DiskUnavailable, SmallDisk
from tests.runner.arrange import request
from tests.runner.truth import FILES, check_next_run, check_truth
from tests.tallies import TALLY

pytestmark = [pytest.mark.database, pytest.mark.timeout(900)]

Tell = Callable[[str, object], None]


class Point:
    """A hook that interrupts once, before one message."""

    def __init__(self, number: int, interrupt: Callable[[], object]) -> None:
        self._number = number
        self._interrupt = interrupt
        self._is_over = threading.Event()
        self.message: Message | None = None
        """The message that the interruption came before; None: the run has fewer."""

    def __call__(self, message: Message) -> None:
        if message.number == self._number:
            self.message = message
            try:
                # Behind the client's farewell the run may be over: nothing can be interrupted.
                if message.kind != "X":
                    self._interrupt()
            finally:
                self._is_over.set()

    def wait(self) -> None:
        """Until the interruption is over, if it came: a run may end before, or never wait."""
        if self.message is not None:
            assert self._is_over.wait(timeout=120)

    def __str__(self) -> str:
        where = f", {self.message.side} {self.message.kind}" if self.message else ""
        return f"before message {self._number}{where}"


def run_through(database: Database, point: Point, url: str | None = None) -> Result[None]:
    """One run in this process, with the point in its way."""
    with closing(Proxy(database.server.host, database.server.port, hook=point)) as proxy:
        result = up(request(proxy.divert(url or database.url), FILES))
        point.wait()
    return result


def judge(database: Database, result: Result[None], what: str) -> str:
    """Check all that must hold after a run that was interrupted; the ending in a word."""
    state = check_truth(database, what)
    report = result.report
    if report.version is not None or report.dirty is not None:
        version = None if state.version is None else str(state.version)
        assert (report.version, report.dirty) == (version, state.dirty), what
    if result.error is None:
        assert state.version == 4, what
    else:
        assert result.error.reason is not Reason.INTERNAL, what
    check_next_run(database, state, what)
    if result.error is None:
        return "done"
    return "dirty" if state.dirty else str(result.error.reason)


def describe(kind: str, endings: Counter[str]) -> str:
    found = ", ".join(f"{name} {count}" for name, count in sorted(endings.items()))
    return f"{kind}: {endings.total()} points ({found})"


def cut() -> None:
    raise Cut


def test_the_connection_cut(server: Server, record_property: Tell) -> None:
    endings: Counter[str] = Counter()
    number = 0
    while True:
        number += 1
        database = server.create_database()
        point = Point(number, cut)
        result = run_through(database, point)
        ending = judge(database, result, f"cut {point}: {result.error}")
        database.drop()
        if point.message is None:
            break
        endings[ending] += 1
    record_property(TALLY, describe("connection cut", endings))
    assert set(endings) == {"done", "dirty", Reason.CONNECTION_LOST, Reason.CONNECTION_REFUSED}


@pytest.fixture
def mortal() -> Iterator[Server]:
    """A server of this test's own, which loses what is not flushed."""
    try:
        server = Server.start(settings={"wal_writer_delay": "10s"})
    except PostgresUnavailable as problem:
        pytest.skip(f"NOT TESTED, no PostgreSQL: {problem}")
    with server:
        yield server


@pytest.fixture
def restart(mortal: Server) -> Iterator[Callable[[], None]]:
    """Restart it from a thread that stays: a server ends with the thread that launched it."""
    with ThreadPoolExecutor(max_workers=1) as launcher:
        yield lambda: launcher.submit(mortal.restart, "immediate").result()


def test_the_server_restarted_at_once(
    mortal: Server, restart: Callable[[], None], record_property: Tell
) -> None:
    endings: Counter[str] = Counter()
    number = 1
    while True:
        database = mortal.create_database()
        point = Point(number, restart)
        result = run_through(database, point)
        ending = judge(database, result, f"restart {point}: {result.error}")
        database.drop()
        if point.message is None:
            break
        endings[ending] += 1
        number += 4
    record_property(TALLY, describe("server restarted", endings))
    assert endings.keys() >= {"dirty", Reason.CONNECTION_LOST}


def test_the_role_losing_its_rights(server: Server, record_property: Tell) -> None:
    endings: Counter[str] = Counter()
    number = 0
    while True:
        number += 1
        database = server.create_database()
        role = database.create_role(password="p")
        database.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
        point = Point(number, partial(revoke, database, role))
        result = run_through(database, point, database.url_for(role, "p"))
        # The next run is the superuser's: it trusts a history of a role that it is a member of.
        database.execute(f"GRANT {role} TO CURRENT_USER")
        ending = judge(database, result, f"rights lost {point}: {result.error}")
        database.drop()
        if point.message is None:
            break
        endings[ending] += 1
    record_property(TALLY, describe("rights lost", endings))
    assert endings.keys() >= {"done", "dirty", Reason.STATEMENT_FAILED}


def revoke(database: Database, role: str) -> None:
    """Take what can be taken at this moment: the run may hold a lock on the history."""
    database.execute(f"REVOKE CREATE ON SCHEMA public FROM {role}")
    for table in ("schema_migrations", "schema_migrations_log"):
        with suppress(psycopg.errors.UndefinedTable, psycopg.errors.LockNotAvailable):
            database.execute(f"SET lock_timeout = '50ms'; REVOKE ALL ON {table} FROM {role}")


def test_the_disk_full(server: Server, record_property: Tell) -> None:
    endings: Counter[str] = Counter()
    try:
        with SmallDisk.mount(server) as disk:
            number = 0
            while True:
                number += 1
                database = server.create_database(tablespace=disk.tablespace)
                point = Point(number, disk.fill)
                result = run_through(database, point)
                disk.free()
                ending = judge(database, result, f"disk full {point}: {result.error}")
                database.drop()
                if point.message is None:
                    break
                endings[ending] += 1
    except DiskUnavailable as problem:
        pytest.skip(f"NOT TESTED: {problem}")
    record_property(TALLY, describe("disk full", endings))
    assert len(endings) > 1, "the disk was full, and nothing noticed it"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The migrations as files."""
    for each in FILES.migrations:
        for script in (each.up, each.down):
            if script is not None:
                (tmp_path / script.file).write_bytes(script.load())
    return tmp_path


@pytest.mark.parametrize(
    "signals",
    [
        (signal.SIGTERM,),
        (signal.SIGINT,),
        (signal.SIGTERM, signal.SIGTERM),
        (signal.SIGKILL,),
    ],
    ids=lambda signals: "+".join(each.name for each in signals),
)
def test_a_signal(
    server: Server, directory: Path, signals: tuple[signal.Signals, ...], record_property: Tell
) -> None:
    endings: Counter[str] = Counter()
    number = 1
    while True:
        database = server.create_database()
        command = Command(directory, signals)
        point = Point(number, command.interrupt)
        code, told = command.run(database, point)
        what = f"{signals} {point}: {code}, {told}"
        state = check_truth(database, what)
        check_next_run(database, state, what)
        database.drop()
        if point.message is None:
            assert code == 0, what
            break
        is_killed = signal.SIGKILL in signals
        assert code in ({0, -signal.SIGKILL} if is_killed else {0, 1, -signals[0]}), what
        if signals in {(signal.SIGTERM,), (signal.SIGINT,)}:
            assert not state.dirty, what
        endings["dirty" if state.dirty else f"at version {state.version or 'none'}"] += 1
        number += 5
    name = "+".join(each.name for each in signals)
    record_property(TALLY, describe(name, endings))
    assert len(endings) > 1


class Command:
    """`dbmigrate up` in a process of its own, which gets signals."""

    def __init__(self, directory: Path, signals: tuple[signal.Signals, ...]) -> None:
        self._command = [str(Path(sys.executable).with_name("dbmigrate")), "-path", str(directory)]
        self._signals = signals
        self._process: subprocess.Popen[str] | None = None

    def run(self, database: Database, point: Point) -> tuple[int, str]:
        """Run it through the point; the exit code and what it said."""
        with closing(Proxy(database.server.host, database.server.port, hook=point)) as proxy:
            self._process = subprocess.Popen(
                [*self._command, "-database", proxy.divert(database.url), "up"],
                stderr=subprocess.PIPE,
                text=True,
            )
            _, told = self._process.communicate(timeout=60)
        # A server ends what a killed client has sent last.
        left = "SELECT FROM pg_stat_activity WHERE datname = current_database()"
        eventually(lambda: database.query(f"{left} AND pid <> pg_backend_pid()") == [])
        return self._process.returncode, told

    def interrupt(self) -> None:
        """Send the signals. The process began to speak, so that it is there."""
        assert self._process is not None
        for each in self._signals:
            os.kill(self._process.pid, each)
