"""dbmate's files as we read them; tests/formats compares with dbmate itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason
from dbmigrate.sources.dbmate import extract, parse_file_name
from dbmigrate.sources.formats import read_source
from dbmigrate.sources.migration import Direction, Format

pytestmark = pytest.mark.quick

WHOLE = "-- migrate:up\nCREATE TABLE a ();\n\n-- migrate:down\nDROP TABLE a;\n"


def both(text: str) -> tuple[str, str]:
    content = text.encode()
    return (
        extract(content, Direction.UP, "1_a.sql").decode(),
        extract(content, Direction.DOWN, "1_a.sql").decode(),
    )


@pytest.mark.parametrize(
    ("text", "digits", "name"),
    [
        ("20200101_a.sql", "20200101", "a"),
        ("001_a.b.sql", "001", "a.b"),
        ("1.sql", "1", ""),
        ("12x.sql", "12", "x"),
    ],
)
def test_a_name_means_what_it_means_to_dbmate(text: str, digits: str, name: str) -> None:
    parsed = parse_file_name(text)
    assert parsed is not None
    assert (parsed.digits, parsed.name) == (digits, name)


@pytest.mark.parametrize("text", ["a.sql", "1_a.txt", "1_a.sql.bak", "_1.sql"])
def test_other_names_are_no_migrations(text: str) -> None:
    assert parse_file_name(text) is None


def test_each_block_is_a_script_in_the_lines_where_it_stands() -> None:
    up, down = both(f"-- what it is for\n\n{WHOLE}")
    assert up == "\n\n-- migrate:up\nCREATE TABLE a ();\n\n"
    assert down == "\n\n\n\n\n-- migrate:down\nDROP TABLE a;\n"


@pytest.mark.parametrize(
    "head",
    [
        "-- migrate:up transaction:false",
        "--migrate:up\ttransaction:false",
        "-- migrate:up a:b transaction:true transaction:false x",
    ],
)
def test_a_block_may_ask_for_no_transaction(head: str) -> None:
    up, down = both(f"{head}\nVACUUM;\n-- migrate:down transaction:true\nSELECT 1;\n")
    assert up == "-- dbmigrate:no-transaction\nVACUUM;\n"
    assert "no-transaction" not in down


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("SELECT 1;\n", 1),
        ("-- migrate:up\nSELECT 1;\n", 1),
        ("-- migrate:down\nSELECT 1;\n", 1),
        ("-- migrate:down\n\n-- migrate:up\n", 1),
        ("\nSELECT 1;\n-- migrate:up\n-- migrate:down\n", 2),
        ("-- migrate:up\n-- migrate:down\n-- migrate:up\n-- migrate:down\n", 3),
        ("-- migrate:up\n-- migrate:down\n-- migrate:down\n", 3),
        ("-- migrate:upward\n-- migrate:down\n", 1),
    ],
)
def test_what_dbmate_refuses_or_cant_do_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(MigrationError) as caught:
        both(text)
    assert caught.value.reason is Reason.SOURCE_INVALID
    assert caught.value.location is not None
    assert caught.value.location.line == line


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (("1_a.sql", "01_b.sql"), "01_b.sql and 1_a.sql are both version 1"),
        (("9_a.sql", "10_b.sql"), "10_b.sql comes before 9_a.sql for dbmate"),
        ((f"{2**63}_a.sql",), "the version is larger"),
    ],
)
def test_versions_that_dbmate_orders_otherwise_are_refused(
    tmp_path: Path, names: tuple[str, ...], problem: str
) -> None:
    for name in names:
        (tmp_path / name).write_text(WHOLE)
    with pytest.raises(MigrationError, match=problem):
        read_source(tmp_path, None, {})


def test_the_version_keeps_its_zeros(tmp_path: Path) -> None:
    (tmp_path / "001_a.sql").write_text(WHOLE)
    (tmp_path / "notes.sql").write_text("")
    source = read_source(tmp_path, None, {})
    assert source.format is Format.DBMATE
    assert [(m.version, m.text, m.name) for m in source.migrations] == [(1, "001", "a")]
    assert source.warnings == (
        "notes.sql is ignored: dbmate expects a version at the start of a name",
    )
