"""goose's files as we read them; tests/formats compares with goose itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason
from dbmigrate.sources.formats import find_format, read_source
from dbmigrate.sources.goose.directory import parse_file_name
from dbmigrate.sources.migration import Format, Migration

pytestmark = pytest.mark.quick

UP = "-- +goose Up\n"
DOWN = "-- +goose Down\n"
BEGIN = "-- +goose StatementBegin\n"
END = "-- +goose StatementEnd\n"


def read(directory: Path, text: str, environ: Mapping[str, str] | None = None) -> Migration:
    (directory / "00001_a.sql").write_bytes(text.encode())
    source = read_source(directory, Format.GOOSE, environ or {})
    (migration,) = source.migrations
    return migration


def up(directory: Path, text: str, environ: Mapping[str, str] | None = None) -> str:
    script = read(directory, text, environ).up
    assert script is not None
    return script.load().decode()


def down(directory: Path, text: str) -> str | None:
    script = read(directory, text).down
    return None if script is None else script.load().decode()


def refusal(directory: Path, text: str, environ: Mapping[str, str] | None = None) -> MigrationError:
    with pytest.raises(MigrationError) as caught:
        up(directory, text, environ)
    assert caught.value.reason is Reason.SOURCE_INVALID
    return caught.value


@pytest.mark.parametrize(
    ("text", "version", "name"),
    [
        ("00001_create_users.sql", 1, "create_users"),
        ("20240102030405_a.b.sql", 20240102030405, "a.b"),
        ("+3_x.sql", 3, "x"),
        ("7_.sql", 7, ""),
        ("9_x.go", 9, "x"),
        (f"{7:026}_x.sql", 7, "x"),
        (f"{2**63 - 1:0200}_x.sql", 2**63 - 1, "x"),
    ],
)
def test_a_name_means_what_it_means_to_goose(text: str, version: int, name: str) -> None:
    parsed = parse_file_name(text)
    assert parsed is not None
    assert (parsed.version, parsed.name) == (version, name)


@pytest.mark.parametrize(
    "text",
    ["x.sql", "1.sql", "0_a.sql", "-1_a.sql", "a_1.sql", "1_a.SQL", "1_a_test.go", "1_a.txt",
     f"{2**63}_a.sql", f"{10**25}_a.sql", f"{10**249}_a.sql"],
)  # fmt: skip
def test_other_names_are_no_migrations(text: str) -> None:
    assert parse_file_name(text) is None


def test_each_direction_is_a_script_in_the_lines_where_it_stands(tmp_path: Path) -> None:
    text = f"-- what it is for\n{UP}CREATE TABLE a ();\n\n{DOWN}-- all of it\nDROP TABLE a;\n"
    assert up(tmp_path, text) == "\n\nCREATE TABLE a ();\n"
    assert down(tmp_path, text) == "\n\n\n\n\n-- all of it\nDROP TABLE a;\n"


def test_without_a_down_annotation_there_is_no_down_script(tmp_path: Path) -> None:
    assert down(tmp_path, f"{UP}SELECT 1;\n") is None
    assert down(tmp_path, f"{UP}SELECT 1;\n{DOWN}") == ""


def test_what_is_below_down_does_not_change_the_checksum_of_up(tmp_path: Path) -> None:
    first = read(tmp_path, f"{UP}SELECT 1;\n{DOWN}SELECT 2;\n").up
    assert first is not None
    before = first.checksum()
    (tmp_path / "00001_a.sql").write_text(f"{UP}SELECT 1;\n\n{DOWN}SELECT 2;\nSELECT 3;\n")
    assert first.checksum() == before
    (tmp_path / "00001_a.sql").write_text(f"{UP}SELECT 9;\n{DOWN}")
    assert first.checksum() != before


def test_a_block_without_a_semicolon_gets_one(tmp_path: Path) -> None:
    text = f"{UP}{BEGIN}SELECT 1\n{END}{BEGIN}SELECT 2 -- ;\n{END}{BEGIN}SELECT 3;\n{END}"
    assert up(tmp_path, text) == "\n\nSELECT 1\n;\n\nSELECT 2 -- ;\n;\n\nSELECT 3;\n"


def test_no_transaction_is_ours_wherever_it_stands(tmp_path: Path) -> None:
    text = f"{UP}VACUUM;\n{DOWN}SELECT 1;\n-- +goose NO TRANSACTION\n"
    assert up(tmp_path, text) == "-- dbmigrate:no-transaction\nVACUUM;\n"
    assert down(tmp_path, text) == "\n\n-- dbmigrate:no-transaction\nSELECT 1;\n"


def test_annotations_may_have_any_case_and_windows_line_ends(tmp_path: Path) -> None:
    text = "--+goose up\r\nSELECT 1,\r\n 2;\r\n-- +GOOSE\r\n".replace("-- +GOOSE\r\n", "")
    assert up(tmp_path, text + "-- +goose DOWN\r\nSELECT 2;\r\n") == "\nSELECT 1,\n 2;\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("SELECT 1;\n", 1),
        ("-- a comment alone\n", 1),
        (f"{DOWN}SELECT 1;\n", 1),
        (f"\n{UP}SELECT 1;\n{UP}", 4),
        (f"{UP}SELECT 1;\n{DOWN}{DOWN}", 4),
        (f"{UP}SELECT\n1\n", 2),
        (f"{UP}SELECT 1\n{DOWN}", 2),
        (f"{UP}SELECT 1;--x\n", 2),
        (f"{UP}/* a comment */\n", 2),
        (f"{UP}{BEGIN}SELECT 1;\n", 3),
        (f"{UP}{END}", 2),
        (f"{UP}{BEGIN}{BEGIN}", 3),
        (f"{UP}{BEGIN}{END}SELECT 1;\n", 3),
        (f"{UP}{BEGIN}SELECT 1;\n{DOWN}{END}", 4),
        (f"{BEGIN}", 1),
        (f" {UP}", 1),
        (f"{UP}-- +goose\n", 2),
        (f"{UP}-- +goose Upp\n", 2),
        (f"{UP}-- +goose Down +goose Down\n", 2),
    ],
)
def test_what_goose_refuses_is_refused_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    error = refusal(tmp_path, text)
    assert error.location is not None
    assert (error.location.file, error.location.line) == ("00001_a.sql", line)


def test_variables_are_put_in_between_on_and_off_alone(tmp_path: Path) -> None:
    text = (
        f"{UP}SELECT '$WHO';\n-- +goose ENVSUB ON\nSELECT '$WHO ${{WHO}} ${{NONE:-${{WHO}}}}',\n"
        f"'$$1 ${{WHO:1:2}}';\n-- +goose ENVSUB OFF\nSELECT '$WHO';\n"
    )
    script = read(tmp_path, text, {"WHO": "world"}).up
    assert script is not None
    assert script.load() == (
        b"\nSELECT '$WHO';\n\nSELECT 'world world world',\n'$1 or';\n\nSELECT '$WHO';\n"
    )
    assert b"world" not in script.show()
    other = read(tmp_path, text, {"WHO": "moon"}).up
    assert other is not None
    assert other.checksum() == script.checksum()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("SELECT '${NONE?it is needed}';", "it is needed"),
        ("SELECT '${NONE';", "NONE"),
        ("SELECT $1;", "begin with a letter"),
        ("SELECT '${WHO:x}';", "no offset"),
        ("SELECT '${WHO+x}';", "operator"),
    ],
)
def test_a_variable_that_cant_be_put_in_is_told_with_its_line(
    tmp_path: Path, line: str, problem: str
) -> None:
    error = refusal(tmp_path, f"{UP}-- +goose ENVSUB ON\n{line}\n", {"WHO": "x"})
    assert problem in error.message
    assert error.location is not None
    assert error.location.line == 3


def test_two_files_of_one_version_are_an_error_that_names_both(tmp_path: Path) -> None:
    for name in ("1_a.sql", "001_b.sql"):
        (tmp_path / name).write_text(f"{UP}SELECT 1;\n")
    with pytest.raises(MigrationError, match=r"001_b\.sql and 1_a\.sql are both version 1"):
        read_source(tmp_path, None, {})


def test_a_go_migration_is_named_and_cant_be_run(tmp_path: Path) -> None:
    (tmp_path / "00001_a.sql").write_text(f"{UP}SELECT 1;\n")
    (tmp_path / "00002_b.go").write_text("package migrations")
    source = read_source(tmp_path, None, {})
    assert source.versions == (1, 2)
    (_, go) = source.migrations
    assert go.up is not None
    with pytest.raises(MigrationError, match=r"00002_b\.go is a migration in Go"):
        go.up.load()


def test_a_directory_is_known_by_its_files(tmp_path: Path) -> None:
    assert find_format(tmp_path) is Format.GOLANG_MIGRATE
    (tmp_path / "1_x.sql").write_text("SELECT 1;")
    assert find_format(tmp_path) is Format.GOLANG_MIGRATE
    (tmp_path / "2_x.sql").write_text(f"-- of ours\n\n{UP}SELECT 1;")
    assert find_format(tmp_path) is Format.GOOSE
    (tmp_path / "2_x.sql").write_text("-- migrate:up\nSELECT 1;\n-- migrate:down\n")
    assert find_format(tmp_path) is Format.DBMATE


def test_a_directory_of_go_files_alone_is_gooses(tmp_path: Path) -> None:
    (tmp_path / "embed.go").write_text("package migrations")
    assert find_format(tmp_path) is Format.GOLANG_MIGRATE
    (tmp_path / "00001_a.go").write_text("package migrations")
    assert find_format(tmp_path) is Format.GOOSE


def test_a_mixed_directory_is_an_error_that_names_files_of_both(tmp_path: Path) -> None:
    (tmp_path / "1_a.up.sql").write_text("SELECT 1;")
    (tmp_path / "2_b.sql").write_text(f"{UP}SELECT 1;")
    with pytest.raises(MigrationError) as caught:
        read_source(tmp_path, None, {})
    assert "1_a.up.sql is golang-migrate's" in caught.value.message
    assert "2_b.sql is goose's" in caught.value.message
    assert read_source(tmp_path, Format.GOLANG_MIGRATE, {}).versions == (1,)


def test_what_is_no_file_is_not_looked_into(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1_pipe.sql")
    (tmp_path / "2_nowhere.sql").symlink_to(tmp_path / "gone")
    assert find_format(tmp_path) is Format.GOLANG_MIGRATE
