"""golang-migrate's binary and dbmigrate on one database, in both orders."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.read_only.version import version
from dbmigrate.runner.commands.up import up
from dbmigrate.sources.migration import Source
from tests.database import Database
from tests.runner.arrange import log, migration, request, source, table_names, tables, version_row

pytestmark = pytest.mark.database


def write(files: Source, directory: Path) -> None:
    """The same migrations as files."""
    for each in files.migrations:
        for script in (each.up, each.down):
            if script is not None:
                (directory / script.file).write_bytes(script.load())


@pytest.fixture
def migrate(migrate_oracle: Path, database: Database, tmp_path: Path) -> object:
    """Runs golang-migrate on the files of a source."""

    def run(files: Source, *arguments: str) -> subprocess.CompletedProcess[str]:
        write(files, tmp_path)
        command = [str(migrate_oracle), "-path", str(tmp_path), "-database", database.url]
        return subprocess.run(
            [*command, *arguments], capture_output=True, text=True, check=False, timeout=60
        )

    return run


def test_golang_migrate_goes_on_with_our_history(database: Database, migrate) -> None:  # type: ignore[no-untyped-def]
    files = tables(1, 2, 3)
    up(request(database, files), 2).unwrap()
    assert migrate(files, "version").stderr == "2\n"
    assert migrate(files, "up").returncode == 0
    assert version_row(database) == [(3, False)]
    assert migrate(files, "down", "-all").returncode == 0
    assert table_names(database) == set()


def test_we_go_on_with_its_history_and_record_the_gap(database: Database, migrate) -> None:  # type: ignore[no-untyped-def]
    files = tables(1, 2, 3, 4)
    up(request(database, files), 1).unwrap()
    assert migrate(files, "up", "2").returncode == 0
    assert up(request(database, files)).unwrap() is None
    assert version_row(database) == [(4, False)]
    assert log(database, "version, direction, from_version, to_version") == [
        (1, "up", None, 1),
        (None, "gap", 1, 3),
        (4, "up", 3, 4),
    ]
    assert down(request(database, files)).unwrap() is None
    assert version_row(database) == []
    assert table_names(database) == set()


def test_it_takes_back_what_it_did_and_we_know_it_is_gone(database: Database, migrate) -> None:  # type: ignore[no-untyped-def]
    files = tables(1, 2)
    up(request(database, files)).unwrap()
    assert migrate(files, "down", "1").returncode == 0
    assert up(request(database, files)).unwrap() is None
    columns = "version, direction, from_version, to_version"
    assert log(database, columns)[2:] == [(None, "gap", 2, 1), (2, "up", 1, 2)]


def test_its_dirty_version_is_ours_and_its_force_heals_it(database: Database, migrate) -> None:  # type: ignore[no-untyped-def]
    files = source(*tables(1).migrations, migration(2, "SELECT 1; SELECT 1/0"))
    assert migrate(files, "up").returncode == 1
    result = up(request(database, files))
    assert result.error is not None
    assert result.error.reason is Reason.DIRTY
    state = version(request(database)).unwrap()
    assert state is not None
    assert (state.version, state.dirty) == (2, True)
    assert migrate(files, "force", "1").returncode == 0
    assert up(request(database, tables(1, 2))).unwrap() is None
    assert version_row(database) == [(2, False)]


def test_our_dirty_version_is_its_and_our_force_heals_it(database: Database, migrate) -> None:  # type: ignore[no-untyped-def]
    files = source(*tables(1).migrations, migration(2, "VACUUM; SELECT 1/0"))
    up(request(database, files))
    assert migrate(files, "version").stderr == "2 (dirty)\n"
    assert "Dirty database version 2" in migrate(files, "up").stderr
    assert force(request(database), 1).report.outcome is Outcome.APPLIED
    good = source(*tables(1).migrations, migration(2, "VACUUM;"))
    assert migrate(good, "up").returncode == 0
    assert version_row(database) == [(2, False)]


def test_a_failed_first_down_of_its_is_the_row_minus_one(database: Database, migrate) -> None:  # type: ignore[no-untyped-def]
    files = source(migration(1, "CREATE TABLE t1 ()", "SELECT 1; SELECT 1/0"))
    assert migrate(files, "up").returncode == 0
    assert migrate(files, "down", "-all").returncode == 1
    assert version_row(database) == [(-1, True)]
    result = down(request(database, files))
    assert result.error is not None
    assert (result.error.reason, result.report.version) == (Reason.DIRTY, None)
    assert result.error.message == "Dirty database version -1. Fix and force version."
    assert force(request(database), None).unwrap() is None
    assert version_row(database) == []
