"""A connection that breaks: the database is asked what happened, nothing is guessed."""

from __future__ import annotations

import pytest

from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.planning.step import PlannedStep
from tests.database import Database
from tests.runner.arrange import (
    Witness,
    log,
    migration,
    request,
    source,
    table,
    table_names,
    tables,
    version_row,
)

pytestmark = pytest.mark.database

SUICIDE = "SELECT pg_terminate_backend(pg_backend_pid());"


def test_a_backend_that_is_killed_in_a_step_leaves_the_version_below(database: Database) -> None:
    files = source(table(1), migration(2, f"CREATE TABLE t2 ();\n{SUICIDE}\nCREATE TABLE t3 ();"))
    result = up(request(database, files))
    assert result.error is not None
    assert result.error.reason is Reason.CONNECTION_LOST
    assert result.error.is_retryable
    assert "version 2 (m2) up, which was rolled back" in result.error.message
    assert (result.report.version, result.report.dirty) == ("1", False)
    assert version_row(database) == [(1, False)]
    assert table_names(database) == {"t1"}
    assert up(request(database, tables(1, 2))).unwrap() is None


def test_a_connection_that_breaks_after_the_commit_is_no_failure(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit happened and its confirmation was lost: the run goes on behind it."""
    from dbmigrate.postgres.connection.errors import ConnectionBroken
    from dbmigrate.postgres.connection.session import Session

    original = Session.execute
    broken: list[int] = []

    def break_once(self: Session, sql: bytes, **rest: object) -> int:
        done = original(self, sql, **rest)  # type: ignore[arg-type]
        if b"CREATE TABLE t1 " in sql and not broken:
            broken.append(1)
            self.close()
            raise ConnectionBroken("cut by the test")
        return done

    monkeypatch.setattr(Session, "execute", break_once)
    result = up(request(database, tables(1, 2)))
    assert broken
    assert result.unwrap() is None
    assert (result.report.outcome, result.report.version) == (Outcome.APPLIED, "2")
    assert [step.version for step in result.report.steps] == ["1", "2"]
    assert log(database) == [(1, "up", "applied"), (2, "up", "applied")]


def test_a_backend_killed_between_steps_is_replaced(database: Database) -> None:
    def kill(step: PlannedStep) -> None:
        if step.version == 2:
            database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                f" WHERE datname = '{database.name}' AND application_name = 'dbmigrate'"
            )

    result = up(request(database, tables(1, 2), observer=Witness(on_start=kill)))
    assert result.error is not None
    assert result.error.reason is Reason.CONNECTION_LOST
    assert result.report.version == "1"
    assert table_names(database) == {"t1"}


def test_a_step_without_a_transaction_stays_dirty_and_tells_how_far_it_came(
    database: Database,
) -> None:
    files = source(migration(1, f"CREATE TABLE t1 ();\nVACUUM t1;\n{SUICIDE}\nCREATE TABLE t2 ()"))
    result = up(request(database, files))
    assert result.error is not None
    assert result.error.reason is Reason.CONNECTION_LOST
    assert (result.report.version, result.report.dirty) == ("1", True)
    assert version_row(database) == [(1, True)]
    assert log(database, "outcome, statements_done") == [("running", 2)]
