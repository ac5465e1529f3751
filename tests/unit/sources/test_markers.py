"""Files of another tool are refused by its name, in whichever format they are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason
from dbmigrate.sources.formats import read_source
from dbmigrate.sources.markers import find_marker
from dbmigrate.sources.migration import Format
from dbmigrate.sources.sums import renew_sum

pytestmark = pytest.mark.quick

FILES = {
    "tern": "CREATE TABLE a ();\n---- create above / drop below ----\nDROP TABLE a;\n",
    "sql-migrate": "-- +migrate Up\nCREATE TABLE a ();\n\n-- +migrate Down\nDROP TABLE a;\n",
    "goose": "-- +goose Up\nCREATE TABLE a ();\n-- +goose Down\nDROP TABLE a;\n",
    "dbmate": "-- migrate:up\nCREATE TABLE a ();\n-- migrate:down\nDROP TABLE a;\n",
    "Liquibase": "--liquibase formatted sql\n--changeset a:1\nCREATE TABLE a ();\n"
    "--rollback DROP TABLE a;\n",
    "MyBatis": "-- // first\nCREATE TABLE a ();\n-- //@UNDO\nDROP TABLE a;\n",
    "node-pg-migrate": "-- Up Migration\nCREATE TABLE a ();\n\n-- Down Migration\nDROP TABLE a;\n",
    "Rambler": "-- rambler up\nCREATE TABLE a ();\n-- rambler down\nDROP TABLE a;\n",
    "micrate": "-- +micrate Up\nCREATE TABLE a ();\n\n-- +micrate Down\nDROP TABLE a;\n",
    "Play": "# --- !Ups\n\nCREATE TABLE a ();\n\n# --- !Downs\n\nDROP TABLE a;\n",
    "shmig": "-- ====  UP  ====\nCREATE TABLE a ();\n-- ==== DOWN ====\nDROP TABLE a;\n",
    "Rails": "CREATE TABLE a ();\nSET search_path TO public;\n"
    "INSERT INTO \"schema_migrations\" (version) VALUES\n('20240101000000');\n",
}
NAMES = {
    Format.GOLANG_MIGRATE: "1_a.up.sql",
    Format.GOOSE: "00001_a.sql",
    Format.DBMATE: "1_a.sql",
    Format.ATLAS: "1_a.sql",
    Format.FLYWAY: "V1__a.sql",
}


def load_all(directory: Path, kind: Format | None) -> None:
    for migration in read_source(directory, kind, {}).migrations:
        for script in filter(None, (migration.up, migration.down)):
            script.load()


@pytest.mark.parametrize(
    ("tool", "kind"), [(tool, kind) for tool in FILES for kind in Format if tool != kind]
)
@pytest.mark.parametrize("is_windows", [False, True])
def test_a_file_of_another_tool_is_refused_by_its_name(
    tmp_path: Path, tool: str, kind: Format, is_windows: bool
) -> None:
    text = FILES[tool].replace("\n", "\r\n") if is_windows else FILES[tool]
    (tmp_path / NAMES[kind]).write_bytes(text.encode())
    if kind is Format.ATLAS:
        renew_sum(tmp_path, kind)
    with pytest.raises(MigrationError) as caught:
        load_all(tmp_path, kind)
    assert caught.value.reason is Reason.SOURCE_INVALID
    assert f"is {tool}'s" in caught.value.message
    assert caught.value.location is not None
    assert caught.value.location.line


@pytest.mark.parametrize("tool", sorted(FILES.keys() - {"goose", "dbmate"}))
@pytest.mark.parametrize("name", ["001_a.sql", "a.sql", "20240101000000-a.sql"])
def test_a_directory_of_another_tool_is_no_empty_one(tmp_path: Path, tool: str, name: str) -> None:
    (tmp_path / name).write_text(FILES[tool])
    with pytest.raises(MigrationError, match=f"{name} is {tool}'s, by its line") as caught:
        read_source(tmp_path, None, {})
    assert "-format" not in caught.value.message


def test_markers_of_the_script_s_own_direction_are_comments(tmp_path: Path) -> None:
    """What is left of a file of goose's that was cut in two for golang-migrate."""
    (tmp_path / "1_a.up.sql").write_text("-- +goose Up\nCREATE TABLE a ();\n")
    (tmp_path / "1_a.down.sql").write_text("-- +goose Down\nDROP TABLE a;\n")
    load_all(tmp_path, None)
    (tmp_path / "1_a.down.sql").write_text(FILES["goose"])
    with pytest.raises(MigrationError, match=r"1_a\.down\.sql: line 1: .* is goose's"):
        load_all(tmp_path, None)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT '-- +goose Down';",
        "-- about +migrate Down and migrate:up\n",
        "-- see ---- create above / drop below ----\n",
        "INSERT INTO schema_migrations (version, dirty) VALUES (1, false);",
    ],
)
def test_what_only_looks_like_a_marker_is_none(text: str) -> None:
    assert find_marker(text.encode()) is None


def test_a_hint_never_names_a_format_that_would_run_the_files(tmp_path: Path) -> None:
    (tmp_path / "001.up.sql").write_text("CREATE TABLE a ();")
    (tmp_path / "001.down.sql").write_text("DROP TABLE a;")
    warnings = " ".join(read_source(tmp_path, None, {}).warnings)
    assert "no file was recognised" in warnings
    assert "-format atlas" not in warnings


@pytest.mark.parametrize("kind", [Format.GOLANG_MIGRATE, Format.GOOSE])
def test_a_comment_in_plain_words_is_no_marker(tmp_path: Path, kind: Format) -> None:
    text = "-- Up migration: makes a\nCREATE TABLE a ();\n"
    if kind is Format.GOOSE:
        text = f"-- +goose Up\n{text}-- +goose Down\n-- Down migration\nDROP TABLE a;\n"
    (tmp_path / NAMES[kind]).write_text(text)
    load_all(tmp_path, kind)
