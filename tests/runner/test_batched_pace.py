"""Batches make way: for standbys that are behind, and for sessions that wait for a lock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from dbmigrate.report import Reason
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.request import Options
from dbmigrate.runner.stop import Stop
from tests.database import Database, Server
from tests.database.programs import PostgresUnavailable
from tests.database.standby import NAME, standby_of
from tests.runner.arrange import Witness, request, version_row
from tests.runner.batches import COUNT_UP, ROWS, SIZE, files, progress, touched

pytestmark = pytest.mark.database

BRIEF = Options(lock_timeout=3.0, statement_lock_timeout_ms=1000)


class Listener(Witness):
    """Acts once, when it is told something."""

    def __init__(self, words: str, act: Callable[[], object]) -> None:
        super().__init__()
        self._words = words
        self._act = act
        self.has_acted = False

    def notice(self, notice: Notice) -> None:
        super().notice(notice)
        if self._words in notice.message and not self.has_acted:
            self.has_acted = True
            self._act()


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Server, Server]]:
    """A primary of this module's own, and its standby."""
    try:
        with Server.start(settings={"wal_level": "replica"}) as primary:
            with standby_of(primary) as standby:
                yield primary, standby
    except PostgresUnavailable as problem:
        pytest.skip(f"NOT TESTED, no PostgreSQL: {problem}")


@contextmanager
def halted(standby: Server) -> Iterator[Callable[[], None]]:
    """It receives, but replays nothing until the function is called that this gives."""
    with psycopg.connect(standby.url("postgres"), autocommit=True) as connection:
        connection.execute("SELECT pg_wal_replay_pause()")
        while connection.execute("SELECT pg_get_wal_replay_pause_state()").fetchone() != (
            "paused",
        ):
            pass

        def go_on() -> None:
            connection.execute("SELECT pg_wal_replay_resume()")

        try:
            yield go_on
        finally:
            go_on()


@pytest.mark.parametrize("limit", ["size=1 max-lag=100ms pause=10ms", "size=10 max-lag=1kB"])
def test_a_standby_that_is_behind_is_waited_for(pair: tuple[Server, Server], limit: str) -> None:
    primary, standby = pair
    database = primary.create_database()
    given = files(COUNT_UP.replace(f"size={SIZE}", limit))
    up(request(database, given), 1).unwrap()
    with halted(standby) as go_on:
        listener = Listener(f"paused: standby {NAME} is ", go_on)
        result = up(request(database, given, observer=listener))
    assert result.unwrap() is None
    assert listener.has_acted
    assert touched(database) == {1: ROWS}


def test_a_run_that_waits_for_a_standby_can_be_stopped(pair: tuple[Server, Server]) -> None:
    primary, standby = pair
    database = primary.create_database()
    given = files(COUNT_UP.replace(f"size={SIZE}", "size=10 max-lag=1kB"))
    up(request(database, given), 1).unwrap()
    stop = Stop()
    with halted(standby):
        listener = Listener("paused: ", stop.request)
        result = up(request(database, given, observer=listener, stop=stop))
    assert result.error is not None
    assert result.error.reason is Reason.INTERRUPTED
    assert version_row(database) == [(2, True)]
    assert progress(database) == [(["0"], 0, 0)]
    assert up(request(database, given)).unwrap() is None
    assert touched(database) == {1: ROWS}


def test_without_a_limit_nobody_waits_for_a_standby(pair: tuple[Server, Server]) -> None:
    primary, standby = pair
    database = primary.create_database()
    given = files(COUNT_UP.replace(f"size={SIZE}", "size=10 max-lag=none"))
    with halted(standby):
        assert up(request(database, given)).unwrap() is None
    assert touched(database) == {1: ROWS}


def test_a_role_that_may_not_see_the_standbys_is_told_once(pair: tuple[Server, Server]) -> None:
    primary, _ = pair
    database = primary.create_database()
    role = database.create_role(password="p")
    database.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
    witness = Witness()
    url = database.url_for(role, "p")
    assert up(request(url, files(), observer=witness)).unwrap() is None
    warnings = [each.message for each in witness.notices if each.severity == "WARNING"]
    assert len(warnings) == 1
    assert "grant it pg_monitor" in warnings[0]
    assert touched(database) == {1: ROWS}


