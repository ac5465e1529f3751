"""What `create` says of a new migration that will be in the way of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbmigrate.sources.new_file_checks import warn_of

pytestmark = pytest.mark.quick


def warnings(directory: Path, *names: str, there: tuple[str, ...] = ()) -> list[str]:
    for name in (*there, *names):
        (directory / name).write_text("")
    return list(warn_of([directory / name for name in names]))


@pytest.mark.parametrize(
    "there",
    [
        (),
        ("000001_users.up.sql", "000001_users.down.sql"),
        ("README.md", "9_not.a.pair", ".hidden", "v7_flyway.sql"),
    ],
)
def test_an_ordinary_one_is_not_worth_a_word(tmp_path: Path, there: tuple[str, ...]) -> None:
    pair = ("20240101120000_phone.up.sql", "20240101120000_phone.down.sql")
    assert warnings(tmp_path, *pair, there=there) == []


def test_a_version_below_another_one_is_told(tmp_path: Path) -> None:
    pair = ("1732420000_phone.up.sql", "1732420000_phone.down.sql")
    there = ("20240101120000_users.up.sql", "20240101110000_first.up.sql")
    (warning,) = warnings(tmp_path, *pair, there=there)
    assert warning.startswith("version 1732420000 is below 20240101120000_users.up.sql: ")


def test_zeros_before_a_number_do_not_count(tmp_path: Path) -> None:
    assert warnings(tmp_path, "10_b.sql", there=("0009_a.sql", "0008_9.sql")) == []


@pytest.mark.parametrize("there", ["000001_phone.up.sql", "00001_phone.sql"])
def test_a_name_that_is_there_already_is_told(tmp_path: Path, there: str) -> None:
    (warning,) = warnings(tmp_path, "2_phone.up.sql", there=(there,))
    assert warning == f"a migration with that name already exists: {there}"
