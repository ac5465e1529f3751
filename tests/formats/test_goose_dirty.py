"""goose has no dirty mark: what a step without a transaction has left is known from our log."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbmigrate.report import Reason
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.read_only.version import version
from dbmigrate.runner.commands.repair import repair
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.result import VersionState
from tests.cli.program import run
from tests.database import Database
from tests.formats.arrange import (
    fill,
    findings,
    goose_file,
    goose_rows,
    goose_tables,
    request,
    run_goose,
    states,
)

pytestmark = pytest.mark.database

INDEX = "CREATE INDEX CONCURRENTLY i ON base (a);\nCREATE TABLE late ();\nSELECT 1/a FROM base;"
"""Its last statement fails as long as there is a 0 in the table."""


def stopped_halfway(database: Database, tmp_path: Path) -> Path:
    """A step without a transaction has failed at its last statement."""
    database.execute("CREATE TABLE base (a int); INSERT INTO base VALUES (0)")
    down_script = "DROP INDEX CONCURRENTLY i;\nDROP TABLE late;"
    text = "-- +goose NO TRANSACTION\n" + goose_file(INDEX, down_script)
    directory = fill(tmp_path / "m", {**goose_tables(1), "00002_index.sql": text})
    failed = up(request(database, directory))
    assert failed.error is not None
    assert failed.error.location is not None
    assert (failed.error.location.file, failed.error.location.line) == ("00002_index.sql", 5)
    assert (failed.report.version, failed.report.dirty) == ("1", True)
    return directory


def test_what_stopped_halfway_is_dirty_until_it_is_repaired(
    database: Database, tmp_path: Path
) -> None:
    directory = stopped_halfway(database, tmp_path)
    assert goose_rows(database) == [(0, True), (1, True)]
    assert version(request(database, directory)).unwrap() == VersionState(1, dirty=True)
    assert states(database, directory) == [(1, "applied"), (2, "dirty")]
    assert findings(database, directory)[0] == (2, "dirty")
    for refused in (up(request(database, directory)), down(request(database, directory), 1)):
        assert refused.error is not None
        assert refused.error.reason is Reason.DIRTY
        assert "version 2" in refused.error.message
    database.execute("UPDATE base SET a = 1")
    assert repair(request(database, directory)).report.version == "2"
    assert goose_rows(database) == [(0, True), (1, True), (2, True)]
    assert version(request(database, directory)).unwrap() == VersionState(2)
    assert down(request(database, directory), 1).report.version == "1"
    assert findings(database, directory) == []


def test_what_goose_finished_meanwhile_is_not_dirty_any_more(
    database: Database, tmp_path: Path, goose_oracle: Path
) -> None:
    directory = stopped_halfway(database, tmp_path)
    database.execute("UPDATE base SET a = 1; DROP TABLE late; DROP INDEX i")
    run_goose(goose_oracle, directory, database, "up")
    assert version(request(database, directory)).unwrap() == VersionState(2)
    assert states(database, directory) == [(1, "applied"), (2, "applied")]


@pytest.mark.parametrize(("to", "rows"), [(1, [0, 1]), (2, [0, 1, 2]), (None, [0])])
def test_force_ends_what_is_dirty_and_has_a_row_for_each_version(
    database: Database, tmp_path: Path, to: int | None, rows: list[int]
) -> None:
    directory = stopped_halfway(database, tmp_path)
    without_files = force(request(database, None), 2)
    assert without_files.error is not None
    assert without_files.error.reason is Reason.SOURCE_INVALID
    force(request(database, directory), to).unwrap()
    assert [version for version, _ in goose_rows(database)] == rows
    assert version(request(database, directory)).unwrap() == VersionState(to)


def test_a_file_that_commits_by_itself_and_fails_is_dirty(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbmigrate.runner.execution.script_text import ScriptText

    monkeypatch.setattr(ScriptText, "can_be_one_transaction", True)
    text = goose_file("CREATE TABLE t1 ();\nCOMMIT;\nSELECT 1/0;")
    directory = fill(tmp_path / "m", {"00001_a.sql": text})
    failed = up(request(database, directory))
    assert failed.error is not None
    assert "ended its own transaction" in failed.error.message
    assert version(request(database, directory)).unwrap() == VersionState(None, dirty=True)
    refused = repair(request(database, directory))
    assert refused.error is not None
    assert refused.error.reason is Reason.DIRTY
    force(request(database, directory), 1).unwrap()
    assert version(request(database, directory)).unwrap() == VersionState(1)


def test_a_step_that_has_done_nothing_is_not_unfinished(database: Database, tmp_path: Path) -> None:
    text = "-- +goose NO TRANSACTION\n" + goose_file("VACUUM nosuch;\nSELECT 1;")
    directory = fill(tmp_path / "m", {**goose_tables(1), "00002_vacuum.sql": text})
    failed = up(request(database, directory))
    assert failed.error is not None
    assert (failed.report.version, failed.report.dirty) == ("1", False)
    fill(directory, goose_tables(2))
    (directory / "00002_vacuum.sql").unlink()
    assert up(request(database, directory)).report.version == "2"


def test_gooses_command_line_has_the_repair_that_the_hint_names(
    database: Database, tmp_path: Path
) -> None:
    directory = stopped_halfway(database, tmp_path)
    where = ["goose", "-dir", str(directory), "postgres", database.url]
    refused = run(*where, "up")
    assert (refused.code, "`dbmigrate repair`" in refused.stderr) == (1, True)
    database.execute("UPDATE base SET a = 1")
    assert run(*where, "repair").code == 0
    assert goose_rows(database) == [(0, True), (1, True), (2, True)]
