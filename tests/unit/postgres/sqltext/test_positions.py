"""From PostgreSQL's position to a line, a column and an excerpt with a caret."""

from __future__ import annotations

import pytest

from dbmigrate.errors import Location
from dbmigrate.postgres.sqltext.positions import locate_byte, position_to_location
from dbmigrate.postgres.sqltext.splitter import statement_to_location

pytestmark = pytest.mark.quick


def at(sql: str, mark: str) -> Location:
    """The location of the first place where the mark stands."""
    return position_to_location(sql.encode(), sql.index(mark) + 1, "f")


def test_the_first_character_is_line_one_column_one() -> None:
    assert at("selct 1", "s") == Location("f", 1, 1, "selct 1\n^")


def test_columns_count_characters_and_not_bytes() -> None:
    found = at("select 1;\nselect 'é\U0001f418', x;", "x")
    assert found == Location("f", 2, 14, "select 'é\U0001f418', x;\n             ^")


def test_line_ends_of_windows_are_not_shown() -> None:
    assert at("a\r\nbc x\r\n", "x") == Location("f", 2, 4, "bc x\n   ^")


def test_tabs_are_kept_so_that_the_caret_stands_right() -> None:
    assert at("\ta\t\tx", "x").excerpt == "\ta\t\tx\n\t \t\t^"


@pytest.mark.parametrize("before", [0, 5, 79, 80, 81, 500])
@pytest.mark.parametrize("after", [0, 5, 39, 120, 500])
def test_a_long_line_is_shortened_around_the_column(before: int, after: int) -> None:
    sql = "é" * before + "X" + "a" * after
    found = at(sql, "X")
    assert found.column == before + 1
    assert found.excerpt is not None
    line, caret = found.excerpt.split("\n")
    assert line[caret.index("^")] == "X"
    assert len(line) <= 120
    assert line.startswith("...") == (before > 80)
    if len(sql) <= 120 and before <= 80:
        assert line == sql


def test_a_position_behind_the_end_is_the_end() -> None:
    for position in (9, 10, 10_000):
        assert position_to_location(b"select\n1", position, "f") == Location("f", 2, 2, "1\n ^")


def test_a_position_deep_in_a_large_script_is_found() -> None:
    sql = "-- é\n" * 50_000 + "x"
    assert at(sql, "x") == Location("f", 50_001, 1, "x\n^")


@pytest.mark.parametrize("size", range(65534, 65538))
def test_a_position_at_a_border_of_the_search_is_found(size: int) -> None:
    sql = "a" * size + "é\nx"
    assert at(sql, "é").column == size + 1
    assert at(sql, "x").line == 2


def test_a_place_in_an_empty_script_is_its_start() -> None:
    assert locate_byte(b"", 0, "f") == Location("f", 1, 1, "\n^")


def test_a_statement_is_placed_at_its_first_word() -> None:
    sql = b"-- one\nselect 1;\n/* two */ select 2;"
    assert statement_to_location(sql, 0, "f") == Location("f", 2, 1, "select 1;\n^")
    assert statement_to_location(sql, 1, "f").column == 11
    assert statement_to_location(sql, 2, "f") == Location("f")
