"""Tables for people."""

from __future__ import annotations

import pytest

from dbmigrate.cli.output.table import draw_table

pytestmark = pytest.mark.quick


def test_columns_are_as_wide_as_they_need_to_be_and_empty_ones_are_left_out() -> None:
    rows = [("1", "", "a"), ("10", "", "bb")]
    assert draw_table(("V", "NONE", "NAME"), rows) == "V   NAME\n1   a\n10  bb"


def test_a_name_with_the_end_of_a_line_in_it_stays_in_its_row() -> None:
    assert draw_table(("NAME",), [("a\nb\x1b[31m ü",)]) == "NAME\na\\nb\\x1b[31m ü"
