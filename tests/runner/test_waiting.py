"""`wait`: for init containers, until the version is there."""

from __future__ import annotations

import socket

import pytest

from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.read_only.wait import wait
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.result import VersionState
from dbmigrate.runner.stop import Stop
from tests.database import Database
from tests.runner.arrange import Witness, request, tables

pytestmark = pytest.mark.database


class Helper(Witness):
    """Does something each time it is told what the run waits for."""

    def __init__(self, *actions: object) -> None:
        super().__init__()
        self._actions = list(actions)

    def notice(self, notice: Notice) -> None:
        super().notice(notice)
        if self._actions:
            self._actions.pop(0)()  # type: ignore[operator]


def test_it_returns_at_once_when_the_version_is_there(database: Database) -> None:
    up(request(database, tables(1, 2))).unwrap()
    told = Witness()
    for result in (
        wait(request(database, tables(1, 2), observer=told)),
        wait(request(database, observer=told), 1),
        wait(request(database, observer=told), 2, timeout=0),
    ):
        assert result.unwrap() == VersionState(2)
        assert (result.report.outcome, result.report.version) == (Outcome.UP_TO_DATE, "2")
    assert [notice.message for notice in told.notices] == [
        "nothing to wait for: the database is at version 2",
        "nothing to wait for: the database is at version 2, which has 1",
        "nothing to wait for: the database is at version 2",
    ]


def test_it_waits_for_history_version_and_cleanness(database: Database) -> None:
    def go_on_and_fail() -> None:
        up(request(database, tables(1, 2, 3))).unwrap()
        database.execute("UPDATE schema_migrations SET dirty = true")

    helper = Helper(
        lambda: up(request(database, tables(1, 2, 3)), 1).unwrap(),
        go_on_and_fail,
        lambda: database.execute("UPDATE schema_migrations SET dirty = false"),
    )
    result = wait(request(database, observer=helper), 3, timeout=60)
    assert result.unwrap() == VersionState(3)
    assert [notice.message for notice in helper.notices] == [
        "waiting: the database has no version, 3 is wanted",
        "waiting: the database is at version 1, 3 is wanted",
        "waiting: the database is at version 3 and is dirty",
        "the database is at version 3",
    ]


def test_it_waits_for_a_server_and_gives_up_in_time() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"postgres://u@127.0.0.1:{unused.getsockname()[1]}/d?sslmode=disable"
        result = wait(request(url), 1, timeout=1.0)
    assert result.error is not None
    assert (result.value, result.report.outcome) == (None, Outcome.WAITING)
    assert result.error.reason is Reason.CONNECTION_REFUSED
    assert result.report.error is not None
    assert result.report.error.reason is Reason.CONNECTION_REFUSED
    assert (result.report.target, result.report.version) == ("1", None)
    assert result.error.message.startswith("gave up waiting: can't connect to 127.0.0.1")


def test_it_waits_for_a_database_that_is_not_there_yet(database: Database) -> None:
    url = database.url.replace(database.name, "nowhere")
    result = wait(request(url), 1, timeout=0)
    assert result.error is not None
    assert result.error.reason is Reason.DATABASE_MISSING


def test_a_wrong_password_is_not_waited_for(database: Database) -> None:
    role = database.create_role(password="right")
    result = wait(request(database.url_for(role, "wrong")), 1, timeout=60)
    assert result.error is not None
    assert result.error.reason is Reason.AUTHENTICATION_FAILED
    assert result.report.outcome is Outcome.FAILED


def test_it_needs_to_read_one_table_and_nothing_else(database: Database) -> None:
    up(request(database, tables(1))).unwrap()
    role = database.create_role(password="p")
    url = database.url_for(role, "p")
    helper = Helper(lambda: database.execute(f"GRANT SELECT ON schema_migrations TO {role}"))
    assert wait(request(url, observer=helper), 1, timeout=60).unwrap() == VersionState(1)
    assert helper.notices[0].message == "waiting: the role may not read the history yet"


def test_the_history_of_a_later_schema_is_not_ours(database: Database) -> None:
    up(request(database, tables(1))).unwrap()
    database.execute("CREATE SCHEMA app")
    url = f"{database.url}&search_path=app,public"
    result = wait(request(url), 1, timeout=0)
    assert result.error is not None
    assert "has no version" in result.error.message


def test_a_stop_ends_it(database: Database) -> None:
    stop = Stop()
    result = wait(request(database, observer=Helper(stop.request), stop=stop), 1)
    assert result.error is not None
    assert result.error.reason is Reason.INTERRUPTED


def test_another_tools_table_is_not_waited_for(database: Database) -> None:
    database.execute("CREATE TABLE schema_migrations (version text)")
    result = wait(request(database), 1, timeout=60)
    assert result.error is not None
    assert result.error.reason is Reason.FOREIGN_HISTORY


def test_rows_that_contradict_each_other_are_not_waited_for(database: Database) -> None:
    database.execute(
        "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);"
        "INSERT INTO schema_migrations VALUES (1, false), (3, false)"
    )
    for version in (1, 3, 4):
        result = wait(request(database), version, timeout=0)
        assert result.error is not None
        assert result.error.reason is Reason.FOREIGN_HISTORY
        assert "more than one row" in result.error.message
