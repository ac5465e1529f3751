"""The server restarted or killed, a role losing its rights, in the middle of a run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from dbmigrate.report import Reason
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.planning.step import PlannedStep
from dbmigrate.runner.result import Result
from dbmigrate.runner.stop import Stop
from tests.cluster.waiting import eventually
from tests.database import Database, Server
from tests.database.programs import PostgresUnavailable
from tests.database.proxy import Cut, Message, Proxy, Side
from tests.runner.arrange import (
    Witness,
    migration,
    request,
    source,
    table,
    table_names,
    tables,
    version_row,
)

pytestmark = pytest.mark.database

LONG = source(table(1), migration(2, "CREATE TABLE t2 ();\nSELECT pg_sleep(600);"), table(3))


@pytest.fixture(scope="module")
def mortal() -> Iterator[Server]:
    """A server of this module's own."""
    try:
        server = Server.start(settings={"wal_writer_delay": "10s"})
    except PostgresUnavailable as problem:
        pytest.skip(f"NOT TESTED, no PostgreSQL: {problem}")
    with server:
        yield server


def kill_and_launch(server: Server) -> None:
    server.kill()
    server.launch()


@pytest.mark.parametrize(
    "die",
    [lambda server: server.restart("immediate"), lambda server: server.restart(), kill_and_launch],
    ids=["immediate restart", "fast restart", "killed"],
)
def test_a_server_that_dies_in_a_step_leaves_version_and_schema_together(
    mortal: Server, die: Callable[[Server], None]
) -> None:
    database = mortal.create_database()
    results: list[Result[None]] = []
    run = threading.Thread(target=lambda: results.append(up(request(database, LONG))))
    run.start()
    sleeping = (
        f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database.name}'"
        " AND wait_event = 'PgSleep'"
    )
    eventually(lambda: database.query(sleeping) != [(0,)], what="the second step")
    die(mortal)
    run.join(timeout=120)
    (result,) = results
    assert result.error is not None
    assert result.error.reason is Reason.CONNECTION_LOST
    # The first step was not flushed to disk: it may be lost with the server, as a whole.
    left = table_names(database)
    assert left in (set(), {"t1"})
    assert result.report.version == ("1" if left else None)
    assert [step.version for step in result.report.steps] == (["1"] if left else [])
    assert result.report.dirty is False
    assert up(request(database, tables(1, 2, 3))).unwrap() is None
    assert version_row(database) == [(3, False)]
    database.drop()


def test_what_a_run_says_is_applied_survives_the_servers_death(mortal: Server) -> None:
    database = mortal.create_database()
    assert up(request(database, tables(*range(1, 30)))).unwrap() is None
    kill_and_launch(mortal)
    assert version_row(database) == [(29, False)]
    assert len(table_names(database)) == 29
    failed = up(request(database, source(*tables(*range(1, 40)).migrations, migration(40, "x"))))
    assert failed.report.version == "39"
    kill_and_launch(mortal)
    assert version_row(database) == [(39, False)]
    database.drop()


@pytest.mark.parametrize(
    "third",
    ["SELECT 1/0", "x", "SELECT 'an open string", "COMMIT; SELECT 1/0", r"\connect x", None],
    ids=["failing", "no SQL", "unreadable", "escaping", "psql's", "stopped"],
)
def test_what_a_failed_run_says_is_applied_survives_the_servers_death(
    mortal: Server, third: str | None
) -> None:
    database = mortal.create_database()
    stop = Stop()

    def stop_in_time(step: PlannedStep) -> None:
        if third is None and step.version == 2:
            stop.request()

    files = source(table(1), table(2), table(3) if third is None else migration(3, third))
    result = up(request(database, files, observer=Witness(on_start=stop_in_time), stop=stop))
    kill_and_launch(mortal)
    assert result.error is not None
    # A file that ends its own transaction leaves the version dirty.
    (here,) = version_row(database)
    assert (result.report.version, result.report.dirty) == (str(here[0]), here[1])
    assert [step.version for step in result.report.steps] == ["1", "2"]
    assert table_names(database) == {"t1", "t2"}
    database.drop()


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_what_is_read_over_a_new_connection_survives_the_servers_death(
    mortal: Server, number: int, side: Side
) -> None:
    """Cut before a step is sent, or before its answer: the report is made without the lock."""
    database = mortal.create_database()
    stop = Stop()
    seen = {"step": False, "cut": 0}

    def hook(message: Message) -> None:
        if seen["cut"] == 1 and message.kind == "startup":
            seen["cut"] = 2
            raise Cut
        seen["step"] = seen["step"] or b"TABLE t%d " % number in message.data
        if seen["step"] and not seen["cut"] and message.side is side:
            seen["cut"] = 1
            # Ends the attempts to take the lock again.
            stop.request()
            stop.request()
            raise Cut

    with closing(Proxy(mortal.host, mortal.port, hook=hook)) as proxy:
        result = up(request(proxy.divert(database.url), tables(1, 2, 3, 4), stop=stop))
    kill_and_launch(mortal)
    assert result.error is not None
    assert result.error.reason is Reason.CONNECTION_LOST
    done = number if side is Side.SERVER else number - 1
    assert result.report.version == (str(done) if done else None)
    assert result.report.dirty is False
    assert table_names(database) == {f"t{n}" for n in range(1, done + 1)}
    assert {f"t{step.version}" for step in result.report.steps} <= table_names(database)
    database.drop()


def test_steps_that_a_crash_may_have_lost_are_not_reported_without_an_answer(
    mortal: Server,
) -> None:
    database = mortal.create_database()
    stop = Stop()
    is_away = False

    def hook(message: Message) -> None:
        nonlocal is_away
        is_away = is_away or b"TABLE t3 " in message.data
        if is_away:
            stop.request()
            stop.request()
            raise Cut

    with closing(Proxy(mortal.host, mortal.port, hook=hook)) as proxy:
        result = up(request(proxy.divert(database.url), tables(1, 2, 3), stop=stop))
    kill_and_launch(mortal)
    assert result.error is not None
    assert (result.report.version, result.report.dirty) == (None, None)
    assert {f"t{step.version}" for step in result.report.steps} <= table_names(database)
    database.drop()


def test_a_role_that_loses_its_rights_midway_keeps_what_it_did(database: Database) -> None:
    role = database.create_role(password="p")
    database.execute(f"GRANT CREATE ON SCHEMA public TO {role}")

    def revoke(step: PlannedStep) -> None:
        if step.version == 2:
            database.execute(
                f"REVOKE CREATE ON SCHEMA public FROM {role};"
                f" REVOKE ALL ON schema_migrations, schema_migrations_log FROM {role};"
                " ALTER TABLE schema_migrations OWNER TO postgres;"
                " ALTER TABLE schema_migrations_log OWNER TO postgres"
            )

    url = database.url_for(role, "p")
    result = up(request(url, tables(1, 2), observer=Witness(on_start=revoke)))
    assert result.error is not None
    assert (result.error.reason, result.error.sqlstate) == (Reason.STATEMENT_FAILED, "42501")
    assert version_row(database) == [(1, False)]
    assert table_names(database) == {"t1"}
    assert up(request(database, tables(1, 2))).unwrap() is None
