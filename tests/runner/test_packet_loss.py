"""A peer that falls silent: real packet loss between two namespaces, and a proxy that stalls.

The limits are shortened where time has to pass: what a default session has is tested apart.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import psycopg
import pytest

from dbmigrate.postgres.connection import keepalives
from dbmigrate.postgres.connection.target import parse_target
from dbmigrate.report import Outcome, Reason
from dbmigrate.runner import database as opened
from dbmigrate.runner.commands.read_only.status import status
from dbmigrate.runner.commands.read_only.version import version
from dbmigrate.runner.commands.read_only.wait import wait
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options, Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.stop import Stop
from tests.cluster.waiting import eventually
from tests.database import Database, Server
from tests.database.network import Network, NetworkUnavailable, Node
from tests.database.programs import PostgresUnavailable
from tests.database.proxy import Message, Proxy, Side
from tests.runner.arrange import Witness, migration, request, source, table, tables, version_row

pytestmark = pytest.mark.database

SOON = "tcp_user_timeout=1500&keepalives_idle=1&keepalives_interval=1"
"""For the client, in the URL."""
LIMIT = 30.0
"""Far beyond what any of it takes, and far below what the kernel's own limits are. A run that
goes on for as long as these are is ended, and failed, by the time limit of tests."""


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with ExitStack() as stack:
        try:
            laid = stack.enter_context(Network.laid())
        except NetworkUnavailable as problem:
            if os.environ.get("CI", "").lower() in {"1", "true"}:
                pytest.fail(f"no packet loss to test with: {problem}", pytrace=False)
            pytest.skip(f"NOT TESTED, packet loss: {problem}")
        yield laid


@pytest.fixture(scope="module")
def distant(network: Network) -> Iterator[Server]:
    """A server at the other end of the cable. Its own loopback loses nothing."""
    with network.at(Node.SERVER):
        try:
            server = Server.start(settings={"listen_addresses": "*", "shared_buffers": "16MB"})
        except PostgresUnavailable as problem:
            pytest.skip(f"NOT TESTED, no PostgreSQL: {problem}")
    with server:
        with network.at(Node.SERVER), (server.data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all postgres {network.addresses[Node.CLIENT]}/32 trust\n")
            rules.flush()
            with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                connection.execute("SELECT pg_reload_conf()")
        yield server


class Far:
    """A database behind the cable."""

    def __init__(self, network: Network, server: Server) -> None:
        self.network = network
        with network.at(Node.SERVER):
            self.database = server.create_database()
        here, there = "127.0.0.1", network.addresses[Node.SERVER]
        self.url = f"{self.database.url.replace(here, there)}&{SOON}"

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Ask the server on its own side."""
        with self.network.at(Node.SERVER):
            return self.database.query(sql)

    def run(self, work: Callable[[], Result[None]]) -> Result[None]:
        """Run on the client's side."""
        with self.network.at(Node.CLIENT):
            return work()

    def wait_for_sleep(self) -> None:
        """Until the server is at work on a statement that sleeps."""
        asleep = (
            "SELECT pid FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event = 'PgSleep'"
        )
        eventually(lambda: bool(self.query(asleep)), deadline=LIMIT, what="the statement")

    def wait_until_free(self) -> None:
        """Until the server has released every lock of the runs."""
        locks = (
            "SELECT l.pid FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
            " WHERE a.application_name = 'dbmigrate' AND a.datname = current_database()"
        )
        eventually(lambda: not self.query(locks), deadline=LIMIT, what="the end of all locks")


@pytest.fixture
def far(network: Network, distant: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Far]:
    # The server's side, as short as the client's.
    soon = (
        "SET tcp_keepalives_idle = 1; SET tcp_keepalives_interval = 1; SET tcp_user_timeout = 1500"
    )
    from dbmigrate.postgres import transaction

    for module, name in ((opened, "KEEPALIVES"), (transaction, "KEEPALIVES")):
        monkeypatch.setattr(module, name, soon)
    monkeypatch.setattr(transaction, "RESET_SETTINGS", f"RESET ALL; {soon}")
    monkeypatch.setattr(opened, "RECONNECT_SECONDS", 0.0)
    monkeypatch.setattr(opened, "RECONNECT_TO_READ_SECONDS", 0.0)
    made = Far(network, distant)
    try:
        yield made
    finally:
        network.restore()
        with network.at(Node.SERVER):
            made.database.drop()


