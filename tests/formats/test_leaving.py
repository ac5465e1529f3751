"""Leaving a tool: its files become golang-migrate's, its history one number."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.sources.convert import convert
from dbmigrate.sources.formats import read_source
from dbmigrate.sources.migration import Direction
from tests.cli.program import run
from tests.database import Database
from tests.formats.arrange import dbmate_file, fill, goose_file, goose_rows, goose_tables

pytestmark = pytest.mark.database


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_converted_files_are_what_golang_migrate_runs_to_the_same_end(
    database: Database, tmp_path: Path, migrate_oracle: Path
) -> None:
    other = database.server.create_database()
    block = "-- +goose StatementBegin\nCREATE VIEW v AS SELECT 1\n-- +goose StatementEnd"
    files = {
        "00002_view.sql": goose_file(block, "DROP VIEW v;"),
        "20240101000000_last.one.sql": goose_file("CREATE TABLE last ();"),
    }
    directory = fill(tmp_path / "m", {**goose_tables(1), **files})
    ran = run("-path", str(directory), "convert", str(tmp_path / "c"))
    assert ran.code == 0
    assert names(tmp_path / "c") == [
        "00000000000001_t1.down.sql",
        "00000000000001_t1.up.sql",
        "00000000000002_view.down.sql",
        "00000000000002_view.up.sql",
        "20240101000000_last.one.up.sql",
    ]
    before, after = read_source(directory, None, {}), read_source(tmp_path / "c", None, {})
    assert after.versions == before.versions
    assert after.warnings == ()
    assert [m.name for m in after.migrations] == [m.name for m in before.migrations]
    theirs = ["-path", str(tmp_path / "c"), "-database", other.url, "up"]
    subprocess.run([migrate_oracle, *theirs], check=True, capture_output=True)
    assert run("-path", str(directory), "-database", database.url, "up").code == 0
    left_out = ("schema_migrations", "goose_db_version")
    ours = [line for line in database.dump_schema().splitlines() if line.startswith("CREATE")]
    made = [line for line in other.dump_schema().splitlines() if line.startswith("CREATE")]
    assert [line for line in ours if not any(each in line for each in left_out)] == [
        line for line in made if not any(each in line for each in left_out)
    ]
    other.drop()


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"1_a.up.sql": ""}, "no files of another format"),
        ({"00001_a.go": ""}, "00001_a.go is a migration in Go"),
        (
            {"00001_a.sql": goose_file("-- +goose ENVSUB ON\nSELECT '$A';")},
            "00001_a.sql takes values from the environment",
        ),
        ({"00001_a\nb.sql": goose_file("SELECT 1;")}, "would be read otherwise"),
        ({**goose_tables(1), "00002_b.sql": "-- +goose Up\nSELECT 1"}, "does not end"),
    ],
)
def test_what_cant_be_converted_is_named_and_nothing_is_written(
    tmp_path: Path, files: dict[str, str], problem: str
) -> None:
    source = read_source(fill(tmp_path / "m", files), None, {})
    with pytest.raises(MigrationError, match=problem):
        convert(source, tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    source = read_source(fill(tmp_path / "m", goose_tables(1)), None, {})
    place = fill(tmp_path / "c", {"000001_t1.up.sql": "mine"})
    with pytest.raises(MigrationError, match="already exists"):
        convert(source, place)
    assert names(place) == ["000001_t1.up.sql"]


def test_no_transaction_goes_with_the_file(tmp_path: Path) -> None:
    text = dbmate_file("VACUUM;", "", " transaction:false")
    source = read_source(fill(tmp_path / "m", {"001_a.sql": text}), None, {})
    convert(source, tmp_path / "c")
    (migration,) = read_source(tmp_path / "c", None, {}).migrations
    script = migration.script(Direction.UP)
    assert script is not None
    assert script.load() == b"-- dbmigrate:no-transaction\nVACUUM;\n"


def leave(tmp_path: Path, database: Database) -> list[str]:
    """A database of goose's with two of three versions, and the converted files of all."""
    directory = fill(tmp_path / "m", goose_tables(1, 2, 3))
    assert run("-path", str(directory), "-database", database.url, "up", "2").code == 0
    assert run("-path", str(directory), "convert", str(tmp_path / "c")).code == 0
    return ["-path", str(tmp_path / "c"), "-database", database.url]


