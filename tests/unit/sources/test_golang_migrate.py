"""What is read from a directory, what is only warned of, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason
from dbmigrate.sources.golang_migrate import parse_file_name, read_directory
from dbmigrate.sources.migration import Direction

pytestmark = pytest.mark.quick


def fill(directory: Path, *names: str) -> Path:
    for name in names:
        (directory / name).write_text(f"-- {name}")
    return directory


def refusal(directory: Path) -> str:
    with pytest.raises(MigrationError) as caught:
        read_directory(directory)
    assert caught.value.reason is Reason.SOURCE_INVALID
    return caught.value.message


def test_versions_are_ordered_as_numbers(tmp_path: Path) -> None:
    fill(tmp_path, "10_c.up.sql", "9_b.up.sql", "0008_a.up.sql", "20240101000000_d.up.sql")
    source = read_directory(tmp_path)
    assert source.versions == (8, 9, 10, 20240101000000)
    assert [each.name for each in source.migrations] == ["a", "b", "c", "d"]
    assert source.warnings == ()


def test_up_and_down_are_one_migration(tmp_path: Path) -> None:
    fill(tmp_path, "1_a.up.sql", "1_a.down.sql")
    (migration,) = read_directory(tmp_path).migrations
    assert migration.up is not None
    assert migration.down is not None
    assert (migration.up.file, migration.up.load()) == ("1_a.up.sql", b"-- 1_a.up.sql")
    assert (migration.down.file, migration.down.load()) == ("1_a.down.sql", b"-- 1_a.down.sql")


@pytest.mark.parametrize(
    ("text", "version", "name", "direction"),
    [
        ("1_.up.sql", 1, "", Direction.UP),
        ("1_a.up.", 1, "a", Direction.UP),
        ("0_zero.up.sql", 0, "zero", Direction.UP),
        ("007_bond.down.pgsql", 7, "bond", Direction.DOWN),
        ("1_a.down.up.sql", 1, "a.down", Direction.UP),
        ("1_a.up.sql.down.sql", 1, "a.up.sql", Direction.DOWN),
        ("18446744073709551615_a.up.sql", 2**64 - 1, "a", Direction.UP),
        ("000000000000000000000000000000001_a.up.sql", 1, "a", Direction.UP),
    ],
)
def test_a_name_means_what_it_means_to_golang_migrate(
    text: str, version: int, name: str, direction: Direction
) -> None:
    parsed = parse_file_name(text)
    assert parsed is not None
    assert (parsed.version, parsed.name, parsed.direction) == (version, name, direction)


@pytest.mark.parametrize(
    "text",
    ["1_a.sql", "a.up.sql", "1a.up.sql", "-1_a.up.sql", "1_a.UP.sql",
     "18446744073709551616_a.up.sql", "1_a.up.sql\n", "\u0661_a.up.sql",
     "9" * 5000 + "_a.up.sql", "1_aup.sql"],
)  # fmt: skip
def test_other_names_are_skipped_as_golang_migrate_does(text: str) -> None:
    assert parse_file_name(text) is None


@pytest.mark.parametrize(
    "text",
    ["1_x.sql", "1_x.UP.sql", "V1__x.up.sql", "1-x.up.sql", "1x.sql", "add_users.up.sql",
     "18446744073709551616_x.up.sql"],
)  # fmt: skip
def test_a_skipped_name_that_looks_like_a_mistake_is_warned_of(tmp_path: Path, text: str) -> None:
    source = read_directory(fill(tmp_path, "1_good.up.sql", text))
    assert source.versions == (1,)
    (warning,) = source.warnings
    assert text in warning
    assert "ignored" in warning


def test_where_nothing_is_read_the_format_that_has_no_mark_is_named(tmp_path: Path) -> None:
    source = read_directory(fill(tmp_path, "20240101000000_x.sql"))
    assert "set the format with -format" in source.warnings[-1]
    assert "atlas.sum" in source.warnings[-1]


@pytest.mark.parametrize(
    "text", ["README.md", "embed.go", ".1_x.up.sql.swp", "schema.sql", "Makefile", "sqlc.yaml"]
)
def test_an_innocent_name_is_not_warned_of(tmp_path: Path, text: str) -> None:
    source = read_directory(fill(tmp_path, "1_good.up.sql", text))
    assert source.versions == (1,)
    assert source.warnings == ()


@pytest.mark.parametrize("text", ["1_x.up.sql.bak", "1_x.up.sql~", "1_x.up.orig", "1_x.up.sql.BAK"])
def test_a_left_over_that_counts_is_warned_of(tmp_path: Path, text: str) -> None:
    source = read_directory(fill(tmp_path, text))
    assert source.versions == (1,)
    assert "counts as a migration" in source.warnings[0]


def test_two_files_for_one_step_are_refused_by_both_names(tmp_path: Path) -> None:
    message = refusal(fill(tmp_path, "1_a.up.sql", "001_b.up.sql"))
    assert "duplicate migration file: 1_a.up.sql and 001_b.up.sql" in message


def test_a_pair_under_two_names_is_warned_of(tmp_path: Path) -> None:
    source = read_directory(
        fill(tmp_path, "1_a.up.sql", "1_b.down.sql", "2_c.up.sql", "2_C.down.sql")
    )
    assert source.versions == (1, 2)
    assert [("differ in name" in w, "differ only in case" in w) for w in source.warnings] == [
        (True, False),
        (False, True),
    ]


def test_a_down_script_alone_is_legal_and_warned_of(tmp_path: Path) -> None:
    source = read_directory(fill(tmp_path, "3_x.down.sql"))
    (migration,) = source.migrations
    assert (migration.version, migration.name, migration.up) == (3, "x", None)
    assert "3_x.down.sql has no up script" in source.warnings[0]


def test_an_up_script_alone_is_no_reason_to_warn(tmp_path: Path) -> None:
    source = read_directory(fill(tmp_path, "3_x.up.sql"))
    assert source.migrations[0].down is None
    assert source.warnings == ()


def test_a_version_that_bigint_does_not_hold_is_refused(tmp_path: Path) -> None:
    assert read_directory(fill(tmp_path, f"{2**63 - 1}_x.up.sql")).latest == 2**63 - 1
    assert "bigint" in refusal(fill(tmp_path, f"{2**63}_y.up.sql"))


def test_directories_are_not_read_and_warned_of_when_they_look_like_versions(
    tmp_path: Path,
) -> None:
    for name in ("1_x.up.sql", "v2", "seeds", ".git"):
        (tmp_path / name).mkdir()
    source = read_directory(tmp_path)
    assert source.migrations == ()
    assert [warning.split(" is ")[0] for warning in source.warnings] == [
        f"{tmp_path}/1_x.up.sql",
        f"{tmp_path}/v2",
    ]


def test_a_mounted_config_map_is_read_through_its_links(tmp_path: Path) -> None:
    data = tmp_path / "..2026_11_24_04_00_00.1"
    data.mkdir()
    fill(data, "1_a.up.sql")
    (tmp_path / "..data").symlink_to(data.name)
    (tmp_path / "1_a.up.sql").symlink_to("..data/1_a.up.sql")
    source = read_directory(tmp_path)
    assert source.versions == (1,)
    assert source.warnings == ()
    up = source.migrations[0].up
    assert up is not None
    assert up.load() == b"-- 1_a.up.sql"


def test_an_empty_directory_is_a_source_without_migrations(tmp_path: Path) -> None:
    source = read_directory(tmp_path)
    assert (source.migrations, source.latest, source.warnings) == ((), None, ())


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    message = refusal(tmp_path / "nowhere")
    assert f'failed to open source, "file://{tmp_path}/nowhere": no such file' in message


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    assert "not a directory" in refusal(fill(tmp_path, "1_a.up.sql") / "1_a.up.sql")


def test_a_name_that_is_not_utf8_can_be_told(tmp_path: Path) -> None:
    raw = bytes(tmp_path) + b"/1_caf\xe9.up.sql"
    with open(raw, "wb") as file:
        file.write(b"select 1")
    (migration,) = read_directory(tmp_path).migrations
    assert migration.name == "caf\ufffd"
    assert migration.up is not None
    assert migration.up.load() == b"select 1"
    migration.up.file.encode()
