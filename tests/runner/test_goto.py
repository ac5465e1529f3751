"""`goto`: to one version or the latest, up or down, under the policies of a resource."""

from __future__ import annotations

import pytest

from dbmigrate.policies import ChangedFiles, OutOfOrder, Rollback
from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.read_only.plan import preview
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options
from dbmigrate.runner.stop import Stop
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


def test_goto_latest_applies_all_and_is_up_to_date_afterwards(database: Database) -> None:
    assert goto(request(database, tables(1, 2))).report.outcome is Outcome.APPLIED
    result = goto(request(database, tables(1, 2)))
    assert result.unwrap() is None
    assert (result.report.outcome, result.report.target) == (Outcome.UP_TO_DATE, "2")


def test_goto_walks_up_and_down(database: Database) -> None:
    files = tables(1, 2, 3)
    assert goto(request(database, files), 2).unwrap() is None
    assert table_names(database) == {"t1", "t2"}
    result = goto(request(database, files), 1)
    assert result.report.outcome is Outcome.ROLLED_BACK
    assert table_names(database) == {"t1"}
    assert version_row(database) == [(1, False)]


def test_a_version_without_a_file_is_refused_in_golang_migrates_words(database: Database) -> None:
    result = goto(request(database, tables(1)), 7)
    assert result.error is not None
    assert result.error.message == (
        "no migration found for version 7: read down for version 7 .: file does not exist"
    )


def test_a_run_is_held_to_its_plan_and_so_is_the_one_that_ends_it(database: Database) -> None:
    checksum = preview(request(database, tables(1, 2, 3))).report.plan_checksum
    held = Options(plan_checksum=checksum)
    stop = Stop()
    witness = Witness(on_start=lambda step: stop.request() if step.version == 2 else None)
    first = goto(request(database, tables(1, 2, 3), options=held, observer=witness, stop=stop))
    assert (first.report.version, first.report.outcome) == ("2", Outcome.FAILED)
    assert goto(request(database, tables(1, 2, 3), options=held)).report.version == "3"


def test_a_run_that_would_do_something_else_than_its_plan_changes_nothing(
    database: Database,
) -> None:
    checksum = preview(request(database, tables(1, 2))).report.plan_checksum
    held = Options(plan_checksum=checksum)
    for files in (tables(1, 2, 3), source(table(1), migration(2, "CREATE TABLE other ()"))):
        result = goto(request(database, files, options=held))
        assert result.error is not None
        assert (result.error.reason, result.error.is_retryable) == (Reason.PLAN_CHANGED, False)
    up(request(database, tables(1, 2), options=held), 1)
    assert table_names(database) == set()
    assert up(request(database, tables(1, 2), options=held)).report.version == "2"


def test_a_forbidden_rollback_changes_nothing(database: Database) -> None:
    files = tables(1, 2)
    up(request(database, files)).unwrap()
    forbid = Options(rollback=Rollback.FORBID)
    for result in (
        goto(request(database, files, options=forbid), 1),
        goto(request(database, tables(1), options=forbid)),
        down(request(database, files, options=forbid), 1),
    ):
        assert result.error is not None
        assert result.error.reason is Reason.ROLLBACK_FORBIDDEN
    assert version_row(database) == [(2, False)]


def test_an_allowed_rollback_needs_every_down_script(database: Database) -> None:
    files = source(table(1), migration(2, "SELECT 1"), table(3))
    up(request(database, files)).unwrap()
    result = goto(request(database, files, options=Options(rollback=Rollback.ALLOW)), 1)
    assert result.error is not None
    assert result.error.reason is Reason.IRREVERSIBLE_MIGRATION
    assert "version 2 (m2)" in result.error.message
    assert version_row(database) == [(3, False)]
    assert goto(request(database, files), 1).unwrap() is None
    assert version_row(database) == [(1, False)]


def test_a_rollback_uses_the_stored_down_scripts_where_files_are_gone(database: Database) -> None:
    up(request(database, tables(1, 2, 3))).unwrap()
    older = tables(1)
    witness = Witness()
    assert goto(request(database, older, observer=witness)).unwrap() is None
    assert witness.finished == [3, 2]
    assert table_names(database) == {"t1"}
    assert version_row(database) == [(1, False)]


def test_a_late_version_is_refused_applied_or_ignored(database: Database) -> None:
    up(request(database, tables(1, 3))).unwrap()
    files = tables(1, 2, 3)
    result = goto(request(database, files))
    assert result.error is not None
    assert result.error.reason is Reason.OUT_OF_ORDER
    assert "2 (m2)" in result.error.message
    assert result.report.pending == 1

    ignore = Options(out_of_order=OutOfOrder.IGNORE)
    result = goto(request(database, files, options=ignore))
    assert (result.report.outcome, result.report.pending) == (Outcome.UP_TO_DATE, 0)

    apply = Options(out_of_order=OutOfOrder.APPLY)
    result = goto(request(database, files, options=apply))
    assert (result.report.outcome, result.report.pending) == (Outcome.APPLIED, 0)
    assert table_names(database) == {"t1", "t2", "t3"}
    assert version_row(database) == [(3, False)]
    assert goto(request(database, files)).report.outcome is Outcome.UP_TO_DATE


def test_a_late_version_is_never_undone_if_it_was_never_applied(database: Database) -> None:
    up(request(database, tables(1, 3))).unwrap()
    witness = Witness()
    assert down(request(database, tables(1, 2, 3), observer=witness), 2).unwrap() is None
    assert witness.finished == [3, 1]


def test_below_a_version_of_unknown_origin_nothing_is_out_of_order(database: Database) -> None:
    database.execute(
        "CREATE TABLE schema_migrations (version bigint not null primary key,"
        " dirty boolean not null); INSERT INTO schema_migrations VALUES (3, false)"
    )
    assert goto(request(database, tables(1, 2, 3))).report.outcome is Outcome.UP_TO_DATE
    assert goto(request(database, tables(1, 2, 3, 4))).unwrap() is None
    columns = "version, direction, from_version, to_version"
    assert log(database, columns) == [(None, "gap", None, 3), (4, "up", 3, 4)]


def test_an_edited_file_is_refused_or_warned_of(database: Database) -> None:
    up(request(database, tables(1))).unwrap()
    edited = source(migration(1, "CREATE TABLE t1 (id bigint);"), table(2))
    result = up(request(database, edited))
    assert result.error is not None
    assert result.error.reason is Reason.CHECKSUM_MISMATCH
    assert "000001_m1.up.sql" in result.error.message
    assert version_row(database) == [(1, False)]

    witness = Witness()
    warn = Options(changed_files=ChangedFiles.WARN)
    assert up(request(database, edited, options=warn, observer=witness)).unwrap() is None
    assert any("000001_m1.up.sql" in notice.message for notice in witness.notices)
    assert version_row(database) == [(2, False)]
