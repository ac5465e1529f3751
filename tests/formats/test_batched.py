"""Steps in batches beside the tools whose tables the history is in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dbmigrate.report import Reason
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.read_only.version import version
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.result import VersionState
from tests.database import Database
from tests.formats.arrange import (
    dbmate_file,
    dbmate_rows,
    fill,
    goose_file,
    goose_rows,
    request,
    run_goose,
    states,
)

pytestmark = pytest.mark.database

MAKE = (
    "CREATE TABLE many (id int PRIMARY KEY, n int NOT NULL DEFAULT 0, CHECK (n = 0 OR id <> 15));"
)
ROWS = "INSERT INTO many (id) SELECT g FROM generate_series(1, 30) g;"
COUNT_UP = (
    "-- dbmigrate:batched size=5 start=0 duration=1h\n"
    "UPDATE many SET n = n + 1 WHERE id IN (\n"
    "  SELECT id FROM many WHERE id > :cursor ORDER BY id LIMIT :batch_size) RETURNING id;"
)
EMPTY = (
    "-- dbmigrate:batched size=7\n"
    "DELETE FROM many WHERE id IN (SELECT id FROM many LIMIT :batch_size);"
)
MEND = "ALTER TABLE many DROP CONSTRAINT many_check"


def counts(database: Database) -> dict[int, int]:
    return dict(database.query("SELECT n, count(*) FROM many GROUP BY 1"))


def broken_off(database: Database, directory: Path) -> None:
    """A run whose third batch failed."""
    failed = up(request(database, directory))
    assert failed.error is not None
    assert failed.error.sqlstate == "23514"
    assert counts(database) == {0: 20, 1: 10}
    assert failed.report.dirty
    assert failed.report.unfinished is not None
    assert failed.report.unfinished.batches == 2
    assert states(database, directory)[:2] == [(1, "applied"), (2, "unfinished")]


def test_golang_migrate_keeps_away_until_the_last_batch_and_goes_on_then(
    database: Database, tmp_path: Path, migrate_oracle: Path
) -> None:
    directory = fill(
        tmp_path / "m",
        {
            "1_many.up.sql": MAKE + ROWS,
            "2_count.up.sql": COUNT_UP,
            "2_count.down.sql": EMPTY,
            "3_t.up.sql": "CREATE TABLE t3 ()",
        },
    )

    def theirs(*words: str) -> str:
        command = [str(migrate_oracle), "-path", str(directory), "-database", database.url, *words]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        return run.stderr.strip()

    broken_off(database, directory)
    assert theirs("up") == "error: Dirty database version 2. Fix and force version."
    assert theirs("version") == "2 (dirty)"
    database.execute(MEND)
    assert up(request(database, directory), 1).unwrap() is None
    assert counts(database) == {1: 30}
    assert theirs("version") == "2"
    assert theirs("up").startswith("3/u t")
    assert version(request(database, directory)).unwrap() == VersionState(3)


def test_golang_migrate_can_not_run_such_a_file_and_leaves_its_dirty_mark(
    database: Database, tmp_path: Path, migrate_oracle: Path
) -> None:
    directory = fill(tmp_path / "m", {"1_many.up.sql": MAKE + ROWS, "2_count.up.sql": COUNT_UP})
    command = [str(migrate_oracle), "-path", str(directory), "-database", database.url, "up"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "syntax error at or near" in run.stderr
    assert counts(database) == {0: 30}
    result = up(request(database, directory))
    assert result.error is not None
    assert result.error.reason is Reason.DIRTY


def test_goose_s_history_gets_its_row_behind_the_last_batch(
    database: Database, tmp_path: Path, goose_oracle: Path
) -> None:
    files = {
        "1_many.sql": goose_file(MAKE + "\n" + ROWS, "DROP TABLE many;"),
        "2_count.sql": goose_file(COUNT_UP, EMPTY),
        "3_t.sql": goose_file("CREATE TABLE t3 ();", "DROP TABLE t3;"),
    }
    directory = fill(tmp_path / "m", files)
    broken_off(database, directory)
    assert version(request(database, directory)).unwrap() == VersionState(1, dirty=True)
    command = [str(goose_oracle), "-dir", str(directory), "postgres", database.url, "up"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "syntax error" in run.stderr
    assert goose_rows(database) == [(0, True), (1, True)]
    database.execute(MEND)
    assert up(request(database, directory), 1).unwrap() is None
    assert counts(database) == {1: 30}
    assert goose_rows(database) == [(0, True), (1, True), (2, True)]
    run_goose(goose_oracle, directory, database, "up")
    assert version(request(database, directory)).unwrap() == VersionState(3)
    assert down(request(database, directory), 2).unwrap() is None
    assert goose_rows(database) == [(0, True), (1, True)]
    assert counts(database) == {}


def test_goose_s_no_transaction_does_not_keep_a_file_from_its_batches(
    database: Database, tmp_path: Path
) -> None:
    files = {
        "1_many.sql": goose_file(MAKE + "\n" + ROWS),
        "2_empty.sql": "-- +goose NO TRANSACTION\n" + goose_file(EMPTY),
    }
    directory = fill(tmp_path / "m", files)
    assert up(request(database, directory)).unwrap() is None
    assert counts(database) == {}


def test_dbmate_s_history_gets_its_row_behind_the_last_batch(
    database: Database, tmp_path: Path
) -> None:
    files = {
        "1_many.sql": dbmate_file(MAKE + ROWS, "DROP TABLE many;"),
        "2_count.sql": dbmate_file(COUNT_UP, EMPTY),
    }
    directory = fill(tmp_path / "m", files)
    broken_off(database, directory)
    assert dbmate_rows(database) == ["1"]
    database.execute(MEND)
    assert up(request(database, directory)).unwrap() is None
    assert counts(database) == {1: 30}
    assert dbmate_rows(database) == ["1", "2"]
    assert down(request(database, directory), 1).unwrap() is None
    assert (counts(database), dbmate_rows(database)) == ({}, ["1"])
