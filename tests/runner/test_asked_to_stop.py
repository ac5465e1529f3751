"""A run that is asked to stop in a step without a transaction: cleaned up, and gone on with."""

from __future__ import annotations

import pytest

from dbmigrate.report import Outcome, Reason, Report
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.repair import repair
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.stop import Stop
from tests.database import Database
from tests.runner.arrange import Witness, log, migration, request, source, table, version_row

pytestmark = pytest.mark.database

GATE = 7
"""An advisory lock between the two indexes."""
FILES = source(
    table(1),
    migration(
        2,
        "CREATE INDEX CONCURRENTLY one ON t1 (id);\n"
        f"SELECT pg_advisory_xact_lock({GATE});\n"
        "CREATE INDEX CONCURRENTLY two ON t1 (id);",
        "DROP INDEX CONCURRENTLY two; DROP INDEX CONCURRENTLY one;",
    ),
    table(3),
)
GRACE = 60.0
TAKE_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1"
"""A transaction that a concurrent build has to wait for, and that has locked no table."""


def indexes(database: Database) -> list[tuple[str, bool]]:
    """The indexes of t1, and whether they are valid."""
    statement = (
        "SELECT indexrelid::regclass::text, indisvalid FROM pg_index"
        " WHERE indrelid = 't1'::regclass ORDER BY 1"
    )
    return [(name, valid) for name, valid in database.query(statement)]


def interrupt(database: Database, statement: int) -> Report:
    """Go to 3, with SIGTERM once that statement of version 2 waits; the grace period runs out."""
    up(request(database, FILES), 1).unwrap()
    now = 0.0
    stop = Stop(lambda: now)

    def on_blocked() -> None:
        nonlocal now
        if statement == 3 and not stop.is_requested and not snapshots:
            snapshots.append(database.connect())
            snapshots[0].execute(TAKE_SNAPSHOT)
            gate.execute("COMMIT")
            return
        stop.request(killed_after=GRACE)
        assert not stop.is_urgent
        now = GRACE - 10

    snapshots = []
    with database.connect() as gate:
        gate.execute(f"BEGIN; SELECT pg_advisory_xact_lock({GATE})")
        if statement == 1:
            snapshots.append(database.connect())
            snapshots[0].execute(TAKE_SNAPSHOT)
        witness = Witness(on_blocked=on_blocked)
        result = goto(request(database, FILES, observer=witness, stop=stop))
        for connection in snapshots:
            connection.close()
    assert result.error is not None
    assert result.error.reason is Reason.INTERRUPTED
    assert result.error.is_retryable
    assert "continue from this statement" in (result.error.hint or "")
    return result.report


@pytest.mark.parametrize(("statement", "left"), [(1, []), (2, ["one"]), (3, ["one"])])
def test_what_a_cancelled_statement_leaves_is_dropped_and_the_next_run_goes_on(
    database: Database, statement: int, left: list[str]
) -> None:
    report = interrupt(database, statement)
    assert (report.version, report.dirty) == ("2", True)
    assert indexes(database) == [(name, True) for name in left]
    assert log(database, "version, outcome, statements_done") == [
        (1, "applied", None),
        (2, "interrupted", statement - 1),
    ]
    again = goto(request(database, FILES))
    assert again.error is None
    assert again.report.outcome is Outcome.APPLIED
    assert [step.version for step in again.report.steps] == ["2", "3"]
    assert indexes(database) == [("one", True), ("two", True)]
    assert version_row(database) == [(3, False)]


def test_one_step_is_the_one_that_was_interrupted(database: Database) -> None:
    interrupt(database, 3)
    assert up(request(database, FILES), 1).unwrap() is None
    assert version_row(database) == [(2, False)]


def test_a_way_that_does_not_lead_through_the_step_is_refused(database: Database) -> None:
    interrupt(database, 3)
    back = goto(request(database, FILES), 1)
    assert back.error is not None
    assert back.error.reason is Reason.DIRTY
    assert version_row(database) == [(2, True)]
    assert repair(request(database, FILES)).error is None
    assert version_row(database) == [(2, False)]


def test_a_cancelled_drop_is_ended_by_the_drop_itself(database: Database) -> None:
    up(request(database, FILES), 2).unwrap()
    now = 0.0
    stop = Stop(lambda: now)

    def on_blocked() -> None:
        nonlocal now
        stop.request(killed_after=GRACE)
        now = GRACE - 10

    with database.connect() as reader:
        reader.execute("BEGIN; SELECT * FROM t1")
        witness = Witness(on_blocked=on_blocked)
        result = goto(request(database, FILES, observer=witness, stop=stop), 1)
    assert result.error is not None
    assert result.error.reason is Reason.INTERRUPTED
    assert goto(request(database, FILES), 1).error is None
    assert indexes(database) == []
    assert version_row(database) == [(1, False)]
