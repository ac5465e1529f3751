"""The connection cut before every single message of a run, one run for each.

Wherever it is cut, the database is exactly before or exactly after a step, the
version row tells the truth, the report says the same, and the next run goes on
by itself; a step that can't be one transaction is finished by `repair`.
"""

from __future__ import annotations

import pytest

from dbmigrate.report import Reason
from dbmigrate.runner.result import VersionState
from dbmigrate.runner.up import up
from tests.database import Server
from tests.database.proxy import Cut, Message, Proxy
from tests.runner.arrange import request
from tests.runner.truth import FILES, check_next_run, check_truth

pytestmark = pytest.mark.database


class Breaker:
    """A hook that cuts once, before one message."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.what: str | None = None

    def __call__(self, message: Message) -> None:
        if message.number == self._number:
            self.what = f"{message.side} {message.kind}"
            raise Cut


@pytest.mark.timeout(600)
def test_wherever_the_connection_breaks_the_truth_is_kept(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    number, outcomes = 0, {"done": 0, "lost": 0, "refused": 0, "dirty": 0}
    while True:
        number += 1
        breaker = Breaker(number)
        database = server.create_database()
        with Proxy(server.host, server.port, hook=breaker) as proxy:
            result = up(request(proxy.divert(database.url), FILES))
        if breaker.what is None:
            assert result.error is None
            database.drop()
            break
        what = f"cut before message {number}, {breaker.what}: {result.error}"
        state = check_truth(database, what)
        if result.report.version is not None or result.report.dirty is not None:
            version = None if state.version is None else str(state.version)
            assert (result.report.version, result.report.dirty) == (version, state.dirty), what
        if result.error is None:
            outcomes["done"] += 1
            assert state == VersionState(4), what
        else:
            assert result.error.reason in {Reason.CONNECTION_LOST, Reason.CONNECTION_REFUSED}, what
            is_refused = result.error.reason is Reason.CONNECTION_REFUSED
            outcomes["dirty" if state.dirty else "refused" if is_refused else "lost"] += 1
        check_next_run(database, state, what)
        database.drop()
    with capsys.disabled():
        print(f"\n{number - 1} places to break the connection tried: {outcomes}")
    assert min(outcomes.values()) > 0
