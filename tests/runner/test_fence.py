"""The version row moves only from where the run left it, in the run's own transaction."""

from __future__ import annotations

import pytest

from dbmigrate.postgres.sqltext.transaction_mode import TransactionKind, TransactionMode
from dbmigrate.report import Reason
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.execution import script_text
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


@pytest.fixture
def gullible(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every script for one that is simply one transaction."""
    ordinary = TransactionMode(TransactionKind.ONE_QUERY)
    monkeypatch.setattr(script_text, "transaction_mode", lambda *_: ordinary)


@pytest.mark.usefixtures("gullible")
@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE t2 (); COMMIT; CREATE TABLE t3 ();",
        "CREATE TABLE t2 (); COMMIT; BEGIN; CREATE TABLE t3 ();",
        "CREATE TABLE t2 (); COMMIT; CREATE TABLE t3 (); SELECT 1/0;",
        "CREATE TABLE t2 (); COMMIT AND CHAIN; CREATE TABLE t3 ();",
    ],
)
def test_a_file_that_ends_our_transaction_unseen_makes_the_version_dirty(
    database: Database, text: str
) -> None:
    files = source(table(1), migration(2, text))
    result = up(request(database, files))
    assert result.error is not None
    assert result.error.reason is Reason.STATEMENT_FAILED
    assert "ended its own transaction" in result.error.message
    assert table_names(database) == {"t1", "t2"}
    assert version_row(database) == [(2, True)]
    assert (result.report.version, result.report.dirty) == ("2", True)
    assert log(database)[-1] == (2, "up", "failed")


@pytest.mark.usefixtures("gullible")
def test_a_file_that_rolls_our_transaction_back_unseen_makes_the_version_dirty(
    database: Database,
) -> None:
    files = source(table(1), migration(2, "CREATE TABLE t2 (); ROLLBACK; CREATE TABLE t3 ();"))
    result = up(request(database, files))
    assert result.error is not None
    assert "ended its own transaction" in result.error.message
    assert table_names(database) == {"t1"}
    assert version_row(database) == [(2, True)]


def test_a_version_that_somebody_moved_meanwhile_is_not_overwritten(database: Database) -> None:
    def move(step: PlannedStep) -> None:
        if step.version == 2:
            database.execute("UPDATE schema_migrations SET version = 7")

    result = up(request(database, tables(1, 2), observer=Witness(on_start=move)))
    assert result.error is not None
    assert result.error.reason is Reason.LOCK_TIMEOUT
    assert "from 1 to 7" in result.error.message
    assert result.report.version == "7"
    assert table_names(database) == {"t1"}
    assert version_row(database) == [(7, False)]


def test_a_file_that_moves_the_version_itself_is_rolled_back(database: Database) -> None:
    files = source(table(1), migration(2, "UPDATE schema_migrations SET version = 9"))
    result = up(request(database, files))
    assert result.error is not None
    assert "changes the version row itself" in result.error.message
    assert version_row(database) == [(1, False)]
    assert (result.report.version, result.report.dirty) == ("1", False)


def test_a_run_that_is_stopped_flushes_what_it_did_without_special_rights(
    database: Database,
) -> None:
    from dbmigrate.runner.stop import Stop

    role = database.create_role(password="p")
    database.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
    stop = Stop()
    witness = Witness(on_start=lambda _: stop.request())
    result = up(request(database.url_for(role, "p"), tables(1, 2), observer=witness, stop=stop))
    assert result.error is not None
    assert result.error.reason is Reason.INTERRUPTED
    assert version_row(database) == [(1, False)]
