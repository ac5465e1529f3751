"""The command line finds the format by itself, or is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dbmigrate.sources.formats import read_source
from tests.cli.program import run
from tests.database import Database
from tests.formats.arrange import fill, goose_file, goose_rows, goose_tables

pytestmark = pytest.mark.database


def test_goose_files_need_no_word_and_each_command_finds_their_history(
    database: Database, tmp_path: Path
) -> None:
    directory = str(fill(tmp_path / "m", goose_tables(1, 2)))
    where = ["-path", directory, "-database", database.url]
    ran = run(*where, "up", "1")
    assert (ran.code, ran.stderr[:8]) == (0, "1/u t1 (")
    assert run(*where, "version").stderr == "1\n"
    assert run(*where, "status", "-exit-code").code == 3
    assert run(*where, "goto", "latest").code == 0
    document = json.loads(run(*where, "-json", "verify").stdout)
    assert (document["version"], document["findings"]) == ("2", [])
    assert run(*where, "wait", "-latest", "-timeout", "0").code == 0
    assert run(*where, "force", "1").code == 0
    assert goose_rows(database) == [(0, True), (1, True)]


def test_without_files_the_option_or_its_twin_says_whose_history_it_is(
    database: Database, tmp_path: Path
) -> None:
    directory = str(fill(tmp_path / "m", goose_tables(1)))
    assert run("-path", directory, "-database", database.url, "up").code == 0
    assert "no migration" in run("-database", database.url, "version").stderr
    assert run("-database", database.url, "-format", "goose", "version").stderr == "1\n"
    twin = {"DBMIGRATE_FORMAT": "goose"}
    assert run("-database", database.url, "version", environ=twin).stderr == "1\n"
    waited = run(
        *("-database", database.url, "-format", "goose"),
        *("wait", "-version", "1", "-timeout", "0"),
    )
    assert waited.code == 0
    forced = run("-database", database.url, "-format", "goose", "force", "1")
    assert forced.code == 1
    assert "the migration files are needed" in forced.stderr


def test_a_history_table_may_have_another_name_and_schema(
    database: Database, tmp_path: Path
) -> None:
    database.execute("CREATE SCHEMA kept")
    directory = str(fill(tmp_path / "m", goose_tables(1)))
    where = ["-path", directory, "-database", database.url, "-history-table", "kept.versions"]
    assert run(*where, "up").code == 0
    assert database.query("SELECT version_id FROM kept.versions ORDER BY id") == [(0,), (1,)]
    assert database.query("SELECT count(*) FROM kept.versions_log") == [(1,)]


def test_a_mixed_directory_is_refused_until_the_format_is_named(
    database: Database, tmp_path: Path
) -> None:
    files = {"1_a.up.sql": "CREATE TABLE a ();", "2_b.sql": goose_file("CREATE TABLE b ();")}
    directory = str(fill(tmp_path / "m", files))
    where = ["-path", directory, "-database", database.url]
    for command in ("up", "version"):
        ran = run(*where, command)
        assert ran.code == 1
        assert "1_a.up.sql is golang-migrate's, 2_b.sql is goose's" in ran.stderr
    assert run(*where, "-format", "golang-migrate", "up").code == 0
    assert database.query("SELECT version FROM schema_migrations") == [(1,)]


def test_the_error_of_a_bad_file_has_its_place_and_nothing_was_run(
    database: Database, tmp_path: Path
) -> None:
    text = "-- +goose Up\nCREATE TABLE a ();\n-- +goose Dwon\n"
    directory = str(fill(tmp_path / "m", {"00001_a.sql": text}))
    ran = run("-path", directory, "-database", database.url, "up")
    assert ran.code == 1
    assert "00001_a.sql: line 3: '-- +goose Dwon' is not an annotation of goose" in ran.stderr
    assert goose_rows(database) == []


@pytest.mark.parametrize(
    ("first", "text"),
    [
        ("-- +goose Up\nSELECT 1;\n", "-- +goose Up\n\n-- +goose Down\n"),
        ("-- migrate:up\n-- migrate:down\n", "-- migrate:up\n\n-- migrate:down\n"),
    ],
)
def test_create_writes_the_format_of_the_files_that_are_there(
    tmp_path: Path, first: str, text: str
) -> None:
    directory = fill(tmp_path / "m", {"00001_a.sql": first})
    options = ["-ext", "sql", "-dir", str(directory), "-seq", "-digits", "5"]
    ran = run("create", *options, "add_b")
    assert ran.code == 0
    assert ran.stderr == f"{directory / '00002_add_b.sql'}\n"
    assert (directory / "00002_add_b.sql").read_text() == text
    assert read_source(directory, None, {}).versions == (1, 2)


def test_create_writes_the_format_that_is_named(tmp_path: Path) -> None:
    ran = run("-format", "goose", "create", "-ext", "sql", "-seq", "a", cwd=tmp_path)
    assert ran.code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["000001_a.sql"]
    refused = run("-format", "goose", "create", "-ext", "go", "-seq", "a", cwd=tmp_path)
    assert "a file of goose's ends in .sql" in refused.stderr


def test_create_refuses_a_name_that_dbmate_would_sort_elsewhere(tmp_path: Path) -> None:
    directory = fill(tmp_path / "m", {"1_a.sql": "-- migrate:up\n-- migrate:down\n"})
    ran = run("create", "-ext", "sql", "-dir", str(directory), "-seq", "b")
    assert ran.code == 1
    assert "would run 000002_b.sql before 1_a.sql" in ran.stderr
    assert len([*directory.iterdir()]) == 1


def test_a_format_that_is_not_known_is_a_usage_error() -> None:
    ran = run("-format", "sqitch", "version")
    assert ran.code == 2
    assert "expected auto or golang-migrate or goose or dbmate" in ran.stderr


def test_create_goes_where_the_path_leads_and_takes_the_format_from_there(tmp_path: Path) -> None:
    fill(tmp_path / "m", {"00001_a.sql": "-- +goose Up\nSELECT 1;\n"})
    ran = run("-path", "m", "create", "-ext", "sql", "-seq", "-digits", "5", "b", cwd=tmp_path)
    assert (ran.code, ran.stderr) == (0, f"{tmp_path / 'm' / '00002_b.sql'}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m"]
    other = run("-path", "m", "create", "-ext", "sql", "-dir", "n", "-seq", "c", cwd=tmp_path)
    assert other.code == 0
    assert (tmp_path / "n" / "000001_c.up.sql").exists()


def test_create_does_not_search_below_a_directory_that_nobody_has_named(tmp_path: Path) -> None:
    below = tmp_path / "sql"
    below.mkdir()
    (below / "V1__a.sql").write_text("SELECT 1;\n")
    here = run("create", "-ext", "sql", "-seq", "b", cwd=tmp_path)
    assert here.code == 0
    assert (tmp_path / "000001_b.up.sql").exists()
    named = run("create", "-ext", "sql", "-seq", "-dir", str(below), "b")
    assert named.code == 0
    assert (below / "V2__b.sql").exists()


def test_verify_and_lint_do_not_pass_where_there_is_nothing_to_look_at(
    database: Database, tmp_path: Path
) -> None:
    for command in ("verify", "lint"):
        ran = run("-path", str(tmp_path), "-database", database.url, command)
        assert ran.code == 1
        assert f"{tmp_path} holds no migration files" in ran.stderr
    told = run("-path", str(tmp_path), "-database", database.url, "status")
    assert told.code == 0
    assert told.stderr == f"warning: {tmp_path} holds no migration files\n"
