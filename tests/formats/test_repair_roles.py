"""`repair` finishes the very script that was broken off: a baseline, a version or a repeatable."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbmigrate.postgres.connection.target import HistoryKind
from dbmigrate.runner.commands.repair import repair
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Request
from tests.database import Database
from tests.formats.arrange import fill, request, table_names

pytestmark = pytest.mark.database

TABLE = "CREATE TABLE {0} (); VACUUM {0};"


def broken(name: str) -> str:
    """A script that can't be a transaction, and fails behind its first two statements."""
    return TABLE.format(name) + "\nSELECT 1/0;\nCREATE TABLE behind_" + name + " ();"


def whole(name: str) -> str:
    return broken(name).replace("1/0", "1")


def ours(database: Database, directory: Path) -> Request:
    return request(database, directory, kind=HistoryKind.FLYWAY)


def tables(database: Database) -> set[str]:
    return {name for name in table_names(database) if not name.startswith("flyway_")}


def stop(database: Database, directory: Path) -> None:
    result = up(ours(database, directory))
    assert result.error is not None
    assert result.error.sqlstate == "22012"
    assert result.report.dirty is True


def test_of_a_fresh_database_it_is_the_baseline_script(database: Database, tmp_path: Path) -> None:
    files = {"V1__v.sql": "CREATE TABLE v1 ();", "V2__v.sql": "CREATE TABLE v2 ();"}
    directory = fill(tmp_path / "m", {**files, "B2__b.sql": broken("base")})
    stop(database, directory)
    fill(directory, {"B2__b.sql": whole("base")})
    assert repair(ours(database, directory)).error is None
    assert tables(database) == {"base", "behind_base"}


def test_of_a_database_with_a_history_it_is_the_version(database: Database, tmp_path: Path) -> None:
    directory = fill(tmp_path / "m", {"V1__v.sql": "CREATE TABLE v1 ();"})
    assert up(ours(database, directory)).error is None
    fill(directory, {"V2__v.sql": broken("v2"), "B2__b.sql": whole("base")})
    stop(database, directory)
    fill(directory, {"V2__v.sql": whole("v2")})
    assert repair(ours(database, directory)).error is None
    assert tables(database) == {"v1", "v2", "behind_v2"}


def test_a_repeatable_script_is_finished_as_well(database: Database, tmp_path: Path) -> None:
    files = {"V1__v.sql": "CREATE TABLE v1 ();", "R__r.sql": broken("r")}
    directory = fill(tmp_path / "m", files)
    stop(database, directory)
    fill(directory, {"R__r.sql": whole("r")})
    assert repair(ours(database, directory)).error is None
    assert tables(database) == {"v1", "r", "behind_r"}
