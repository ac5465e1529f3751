"""goose's history through each command: what is applied is what goose's table says."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbmigrate.policies import OutOfOrder, Rollback
from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.baseline import baseline
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.read_only.plan import preview
from dbmigrate.runner.commands.read_only.status import status
from dbmigrate.runner.commands.read_only.version import version
from dbmigrate.runner.commands.read_only.wait import wait
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.planning.step import PlannedStep
from dbmigrate.runner.request import Options
from dbmigrate.runner.result import VersionState
from tests.database import Database
from tests.formats.arrange import (
    fill,
    findings,
    goose_file,
    goose_rows,
    goose_tables,
    log,
    request,
    run_goose,
    states,
    table_names,
)
from tests.runner.arrange import Witness

pytestmark = pytest.mark.database

APPLY = Options(out_of_order=OutOfOrder.APPLY)


def test_a_new_database_gets_gooses_table_and_our_log(database: Database, tmp_path: Path) -> None:
    directory = fill(tmp_path / "m", goose_tables(1, 2))
    report = up(request(database, directory)).report
    assert (report.outcome, report.version, report.pending) == (Outcome.APPLIED, "2", 0)
    assert goose_rows(database) == [(0, True), (1, True), (2, True)]
    assert log(database) == [(1, "up", "applied"), (2, "up", "applied")]
    assert down(request(database, directory), 1).report.version == "1"
    assert goose_rows(database) == [(0, True), (1, True)]


def test_what_was_left_out_is_seen_and_can_be_applied(database: Database, tmp_path: Path) -> None:
    directory = fill(tmp_path / "m", goose_tables(1, 3))
    up(request(database, directory)).unwrap()
    fill(directory, goose_tables(2, 4))
    assert states(database, directory) == [
        (1, "applied"),
        (2, "out of order"),
        (3, "applied"),
        (4, "pending"),
    ]
    assert findings(database, directory) == [(2, "out of order")]
    refused = up(request(database, directory))
    assert refused.error is not None
    assert refused.error.reason is Reason.OUT_OF_ORDER
    assert up(request(database, directory, options=APPLY)).report.version == "4"
    assert [row for row, _ in goose_rows(database)] == [0, 1, 3, 2, 4]
    assert findings(database, directory) == []


def test_down_undoes_what_was_applied_last_and_the_version_stays_the_highest(
    database: Database, tmp_path: Path
) -> None:
    directory = fill(tmp_path / "m", goose_tables(1, 3))
    up(request(database, directory)).unwrap()
    fill(directory, goose_tables(2))
    up(request(database, directory, options=APPLY)).unwrap()
    assert down(request(database, directory), 1).report.version == "3"
    assert table_names(database) == {"t1", "t3"}
    assert goose_rows(database) == [(0, True), (1, True), (3, True)]


def test_the_way_down_does_not_lead_to_what_was_never_applied(
    database: Database, tmp_path: Path
) -> None:
    directory = fill(tmp_path / "m", goose_tables(1, 3))
    up(request(database, directory)).unwrap()
    fill(directory, goose_tables(2))
    refused = goto(request(database, directory), 2)
    assert refused.error is not None
    assert refused.error.reason is Reason.OUT_OF_ORDER
    assert goto(request(database, directory), 1).report.version == "1"
    assert table_names(database) == {"t1"}


def test_rows_of_old_gooses_count_by_the_newest_of_a_version(
    database: Database, tmp_path: Path, goose_oracle: Path
) -> None:
    database.execute(
        "CREATE TABLE goose_db_version (id serial NOT NULL, version_id bigint NOT NULL,"
        " is_applied boolean NOT NULL, tstamp timestamp NULL default now(), PRIMARY KEY (id));"
        "INSERT INTO goose_db_version (version_id, is_applied)"
        " VALUES (0, true), (1, true), (2, true), (2, false), (1, false), (1, true);"
        "CREATE TABLE t1 (id int)"
    )
    directory = fill(tmp_path / "m", goose_tables(1, 2, 3))
    assert version(request(database, directory)).unwrap() == VersionState(1)
    up(request(database, directory)).unwrap()
    assert states(database, directory) == [(1, "applied"), (2, "applied"), (3, "applied")]
    assert "no migrations to run. current version: 3" in run_goose(
        goose_oracle, directory, database, "up"
    )
    down(request(database, directory), 2).unwrap()
    assert goose_rows(database) == [(0, True), (1, True), (1, False), (1, True)]
    assert down(request(database, directory)).report.version is None
    assert goose_rows(database) == [(0, True)]


def test_down_begins_with_the_newest_row_as_goose_does(
    database: Database, tmp_path: Path, goose_oracle: Path
) -> None:
    directory = fill(tmp_path / "m", goose_tables(1, 2))
    up(request(database, directory)).unwrap()
    database.execute(
        "INSERT INTO goose_db_version (version_id, is_applied) VALUES (1, false), (1, true)"
    )
    assert "goose: version 1" in run_goose(goose_oracle, directory, database, "version")
    assert down(request(database, directory), 1).report.version == "2"
    assert table_names(database) == {"t2"}


def test_a_go_migration_that_was_applied_is_let_be_and_a_pending_one_refused(
    database: Database, tmp_path: Path
) -> None:
    directory = fill(tmp_path / "m", {**goose_tables(1, 3), "00002_b.go": "package m"})
    refused = up(request(database, directory))
    assert refused.error is not None
    assert refused.error.reason is Reason.SOURCE_INVALID
    assert "00002_b.go" in refused.error.message
    assert table_names(database) == set()
    up(request(database, directory), 1).unwrap()
    database.execute("INSERT INTO goose_db_version (version_id, is_applied) VALUES (2, true)")
    up(request(database, directory)).unwrap()
    assert table_names(database) == {"t1", "t3"}
    assert down(request(database, directory), 1).error is None
    refused = down(request(database, directory), 1)
    assert refused.error is not None
    assert "00002_b.go" in refused.error.message


def test_an_applied_version_without_a_file_is_told_and_undone_from_the_log_alone(
    database: Database, tmp_path: Path
) -> None:
    directory = fill(tmp_path / "m", goose_tables(1, 2, 3))
    up(request(database, directory)).unwrap()
    database.execute("DELETE FROM goose_db_version_log WHERE version = 1")
    (directory / "00002_t2.sql").unlink()
    (directory / "00001_t1.sql").unlink()
    assert findings(database, directory) == [(1, "missing"), (2, "missing")]
    assert down(request(database, directory), 2).report.version == "1"
    assert table_names(database) == {"t1"}
    refused = down(request(database, directory), 1)
    assert refused.error is not None
    assert refused.error.reason is Reason.MISSING_VERSION
    assert table_names(database) == {"t1"}


def test_an_edit_is_noticed_unless_goose_has_made_the_step_again(
    database: Database, tmp_path: Path, goose_oracle: Path
) -> None:
    directory = fill(tmp_path / "m", goose_tables(1, 2))
    up(request(database, directory)).unwrap()
    fill(directory, {"00002_t2.sql": goose_file("CREATE TABLE t2 (id bigint);", "DROP TABLE t2;")})
    assert findings(database, directory) == [(2, "changed")]
    refused = up(request(database, directory))
    assert refused.error is not None
    assert refused.error.reason is Reason.CHECKSUM_MISMATCH
    run_goose(goose_oracle, directory, database, "redo")
    assert findings(database, directory) == []
    table = status(request(database, directory)).unwrap()
    assert table is not None
    assert [(row.recorded, row.applied_at is not None) for row in table.rows] == [
        (True, True),
        (False, True),
    ]
    assert up(request(database, directory)).error is None


def test_baseline_has_a_row_for_each_version_so_that_goose_goes_on(
    database: Database, tmp_path: Path, goose_oracle: Path
) -> None:
    directory = fill(tmp_path / "m", goose_tables(1, 2, 3))
    database.execute("CREATE TABLE t1 (); CREATE TABLE t2 ()")
    baseline(request(database, directory), 2).unwrap()
    assert goose_rows(database) == [(0, True), (1, True), (2, True)]
    assert "migrated database to version: 3" in run_goose(goose_oracle, directory, database, "up")
    assert states(database, directory) == [(1, "applied"), (2, "applied"), (3, "applied")]
    nowhere = force(request(database, directory), 7)
    assert nowhere.error is not None
    assert nowhere.error.reason is Reason.MISSING_VERSION


def test_wait_wants_that_very_version(database: Database, tmp_path: Path) -> None:
    directory = fill(tmp_path / "m", goose_tables(1, 3))
    nothing = wait(request(database, directory), 1, timeout=0)
    assert nothing.report.outcome is Outcome.WAITING
    up(request(database, directory)).unwrap()
    assert wait(request(database, directory), timeout=0).unwrap() == VersionState(3)
    left_out = wait(request(database, directory), 2, timeout=0)
    assert left_out.error is not None
    assert left_out.report.version == "3"


def test_plan_shows_no_value_of_the_environment(database: Database, tmp_path: Path) -> None:
    text = goose_file("-- +goose ENVSUB ON\nCREATE ROLE x PASSWORD '${SECRET}' SUPERWOMAN;", "")
    directory = fill(tmp_path / "m", {"00001_a.sql": text})
    environ = {"SECRET": "hush"}
    planned = preview(request(database, directory, environ=environ))
    assert planned.value is not None
    assert b"${SECRET}" in (planned.value.steps[0].sql or b"")
    assert "hush" not in repr(planned)
    failed = up(request(database, directory, environ=environ))
    assert failed.error is not None
    assert failed.error.location is not None
    assert failed.error.location.line == 3
    assert "hush" not in repr(failed.report)
    assert "hush" not in str(database.query("SELECT l::text FROM goose_db_version_log l"))


def test_a_down_script_with_values_of_the_environment_is_not_kept(
    database: Database, tmp_path: Path
) -> None:
    text = goose_file("CREATE TABLE a ();", "-- +goose ENVSUB ON\nCOMMENT ON TABLE a IS '$SECRET';")
    directory = fill(tmp_path / "m", {"00001_a.sql": text, **goose_tables(2)})
    up(request(database, directory, environ={"SECRET": "hush"})).unwrap()
    kept = database.query("SELECT version, down_script FROM goose_db_version_log ORDER BY id")
    assert kept == [(1, None), (2, "\n\n\nDROP TABLE t2;\n")]


def test_a_version_that_somebody_else_applied_meanwhile_rolls_the_step_back(
    database: Database, tmp_path: Path
) -> None:
    directory = fill(tmp_path / "m", goose_tables(1, 2))
    up(request(database, directory), 1).unwrap()

    def intrude(step: PlannedStep) -> None:
        database.execute(
            f"INSERT INTO goose_db_version (version_id, is_applied) VALUES ({step.version}, true)"
        )

    failed = up(request(database, directory, observer=Witness(on_start=intrude)))
    assert failed.error is not None
    assert failed.error.reason is Reason.LOCK_TIMEOUT
    assert table_names(database) == {"t1"}
    assert goose_rows(database) == [(0, True), (1, True), (2, True)]


def test_another_sessions_exchange_of_versions_is_noticed_too(
    database: Database, tmp_path: Path
) -> None:
    directory = fill(tmp_path / "m", goose_tables(1, 2))
    up(request(database, directory), 1).unwrap()

    def exchange(step: PlannedStep) -> None:
        database.execute(
            f"UPDATE goose_db_version SET version_id = {step.version} WHERE version_id = 1"
        )

    failed = up(request(database, directory, observer=Witness(on_start=exchange)))
    assert failed.error is not None
    assert failed.error.reason is Reason.LOCK_TIMEOUT
    assert table_names(database) == {"t1"}


def test_a_goose_that_is_about_to_commit_is_waited_for(database: Database, tmp_path: Path) -> None:
    """goose's command takes no lock, but its uncommitted row stands in the fence's way."""
    directory = fill(tmp_path / "m", goose_tables(1, 2))
    up(request(database, directory), 1).unwrap()
    with database.connect() as other:
        other.autocommit = False
        other.execute("INSERT INTO goose_db_version (version_id, is_applied) VALUES (2, true)")
        witness = Witness(on_blocked=other.commit)
        failed = up(request(database, directory, observer=witness))
    assert failed.error is not None
    assert failed.error.reason is Reason.LOCK_TIMEOUT
    assert table_names(database) == {"t1"}


def test_gooses_session_lock_keeps_us_out_and_is_held_while_we_run(
    database: Database, tmp_path: Path
) -> None:
    directory = fill(tmp_path / "m", goose_tables(1))
    with database.connect() as other:
        other.execute("SELECT pg_advisory_lock(4097083626)")
        failed = up(request(database, directory, options=Options(lock_timeout=0)))
        assert failed.error is not None
        assert failed.error.reason is Reason.LOCK_TIMEOUT
        other.execute("SELECT pg_advisory_unlock(4097083626)")
        taken: list[object] = []

        def look(step: PlannedStep) -> None:
            del step
            row = other.execute("SELECT pg_try_advisory_lock(4097083626)").fetchone()
            taken.append(row)

        up(request(database, directory, observer=Witness(on_start=look))).unwrap()
        assert taken == [(False,)]


def test_rollback_is_allowed_only_where_each_version_has_a_down_script(
    database: Database, tmp_path: Path
) -> None:
    files = {**goose_tables(1), "00002_a.sql": goose_file("CREATE TABLE t2 ();")}
    directory = fill(tmp_path / "m", files)
    up(request(database, directory)).unwrap()
    allow = Options(rollback=Rollback.ALLOW)
    refused = goto(request(database, directory, options=allow), 1)
    assert refused.error is not None
    assert refused.error.reason is Reason.IRREVERSIBLE_MIGRATION
    assert goto(request(database, directory), 1).report.version == "1"


def test_another_tools_table_is_refused_by_name(database: Database, tmp_path: Path) -> None:
    database.execute("CREATE TABLE goose_db_version (version bigint, dirty boolean)")
    directory = fill(tmp_path / "m", goose_tables(1))
    failed = up(request(database, directory))
    assert failed.error is not None
    assert failed.error.reason is Reason.FOREIGN_HISTORY
    assert "belongs to golang-migrate" in failed.error.message


def test_a_run_takes_as_many_round_trips_as_with_golang_migrates_history(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbmigrate.postgres.connection.session import Session

    directory = fill(tmp_path / "m", goose_tables(1, 2))
    up(request(database, directory)).unwrap()
    sessions: list[Session] = []
    original = Session.close

    def close(self: Session) -> None:
        sessions.append(self)
        original(self)

    monkeypatch.setattr(Session, "close", close)
    up(request(database, directory)).unwrap()
    fill(directory, goose_tables(*range(3, 23)))
    up(request(database, directory)).unwrap()
    assert [session.round_trips for session in sessions] == [3, 23]