MOMENTS = ["before a step", "in a statement", "waiting for the lock", "waiting for a table"]


@pytest.mark.parametrize("sender", Node)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_ends_and_the_server_frees_its_locks_when_packets_are_lost(
    far: Far, moment: str, sender: Node
) -> None:
    """Whichever side is not heard: the run ends, the locks go, and the next run finds all well."""
    network = far.network
    cut = threading.Event()

    def lose() -> None:
        if not cut.is_set():
            cut.set()
            network.lose(sender)

    def lose_asleep() -> None:
        far.wait_for_sleep()
        lose()

    witness = Witness()
    second = "SELECT pg_sleep(600)" if moment == "in a statement" else "ALTER TABLE t1 ADD b int"
    files = source(table(1), migration(2, second), table(3))
    far.run(lambda: up(request(far.url, source(table(1))))).unwrap()
    with network.at(Node.SERVER):
        holder = far.database.connect()
    with holder:
        if moment == "before a step":
            witness.on_start = lambda step: lose() if step.version == 2 else None
        elif moment == "in a statement":
            threading.Thread(target=lose_asleep, daemon=True).start()
        elif moment == "waiting for the lock":
            ids = _lock_ids(far)
            for one in ids:
                holder.execute(f"SELECT pg_advisory_lock({one})")
            witness.on_wait = lose
        else:
            holder.execute("BEGIN; LOCK TABLE t1")
            witness.on_blocked = lose
        options = Options(lock_timeout=20, statement_lock_timeout_ms=None)
        result = far.run(lambda: up(request(far.url, files, options=options, observer=witness)))
        assert cut.is_set()
        assert result.error is not None
        assert result.error.reason in {Reason.CONNECTION_LOST, Reason.CONNECTION_REFUSED}
        if moment != "waiting for the lock":
            far.wait_until_free()
    network.restore()
    far.wait_until_free()
    good = source(table(1), migration(2, "ALTER TABLE t1 ADD b int"), table(3))
    assert far.run(lambda: up(request(far.url, good))).error is None
    assert far.query("SELECT version, dirty FROM schema_migrations") == [(3, False)]


def _lock_ids(far: Far) -> tuple[int, ...]:
    from dbmigrate.postgres.history.advisory_locks import lock_ids

    name = far.database.name
    return lock_ids("public", "schema_migrations", name, f"/{name}")


@pytest.mark.parametrize("sender", Node)
def test_the_locks_of_a_lost_client_go_while_it_only_holds_them(far: Far, sender: Node) -> None:
    """Between two statements, as over a backup or a rehearsal: nothing is on its way."""
    lost = threading.Event()
    ended = threading.Event()

    def hang(_: object) -> None:
        far.network.lose(sender)
        lost.set()
        assert ended.wait(LIMIT)

    def work() -> None:
        far.run(lambda: up(request(far.url, tables(1, 2), observer=Witness(on_start=hang))))

    run = threading.Thread(target=work)
    run.start()
    try:
        assert lost.wait(LIMIT)
        far.wait_until_free()
    finally:
        ended.set()
        run.join()


def test_the_session_of_a_run_has_the_limits_in_every_step(database: Database) -> None:
    """Also behind RESET ALL, which each step ends with, and behind settings of a file's own."""
    shown = (
        "CREATE TABLE shown{} AS SELECT name, setting FROM pg_settings WHERE name ~ '^tcp_';\n"
        "SET tcp_user_timeout = 7"
    )
    files = source(
        migration(1, shown.format(1)),
        migration(2, shown.format(2)),
        migration(3, f"{shown.format(3)}; VACUUM"),
        migration(4, shown.format(4)),
    )
    assert up(request(database, files)).error is None
    wanted = {
        "tcp_keepalives_idle": str(keepalives.IDLE_SECONDS),
        "tcp_keepalives_interval": str(keepalives.INTERVAL_SECONDS),
        "tcp_user_timeout": str(keepalives.LOST_MILLISECONDS),
    }
    for number in range(1, 5):
        found = dict(database.query(f"SELECT name, setting FROM shown{number}"))
        assert found | wanted == found