def test_adopt_shows_asks_and_takes_the_version_over(database: Database, tmp_path: Path) -> None:
    where = leave(tmp_path, database)
    shown = (
        "goose's public.goose_db_version: 2 applied, the highest is 2\n"
        "public.schema_migrations will say: version 2\n"
    )
    declined = run(*where, "adopt", "-from", "goose", answers="n\n")
    assert declined.code == 1
    assert declined.stderr.startswith(shown)
    assert declined.stderr.endswith("[y/N]\nNothing was taken over\n")
    assert database.query("SELECT to_regclass('schema_migrations')") == [(None,)]
    assert run(*where, "adopt", "-from", "goose", answers="y\n").code == 0
    assert database.query("SELECT version, dirty FROM schema_migrations") == [(2, False)]
    assert goose_rows(database) == [(0, True), (1, True), (2, True)]
    assert run(*where, "up").stderr.startswith("3/u t3 (")
    again = run(*where, "adopt", "-from", "goose", "-f")
    assert again.code == 1
    assert "has a version already" in again.stderr


def test_adopt_refuses_what_one_number_cant_say(database: Database, tmp_path: Path) -> None:
    where = leave(tmp_path, database)
    database.execute("DELETE FROM goose_db_version WHERE version_id = 1")
    ran = run(*where, "adopt", "-from", "goose", "-f")
    assert ran.code == 1
    assert "goose has left out 1 (t1) below version 2" in ran.stderr
    database.execute("DELETE FROM goose_db_version WHERE version_id = 2")
    assert "nothing to adopt" in run(*where, "adopt", "-from", "goose", "-f").stderr
    assert "-from must be goose, dbmate, " in run(*where, "adopt").stderr


def test_adopt_from_dbmate_wants_a_table_of_another_name(
    database: Database, tmp_path: Path
) -> None:
    directory = fill(tmp_path / "m", {"001_a.sql": dbmate_file("CREATE TABLE a ();", "")})
    assert run("-path", str(directory), "-database", database.url, "up").code == 0
    assert run("-path", str(directory), "convert", str(tmp_path / "c")).code == 0
    where = ["-path", str(tmp_path / "c"), "-database", database.url]
    refused = run(*where, "adopt", "-from", "dbmate", "-f")
    assert "name another one with -history-table" in refused.stderr
    named = [*where, "-history-table", "versions"]
    assert run(*named, "adopt", "-from", "dbmate", "-f").code == 0
    assert database.query("SELECT version FROM versions") == [(1,)]
    assert run(*named, "up").stderr == "no change\n"


def test_nothing_is_converted_into_a_directory_that_holds_migrations(tmp_path: Path) -> None:
    source = fill(tmp_path / "m", goose_tables(1, 2))
    same = run("-path", str(source), "convert", str(source))
    assert (same.code, "already exists" in same.stderr) == (1, True)
    assert len(list(source.iterdir())) == 2
    other = fill(tmp_path / "other", {"0001_x.up.sql": "", "README.md": ""})
    refused = run("-path", str(source), "convert", str(other))
    assert (refused.code, "0001_x.up.sql already exists" in refused.stderr) == (1, True)
    (other / "0001_x.up.sql").unlink()
    assert run("-path", str(source), "convert", str(other)).code == 0


def test_a_history_in_another_schema_is_found_and_named(database: Database, tmp_path: Path) -> None:
    source = str(fill(tmp_path / "m", goose_tables(1)))
    where = ["-database", database.url]
    database.execute("CREATE SCHEMA app")
    elsewhere = "app.goose_db_version"
    assert run(*where, "-path", source, "-history-table", elsewhere, "up").code == 0
    files = str(tmp_path / "out")
    assert run("-path", source, "convert", files).code == 0
    adopt = [*where, "-path", files, "adopt", "-from", "goose"]
    refused = run(*adopt, "-f")
    assert refused.code == 1
    assert f"-from-table {elsewhere}" in refused.stderr
    assert run(*adopt, "-from-table", elsewhere, "-f").code == 0
    again = run(*adopt, "-from-table", elsewhere, "-f")
    assert (again.code, "has a version already" in again.stderr) == (1, True)
    assert "did you mean goose" in run(*where, "-path", files, "adopt", "-from", "gosoe").stderr
