"""What a squashed file says of itself, and what is made of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmigrate.errors import MigrationError
from dbmigrate.sources.formats import read_source
from dbmigrate.sources.migration import Format
from dbmigrate.sources.squashed import head_of, list_of

numbers = st.lists(st.integers(1, 60), min_size=1, unique=True).map(sorted).map(tuple)


def test_numbers_in_a_row_are_a_range() -> None:
    assert list_of(((1, 2, 3, 5, 6, 8),)) == "-- dbmigrate:replaced 1-3 5 6 8\n"
    assert head_of(1, 8, ((1, 2), (7, 8))) == (
        "-- dbmigrate:replaces 1-8\n-- dbmigrate:replaced 1 2\n-- dbmigrate:replaced 7 8\n"
    )
    assert list_of(((20240101120000, 20240102120000),)) == (
        "-- dbmigrate:replaced 20240101120000 20240102120000\n"
    )


@given(st.lists(numbers, min_size=1, max_size=3).map(tuple))
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, lists: tuple[tuple[int, ...], ...]
) -> None:
    place = tmp_path_factory.mktemp("m")
    (place / "99_all.up.sql").write_text(head_of(1, 99, lists) + "SELECT 1;")
    found = read_source(place, None, {})
    assert (found.squash_start, found.squash_end) == (1, 99)
    assert found.squash_lists == lists


def test_a_baseline_of_flyways_has_a_list_of_dotted_versions(tmp_path: Path) -> None:
    (tmp_path / "B2__squash.sql").write_text("-- dbmigrate:replaced 1 1.1 1_2 2\nSELECT 1;")
    found = read_source(tmp_path, Format.FLYWAY, {})
    assert [str(version) for version in found.squash_lists[0]] == ["1", "1.1", "1.2", "2"]


def test_a_mark_below_sql_is_none(tmp_path: Path) -> None:
    (tmp_path / "1_a.up.sql").write_text("SELECT 1;")
    (tmp_path / "2_b.up.sql").write_text("SELECT 1;\n-- dbmigrate:replaces 1-2\n")
    assert read_source(tmp_path, None, {}).squash_end is None


def test_two_squashed_files_of_two_branches_are_refused(tmp_path: Path) -> None:
    for version in (3, 5):
        text = head_of(1, version, ((1, 2, 3),))
        (tmp_path / f"{version}_squash.up.sql").write_text(f"{text}SELECT 1;")
    with pytest.raises(
        MigrationError, match=r"5_squash\.up\.sql replaces the versions 1 to 5"
    ) as e:
        read_source(tmp_path, None, {})
    assert "there is 3_squash.up.sql" in e.value.message