def test_a_server_that_shows_no_standbys_is_told_of_once(database: Database) -> None:
    role = database.create_role(password="p")
    database.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
    database.execute("REVOKE EXECUTE ON FUNCTION pg_current_wal_lsn() FROM PUBLIC")
    witness = Witness()
    assert up(request(database.url_for(role, "p"), files(), observer=witness)).unwrap() is None
    warnings = [each.message for each in witness.notices if each.severity == "WARNING"]
    assert len(warnings) == 1
    assert "permission denied for function pg_current_wal_lsn" in warnings[0]
    assert touched(database) == {1: ROWS}


HOLD = """
CREATE SEQUENCE batches;
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF current_setting('application_name') <> 'dbmigrate' OR nextval('batches') > 1 THEN
    RETURN NULL;
  END IF;
  LOOP
    PERFORM pg_stat_clear_snapshot();
    EXIT WHEN EXISTS (SELECT FROM pg_stat_activity w, pg_stat_activity m
      WHERE pg_backend_pid() = ANY (pg_blocking_pids(w.pid)) AND m.datname = w.datname
      AND m.application_name LIKE 'dbmigrate%monitor%' AND m.state = 'idle'
      AND m.query_start > w.query_start);
    PERFORM pg_sleep(0.01);
  END LOOP;
  RETURN NULL;
END $$;
CREATE TRIGGER t AFTER UPDATE ON many EXECUTE FUNCTION hold()"""
"""The first batch lasts until somebody waits for it, and the run has seen that."""


def test_a_batch_that_others_wait_for_is_followed_by_a_smaller_one(database: Database) -> None:
    given = files(COUNT_UP.replace("duration=1h", "duration=2s"), rows=40)
    up(request(database, given), 1).unwrap()
    database.execute(HOLD)
    is_over = threading.Event()

    def knock() -> None:
        """An application that writes to the first row over and over."""
        with database.connect() as connection:
            while not is_over.is_set():
                connection.execute("UPDATE many SET touched = touched WHERE id = 1")

    application = threading.Thread(target=knock)
    application.start()
    witness = Witness()
    try:
        result = up(request(database, given, observer=witness))
    finally:
        is_over.set()
        application.join()
    assert result.unwrap() is None
    told = [each.message for each in witness.notices if "waited for a batch" in each.message]
    assert len(told) == 1
    assert "UPDATE many SET touched = touched WHERE id = 1" in told[0]
    # 10, 5, and quick ones again: 10, 10, 5.
    assert progress(database) == [(["40"], 5, 40)]
    assert touched(database) == {1: 40}


def test_a_batch_that_is_slower_than_it_should_be_is_followed_by_smaller_ones(
    database: Database,
) -> None:
    given = files(COUNT_UP.replace("duration=1h", "duration=0.001ms"))
    assert up(request(database, given)).unwrap() is None
    # 10, a quarter of it, and single rows.
    assert progress(database) == [([str(ROWS)], 2 + ROWS - 12, ROWS)]
    assert touched(database) == {1: ROWS}


def test_a_row_that_somebody_holds_is_tried_again_and_the_next_run_goes_on(
    database: Database,
) -> None:
    up(request(database, files()), 1).unwrap()
    with database.connect() as application:
        application.execute("BEGIN")
        application.execute("UPDATE many SET touched = touched WHERE id = 25")
        result = up(request(database, files(), options=BRIEF))
        pid = application.info.backend_pid
        assert result.error is not None
        assert (result.error.reason, result.error.is_retryable) == (Reason.BLOCKED_BY_QUERY, True)
        assert f"blocked by pid {pid}" in (result.error.detail or "")
        assert "20 rows in the batches before it are done" in (result.error.detail or "")
        assert version_row(database) == [(2, True)]
        witness = Witness(on_blocked=lambda: application.execute("COMMIT"))
        options = Options(lock_timeout=60, statement_lock_timeout_ms=200)
        assert up(request(database, files(), options=options, observer=witness)).unwrap() is None
    assert witness.blocks
    assert touched(database) == {1: ROWS}


def test_a_deadlock_costs_a_batch_no_more_than_another_try(database: Database) -> None:
    up(request(database, files()), 1).unwrap()
    database.execute(
        "CREATE SEQUENCE tries;"
        "CREATE FUNCTION clash() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF nextval('tries') = 1 THEN RAISE EXCEPTION 'as if' USING ERRCODE = '40P01'; END IF;"
        " RETURN NEW; END $$; CREATE TRIGGER t BEFORE UPDATE ON many FOR EACH ROW"
        " WHEN (OLD.id = 15) EXECUTE FUNCTION clash()"
    )
    assert up(request(database, files())).unwrap() is None
    assert database.query("SELECT last_value FROM tries") == [(2,)]
    assert touched(database) == {1: ROWS}
