"""A run that is broken off, in each format whose table has no place for a dirty mark."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from dbmigrate.postgres.connection.errors import ConnectionBroken
from dbmigrate.postgres.connection.session import Session
from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.read_only.version import version
from dbmigrate.runner.commands.repair import repair
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.planning.step import PlannedStep
from dbmigrate.runner.request import Options
from dbmigrate.runner.result import VersionState
from tests.database import Database
from tests.formats.arrange import (
    dbmate_file,
    dbmate_rows,
    fill,
    goose_file,
    goose_rows,
    request,
    table_names,
)
from tests.runner.arrange import Witness

pytestmark = pytest.mark.database

SUICIDE = "SELECT pg_terminate_backend(pg_backend_pid());"
RUNS_AT_ONCE = 40


@dataclass(frozen=True)
class Format:
    """One of them."""

    plain: Callable[[str, str], str]
    """A file with these two scripts."""
    bare: Callable[[str, str], str]
    """The same without a transaction."""
    applied: Callable[[Database], list[int]]
    """The versions in the tool's table."""


FORMATS = {
    "goose": Format(
        goose_file,
        lambda up, down: "-- +goose NO TRANSACTION\n" + goose_file(up, down),
        lambda database: [version for version, _ in goose_rows(database) if version],
    ),
    "dbmate": Format(
        dbmate_file,
        lambda up, down: dbmate_file(up, down, " transaction:false"),
        lambda database: [int(version) for version in dbmate_rows(database)],
    ),
}


@pytest.fixture(params=sorted(FORMATS))
def kind(request: pytest.FixtureRequest) -> Format:
    return FORMATS[request.param]


def table(kind: Format, number: int) -> dict[str, str]:
    name = f"{number:05}_t{number}.sql"
    return {name: kind.plain(f"CREATE TABLE t{number} ();", f"DROP TABLE t{number};")}


def test_a_backend_that_is_killed_in_a_step_leaves_the_version_below(
    kind: Format, database: Database, tmp_path: Path
) -> None:
    text = kind.plain(f"CREATE TABLE t2 ();\n{SUICIDE}", "")
    directory = fill(tmp_path / "m", {**table(kind, 1), "00002_t2.sql": text})
    result = up(request(database, directory))
    assert result.error is not None
    assert result.error.reason is Reason.CONNECTION_LOST
    assert (result.report.version, result.report.dirty) == ("1", False)
    assert kind.applied(database) == [1]
    assert table_names(database) == {"t1"}
    fill(directory, table(kind, 2))
    assert up(request(database, directory)).report.version == "2"


def test_a_connection_that_breaks_after_the_commit_is_no_failure(
    kind: Format, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Session.execute
    broken: list[int] = []

    def break_once(self: Session, sql: bytes, **rest: object) -> int:
        done = original(self, sql, **rest)  # type: ignore[arg-type]
        if b"CREATE TABLE t1 " in sql and b"COMMIT" in sql and not broken:
            broken.append(1)
            self.close()
            raise ConnectionBroken("cut by the test")
        return done

    monkeypatch.setattr(Session, "execute", break_once)
    directory = fill(tmp_path / "m", {**table(kind, 1), **table(kind, 2)})
    result = up(request(database, directory))
    assert broken
    assert result.unwrap() is None
    assert (result.report.outcome, result.report.version) == (Outcome.APPLIED, "2")
    assert kind.applied(database) == [1, 2]


@pytest.mark.parametrize("done", [0, 1, 2])
def test_a_step_without_a_transaction_goes_on_where_it_was_broken_off(
    kind: Format, database: Database, tmp_path: Path, done: int
) -> None:
    statements = ["CREATE TABLE t2 ();", "VACUUM t1;", "INSERT INTO t1 SELECT;"]
    broken = [*statements[:done], SUICIDE, *statements[done:]]
    whole = [*statements[:done], "SELECT 1;", *statements[done:]]
    down = "DROP TABLE t2;"
    directory = fill(
        tmp_path / "m",
        {**table(kind, 1), "00002_b.sql": kind.bare("\n".join(broken), down)},
    )
    result = up(request(database, directory))
    assert result.error is not None
    assert result.error.reason is Reason.CONNECTION_LOST
    assert version(request(database, directory)).unwrap() == VersionState(1, dirty=True)
    assert kind.applied(database) == [1]
    fill(directory, {"00002_b.sql": kind.bare("\n".join(whole), down)})
    assert repair(request(database, directory)).error is None
    assert version(request(database, directory)).unwrap() == VersionState(2)
    assert kind.applied(database) == [1, 2]
    assert database.query("SELECT count(*) FROM t1") == [(1,)]


def test_a_version_that_somebody_takes_away_meanwhile_is_noticed(
    kind: Format, database: Database, tmp_path: Path
) -> None:
    directory = fill(tmp_path / "m", {**table(kind, 1), **table(kind, 2)})
    up(request(database, directory), 1).unwrap()
    history = "goose_db_version" if kind is FORMATS["goose"] else "schema_migrations"
    condition = "version_id = 1" if kind is FORMATS["goose"] else "version = '00001'"

    def intrude(step: PlannedStep) -> None:
        del step
        database.execute(f"DELETE FROM {history} WHERE {condition}")

    failed = up(request(database, directory, observer=Witness(on_start=intrude)))
    assert failed.error is not None
    assert failed.error.reason is Reason.LOCK_TIMEOUT
    assert table_names(database) == {"t1"}


def test_runs_at_once_make_each_step_once(kind: Format, database: Database, tmp_path: Path) -> None:
    files: dict[str, str] = {}
    for number in range(1, RUNS_AT_ONCE + 1):
        files |= table(kind, number)
    directory = fill(tmp_path / "m", files)
    patient = Options(lock_timeout=120)

    def run(number: int) -> str | None:
        del number
        error = up(request(database, directory, options=patient), 1).error
        return None if error is None else error.message

    with ThreadPoolExecutor(4) as workers:
        assert set(workers.map(run, range(RUNS_AT_ONCE))) == {None}
    assert kind.applied(database) == [*range(1, RUNS_AT_ONCE + 1)]
