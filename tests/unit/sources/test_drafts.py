"""Migrations that a program has thought out: how they are numbered and written."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.sources.drafts import Draft, Text, check_name, next_versions, write_draft
from dbmigrate.sources.formats import read_source
from dbmigrate.sources.migration import Format

NOW = datetime(2026, 11, 26, 15, 30, 59, tzinfo=UTC)
FUNCTION = "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$\nSELECT 1;\n$$"
DRAFT = Draft(
    "add_phone",
    Text(("-- why\nALTER TABLE users ADD phone text", FUNCTION)),
    Text(("DROP FUNCTION f()", "ALTER TABLE users DROP phone")),
)
CONCURRENT = Draft(
    "index",
    Text(("CREATE INDEX CONCURRENTLY i ON t (a)",), is_transaction=False),
    Text(("DROP INDEX CONCURRENTLY i", "SELECT 1"), is_transaction=False),
)


def versions(
    directory: Path, names: list[str], count: int, wanted: Format, seq: bool | None = None
) -> list[str]:
    for name in names:
        (directory / name).touch()
    return next_versions(directory, count, wanted=wanted, seq=seq, now=NOW)


@pytest.mark.parametrize(
    ("names", "seq", "expected"),
    [
        ([], None, ["20261126153059", "20261126153100"]),
        ([], True, ["000001", "000002"]),
        (["000009_a.up.sql", "000009_a.down.sql"], None, ["000010", "000011"]),
        (["3_a.up.sql", "10_b.up.sql"], None, ["11", "12"]),
        (["20200101000000_a.up.sql"], None, ["20261126153059", "20261126153100"]),
        (["20200101000000_a.up.sql"], True, ["20200101000001", "20200101000002"]),
        (["1500000000_a.up.sql"], None, ["1795707059", "1795707060"]),
        (["30000101000000_a.up.sql"], None, ["30000101000001", "30000101000002"]),
        (["20261126153059_a.up.sql"], None, ["20261126153060", "20261126153100"]),
        (["notes.sql"], None, ["20261126153059", "20261126153100"]),
    ],
)
def test_versions_go_on_as_those_that_are_there(
    tmp_path: Path, names: list[str], seq: bool | None, expected: list[str]
) -> None:
    assert versions(tmp_path, names, 2, Format.GOLANG_MIGRATE, seq) == expected


def test_the_first_version_of_goose_has_its_own_digits(tmp_path: Path) -> None:
    assert versions(tmp_path, [], 1, Format.GOOSE, seq=True) == ["00001"]


def test_numbers_grow_by_a_digit_where_the_tool_reads_them_as_numbers(tmp_path: Path) -> None:
    assert versions(tmp_path, ["8_a.up.sql"], 2, Format.GOLANG_MIGRATE) == ["9", "10"]
    with pytest.raises(MigrationError, match="dbmate goes by names"):
        versions(tmp_path, ["8_a.sql"], 2, Format.DBMATE)


@pytest.mark.parametrize("wanted", list(Format))
@pytest.mark.parametrize("draft", [DRAFT, CONCURRENT], ids=lambda draft: draft.name)
def test_what_is_written_is_read_back_as_the_same_script(
    tmp_path: Path, wanted: Format, draft: Draft
) -> None:
    for name, content in write_draft(draft, "00007", wanted).items():
        (tmp_path / name).write_text(content)
    source = read_source(tmp_path, None, {})
    assert (source.format, source.warnings) == (wanted, ())
    (migration,) = source.migrations
    assert (migration.version, migration.name) == (7, draft.name)
    for script, text in ((migration.up, draft.up), (migration.down, draft.down)):
        assert script is not None
        written = script.load().decode()
        for statement in text.statements:
            assert f"{statement};" in written
        is_marked = "dbmigrate:no-transaction" in written
        is_known_without = wanted is Format.GOLANG_MIGRATE and len(text.statements) == 1
        assert is_marked == (not text.is_transaction and not is_known_without)


@pytest.mark.parametrize("name", ["", "a/b", "../x", "a b", "-x", "ä", "x\n", "x\0"])
def test_a_name_that_is_none_for_a_file_is_refused(name: str) -> None:
    with pytest.raises(MigrationError, match="malformed migration name"):
        check_name(name)
