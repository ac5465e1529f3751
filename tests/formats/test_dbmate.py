"""dbmate's history through each command: schema_migrations with the versions as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbmigrate.policies import OutOfOrder
from dbmigrate.postgres.connection.target import HistoryKind
from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.baseline import baseline
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.read_only.verify import verify
from dbmigrate.runner.commands.read_only.version import version
from dbmigrate.runner.commands.read_only.wait import wait
from dbmigrate.runner.commands.repair import repair
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options
from dbmigrate.runner.result import VersionState
from tests.cli.program import run
from tests.database import Database
from tests.formats.arrange import dbmate_file, dbmate_rows, fill, log, request, states, table_names

pytestmark = pytest.mark.database

LOG = "schema_migrations_log"


def tables(*versions: int) -> dict[str, str]:
    return {
        f"{v:03}_t{v}.sql": dbmate_file(f"CREATE TABLE t{v} (a int);", f"DROP TABLE t{v};")
        for v in versions
    }


def test_versions_keep_their_zeros_and_go_one_by_one(database: Database, tmp_path: Path) -> None:
    directory = fill(tmp_path / "m", tables(1, 2, 3))
    report = up(request(database, directory)).report
    assert (report.outcome, report.version, report.pending) == (Outcome.APPLIED, "3", 0)
    assert dbmate_rows(database) == ["001", "002", "003"]
    assert goto(request(database, directory), 1).report.version == "1"
    assert dbmate_rows(database) == ["001"]
    assert log(database, LOG)[-2:] == [(3, "down", "applied"), (2, "down", "applied")]


def test_what_turns_up_late_is_refused_unless_it_may_be_applied(
    database: Database, tmp_path: Path
) -> None:
    directory = fill(tmp_path / "m", tables(1, 3))
    up(request(database, directory)).unwrap()
    fill(directory, tables(2))
    assert states(database, directory) == [(1, "applied"), (2, "out of order"), (3, "applied")]
    refused = up(request(database, directory))
    assert refused.error is not None
    assert refused.error.reason is Reason.OUT_OF_ORDER
    apply = Options(out_of_order=OutOfOrder.APPLY)
    assert up(request(database, directory, options=apply)).report.version == "3"
    assert dbmate_rows(database) == ["001", "002", "003"]
    assert down(request(database, directory), 1).report.version == "2"
    assert verify(request(database, directory)).value == ()


def test_what_stopped_halfway_is_dirty_until_it_is_repaired(
    database: Database, tmp_path: Path
) -> None:
    database.execute("CREATE TABLE base (a int); INSERT INTO base VALUES (0)")
    text = "CREATE INDEX CONCURRENTLY i ON base (a);\nSELECT 1/a FROM base;"
    files = {**tables(1), "002_i.sql": dbmate_file(text, "DROP INDEX i;", " transaction:false")}
    directory = fill(tmp_path / "m", files)
    failed = up(request(database, directory))
    assert failed.error is not None
    assert failed.error.location is not None
    assert failed.error.location.line == 3
    assert dbmate_rows(database) == ["001"]
    assert version(request(database, directory)).unwrap() == VersionState(1, dirty=True)
    database.execute("UPDATE base SET a = 1")
    assert repair(request(database, directory)).report.version == "2"
    assert dbmate_rows(database) == ["001", "002"]


def test_baseline_force_and_wait(database: Database, tmp_path: Path) -> None:
    directory = fill(tmp_path / "m", tables(1, 2, 3))
    baseline(request(database, directory), 2).unwrap()
    assert dbmate_rows(database) == ["001", "002"]
    assert wait(request(database, directory), 2, timeout=0).unwrap() == VersionState(2)
    assert wait(request(database, directory), timeout=0).report.outcome is Outcome.WAITING
    force(request(database, directory), 1).unwrap()
    assert dbmate_rows(database) == ["001"]
    force(request(database, directory), None).unwrap()
    assert dbmate_rows(database) == []
    assert table_names(database) == set()


@pytest.mark.parametrize("value", ["20200101_a", "1.2", ""])
def test_a_version_that_is_no_number_belongs_to_somebody_else(
    database: Database, tmp_path: Path, value: str
) -> None:
    database.execute(
        "CREATE TABLE schema_migrations (version varchar primary key);"
        f"INSERT INTO schema_migrations VALUES ('{value}')"
    )
    directory = fill(tmp_path / "m", tables(1))
    refused = up(request(database, directory))
    assert refused.error is not None
    assert refused.error.reason is Reason.FOREIGN_HISTORY


def test_golang_migrates_table_of_the_same_name_is_not_taken_for_dbmates(
    database: Database, tmp_path: Path
) -> None:
    database.execute("CREATE TABLE schema_migrations (version bigint primary key, dirty boolean)")
    refused = up(request(database, fill(tmp_path / "m", tables(1))))
    assert refused.error is not None
    assert "belongs to golang-migrate" in refused.error.message
    theirs = version(request(database, None, kind=HistoryKind.GOLANG_MIGRATE))
    assert theirs.unwrap() == VersionState(None)


def test_the_command_line_finds_dbmates_files(database: Database, tmp_path: Path) -> None:
    directory = str(fill(tmp_path / "m", tables(1, 2)))
    where = ["-path", directory, "-database", database.url]
    assert run(*where, "up").code == 0
    assert run(*where, "version").stderr == "2\n"
    assert run("-database", database.url, "-format", "dbmate", "version").stderr == "2\n"
    refused = run("-database", database.url, "version")
    assert "belongs to dbmate or Rails" in refused.stderr
    assert "-format dbmate" in refused.stderr
