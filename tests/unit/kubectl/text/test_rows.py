"""A row says what the status says, and columns are kubectl's."""

from __future__ import annotations

from typing import Any

import pytest

from dbmigrate.kubectl.text.rows import identify, judge, make_gone_row, make_row, name_columns
from dbmigrate.kubectl.text.table import Cell, TextTable, Tone
from tests.unit.kubectl.bodies import BEFORE, NOW, cell_texts, make_resource, text_of

pytestmark = pytest.mark.quick

RUN = {"job": "shop-1", "command": "goto latest", "finishedAt": "2026-11-24T11:59:48Z"}


def row_of(*reason: str, is_wide: bool = False, **more: Any) -> list[str]:
    resource = make_resource(*reason, **more)
    return cell_texts(make_row(resource, NOW, with_namespace=False, is_wide=is_wide))


def test_a_resource_that_nobody_has_looked_at_has_no_values() -> None:
    none = "<none>"
    assert row_of() == ["shop", "Unknown", none, none, none, none, none, none, "3m"]


def test_what_the_database_says_is_in_the_row() -> None:
    row = row_of(
        "Applied", truth="True", version="2", target="3", pending=1, dirty=False, lastRun=RUN
    )
    assert row == ["shop", "True", "Applied", "2", "3", "1", "false", "12s", "3m"]


def test_a_wide_row_has_the_database_and_the_message_in_one_line() -> None:
    row = row_of("Running", "a\n  b", is_wide=True)
    assert row[-2:] == ["secret/shop-db", "a b"]
    connection = {"database": {"connection": {"host": "db", "dbname": "orders"}}}
    assert row_of("Running", is_wide=True, spec=connection)[-2] == "orders"


def test_rows_and_heads_have_the_same_columns() -> None:
    for with_namespace in (False, True):
        for is_wide in (False, True):
            columns = name_columns(with_namespace=with_namespace, is_wide=is_wide)
            row = make_row(make_resource(), NOW, with_namespace=with_namespace, is_wide=is_wide)
            assert len(row) == len(columns) == len(make_gone_row("team", "shop", columns))


@pytest.mark.parametrize(
    ("more", "tone"),
    [
        ({"truth": "True"}, Tone.GOOD),
        ({"truth": "True", "generation": 2}, Tone.BUSY),
        ({"is_stalled": True}, Tone.BAD),
        ({"is_stalled": True, "generation": 2}, Tone.BUSY),
        ({}, Tone.BUSY),
    ],
)
def test_only_what_is_said_of_the_present_spec_counts(more: dict[str, Any], tone: Tone) -> None:
    assert judge(make_resource("Some", **more)) is tone


def test_ages_alone_make_no_new_row() -> None:
    columns = name_columns(with_namespace=False, is_wide=False)
    resource = make_resource("Applied", lastRun={**RUN, "finishedAt": BEFORE})
    other = make_resource("Applied", lastRun=RUN)
    rows = [make_row(r, NOW, with_namespace=False, is_wide=False) for r in (resource, other)]
    assert rows[0] != rows[1]
    assert identify(rows[0], columns) == identify(rows[1], columns)


def test_columns_stand_three_apart_and_never_become_narrower() -> None:
    table = TextTable(["NAME", "A", "LAST"])
    first = table.draw([[Cell("longer-name"), Cell("1"), Cell("x")]], with_head=True)
    assert text_of(first) == "NAME          A     LAST\nlonger-name   1     x"
    second = table.draw([[Cell("s"), Cell("22"), Cell("y")]], with_head=False)
    assert text_of(second) == "s             22    y"


def test_messages_can_not_play_with_the_terminal() -> None:
    row = row_of("Running", "a\x1b[2Jb", is_wide=True)
    assert row[-1] == "a\\x1b[2Jb"
