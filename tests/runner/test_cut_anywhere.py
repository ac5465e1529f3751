"""The connection cut before every single message of a run, one run for each.

Wherever it is cut, the database is exactly before or exactly after a step, the
version row tells the truth, the report says the same, and the next run goes on
by itself; a step that can't be one transaction is finished by `repair`.
"""

from __future__ import annotations

import pytest

from dbmigrate.report import Reason
from dbmigrate.runner.repair import repair
from dbmigrate.runner.result import VersionState
from dbmigrate.runner.up import up
from dbmigrate.runner.version import version
from tests.database import Database, Server
from tests.database.proxy import Cut, Message, Proxy
from tests.runner.arrange import log, migration, request, source, table, table_names, version_row

pytestmark = pytest.mark.database

FILES = source(
    table(1),
    table(2),
    migration(
        3,
        "CREATE INDEX CONCURRENTLY i ON t1 (id);\nCREATE TABLE t3 ();\n"
        "BEGIN; INSERT INTO t2 VALUES (3); COMMIT;\nVACUUM t1;",
    ),
    table(4),
)


class Breaker:
    """A hook that cuts once, before one message."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.what: str | None = None

    def __call__(self, message: Message) -> None:
        if message.number == self._number:
            self.what = f"{message.side} {message.kind}"
            raise Cut


def check(database: Database, what: str) -> VersionState:
    """The database's state, held against its schema."""
    state = version(request(database)).unwrap()
    assert state is not None
    reached = state.version or 0
    done = reached - 1 if state.dirty else reached
    expected = {f"t{number}" for number in (1, 2, 3, 4) if number <= done}
    found = table_names(database)
    if state.dirty:
        assert reached == 3, what
        found.discard("t3")
    assert found == expected, what
    return state


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
        state = check(database, what)
        if result.report.version is not None or result.report.dirty is not None:
            assert (result.report.version, result.report.dirty) == (
                None if state.version is None else str(state.version),
                state.dirty,
            ), what
        if result.error is None:
            outcomes["done"] += 1
            assert state == VersionState(4), what
        else:
            assert result.error.reason in {Reason.CONNECTION_LOST, Reason.CONNECTION_REFUSED}, what
            is_refused = result.error.reason is Reason.CONNECTION_REFUSED
            outcomes["dirty" if state.dirty else "refused" if is_refused else "lost"] += 1
        if state.dirty:
            mended = repair(request(database, FILES))
            assert mended.error is None, f"{what}; then {mended.error} {mended.error.location}"
        again = up(request(database, FILES))
        assert again.error is None, f"{what}; then {again.error}"
        assert version_row(database) == [(4, False)], what
        assert table_names(database) == {"t1", "t2", "t3", "t4"}, what
        assert database.query("SELECT count(*) FROM t2") == [(1,)], what
        applied = [row for row in log(database) if row[1:] == ("up", "applied")]
        assert [row[0] for row in applied] == [1, 2, 3, 4], what
        database.drop()
    with capsys.disabled():
        print(f"\n{number - 1} places to break the connection tried: {outcomes}")
    assert min(outcomes.values()) > 0