def _stall(after: int) -> Callable[[Message], None]:
    """Say nothing more from the `after`-th answer of the server on, and keep all open."""
    count = 0
    silence = threading.Event()

    def hook(message: Message) -> None:
        nonlocal count
        if message.side is Side.SERVER and message.kind == "Z":
            count += 1
        if count > after:
            silence.wait()

    return hook


COMMANDS: dict[str, Callable[[Request], Result[Any]]] = {
    "version": version,
    "status": status,
    "up": up,
}


@pytest.mark.parametrize("answers", [0, 1])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_peer_that_falls_silent_after_login_ends_the_command(
    database: Database, monkeypatch: pytest.MonkeyPatch, command: str, answers: int
) -> None:
    """Its kernel answers, so that no keepalive helps: the client's own clock does."""
    monkeypatch.setattr(opened, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(opened, "RECONNECT_TO_READ_SECONDS", 0.0)
    up(request(database, tables(1))).unwrap()
    server, hook = database.server, _stall(answers + 1)
    with closing(Proxy(server.host, server.port, hook=hook)) as proxy:
        url = f"{proxy.divert(database.url)}&connect_timeout=2"
        options = Options(lock_timeout=0.5)
        result = COMMANDS[command](request(url, tables(1, 2), options=options))
    assert result.error is not None
    assert result.error.reason is Reason.CONNECTION_LOST
    assert "has not answered" in result.error.message
    assert version_row(database) == [(1, False)]


@pytest.mark.parametrize("answers", [-1, 0])
def test_wait_keeps_its_timeout_before_a_silent_peer(database: Database, answers: int) -> None:
    """Silent from the start of the login, or from its end."""
    server, hook = database.server, _stall(answers + 1)
    with closing(Proxy(server.host, server.port, hook=hook)) as proxy:
        result = wait(request(proxy.divert(database.url), tables(1)), timeout=1.0)
    assert result.error is not None
    assert result.report.outcome is Outcome.WAITING
    assert "gave up waiting" in result.error.message


@pytest.mark.parametrize("answers", [0, 1])
@pytest.mark.parametrize("command", COMMANDS)
def test_the_first_stop_ends_a_run_that_is_not_open_yet(
    database: Database, command: str, answers: int
) -> None:
    """No step is under way that it could wait for; the limits here are longer than the test's."""
    up(request(database, tables(1))).unwrap()
    stop, stall = Stop(), _stall(answers + 1)

    def hook(message: Message) -> None:
        if message.side is Side.CLIENT and message.kind == "Q":
            stop.request()
        stall(message)

    with closing(Proxy(database.server.host, database.server.port, hook=hook)) as proxy:
        options = Options(lock_timeout=10_000)
        asked = request(proxy.divert(database.url), tables(1, 2), options=options, stop=stop)
        result = COMMANDS[command](asked)
    assert result.error is not None
    assert result.error.reason is Reason.INTERRUPTED
    assert version_row(database) == [(1, False)]


def test_an_urgent_stop_ends_a_run_whose_server_is_silent(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbmigrate.runner.execution import statement_watch

    monkeypatch.setattr(statement_watch, "CANCEL_AGAIN", 0.2)
    monkeypatch.setattr(statement_watch, "ABANDON_AFTER", 0.4)
    monkeypatch.setattr(opened, "STOP_SECONDS", 0.3)
    stop = Stop()
    silence = threading.Event()
    is_silent = False

    def hook(message: Message) -> None:
        nonlocal is_silent
        if b"pg_sleep" in message.data:
            is_silent = True
            stop.request()
            stop.request()
        if is_silent:
            silence.wait()

    files = source(table(1), migration(2, "SELECT pg_sleep(0.1)"))
    with closing(Proxy(database.server.host, database.server.port, hook=hook)) as proxy:
        url = f"{proxy.divert(database.url)}&connect_timeout=2"
        result = up(request(url, files, stop=stop))
    assert result.error is not None
    assert result.error.reason is Reason.CONNECTION_LOST
    assert result.report.version is None


def test_the_defaults_reach_every_connection_of_ours() -> None:
    """What libpq is given, unless the URL says otherwise."""
    from dbmigrate.postgres.connection.connect import DEFAULTS

    assert keepalives.CLIENT.items() <= DEFAULTS.items()
    given = parse_target("postgres://h/d?tcp_user_timeout=1", {}).conninfo
    assert {**DEFAULTS, **given}["tcp_user_timeout"] == "1"
