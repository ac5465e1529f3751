"""A change of type: whether it needs USING, loses values, or writes the table again."""

from __future__ import annotations

import pytest

from dbmigrate.diff.casting import is_rewritten, may_lose, through_text, using
from dbmigrate.diff.schema import Ways

pytestmark = pytest.mark.quick

VARCHAR, STAMP = "character varying", "timestamp without time zone"


def parts(full: str) -> str:
    """The type without its limits."""
    before, _, behind = full.partition("(")
    name = (before + behind.partition(")")[2]).strip()
    if name.startswith("interval"):
        return "interval[]" if name.endswith("[]") else "interval"
    return "character" if name == "bpchar" else name


@pytest.mark.parametrize(
    ("before", "after", "loses"),
    [
        ("numeric(10,2)", "numeric(10,2)", False),
        ("numeric(10,2)", "numeric(12,2)", False),
        ("numeric(10,2)", "numeric(10,3)", False),
        ("numeric(10,2)", "numeric(10,1)", True),
        ("numeric(10,2)", "numeric(10)", True),
        ("numeric(10,2)", "numeric(20)", True),
        ("numeric", "numeric(1000,999)", True),
        ("numeric", "numeric(10)", True),
        ("numeric(10)", "numeric(10,2)", False),
        ("numeric(10)", "numeric", False),
        ("numeric(10,0)", "numeric(10)", False),
        ("numeric(10,-2)", "numeric(10,-3)", True),
        ("numeric(10,-2)", "numeric(10)", False),
        ("timestamp(3) without time zone", "timestamp(0) without time zone", True),
        ("timestamp(3) without time zone", "timestamp(6) without time zone", False),
        ("time(3) without time zone", "time(2) without time zone", True),
        ("interval(3)", "interval(1)", True),
        ("character varying(20)", "character varying(10)", False),
        ("bigint", "smallint", False),
        ("integer", "numeric", False),
        ("bigint", "double precision", True),
        ("double precision", "integer", True),
        ("integer", "text", False),
        ("jsonb", "json", True),
        ("json", "jsonb", False),
        ("text", "character varying", False),
        ("text", "character varying(10)", False),
        ("integer", "numeric(10,2)", False),
        ("integer", "numeric(10,-2)", True),
        ("numeric", "numeric(1000,1000)", True),
        ("timestamp without time zone", "timestamp(0) without time zone", True),
        ("timestamp(3) without time zone", "timestamp without time zone", False),
        ("timestamp without time zone", "timestamp(6) without time zone", False),
        ("integer", "uuid", True),
        ("integer", "bytea", True),
        ("timestamp(6) with time zone", "timestamp with time zone", False),
        ("time without time zone", "time(5) without time zone", True),
        ("timestamp without time zone[]", "timestamp(0) without time zone[]", True),
        ("interval", "interval day to second(3)", True),
        ("interval", "interval minute", True),
        ("interval hour", "interval", False),
        ("interval hour", "interval minute(0)", False),
        ("interval day[]", "interval month[]", True),
        ("interval month", "interval year to month", False),
        ("interval month", "interval year", True),
    ],
)
def test_a_change_may_lose_what_the_new_type_has_no_room_for(
    before: str, after: str, loses: bool
) -> None:
    assert may_lose(parts(before), parts(after), before, after) is loses


@pytest.mark.parametrize(
    ("before", "after", "rewrites"),
    [
        ("text", VARCHAR, False),
        (VARCHAR, "text", False),
        ("character varying(10)", "text", False),
        ("text", "character varying(10)", True),
        ("character varying(10)", "character varying(20)", False),
        ("character varying(10)", "character varying(10)", False),
        ("character varying(10)", "character varying(9)", True),
        ("character varying(10)", VARCHAR, False),
        (VARCHAR, "character varying(10)", True),
        ("numeric(10,2)", "numeric", False),
        ("numeric(10,2)", "numeric(12,2)", False),
        ("numeric(10,2)", "numeric(10,2)", False),
        ("numeric(10,2)", "numeric(9,2)", True),
        ("numeric(10,2)", "numeric(12,3)", True),
        ("numeric(10,2)", "numeric(12,1)", True),
        ("numeric(10)", "numeric(12)", False),
        ("numeric(10)", "numeric(12,2)", True),
        ("numeric", "numeric(10,2)", True),
        ("integer", "bigint", True),
        ("integer", "integer", False),
        ("character(4)", "character(9)", True),
        ("character(4)", "bpchar", False),
        ("bit varying(4)", "bit varying(9)", False),
        ("bit varying(9)", "bit varying(4)", True),
        ("bit varying", "bit varying(4)", True),
        ("timestamp without time zone", "timestamp(3) without time zone", True),
        ("timestamp(3) without time zone", "timestamp(6) without time zone", False),
        ("timestamp(6) without time zone", "timestamp without time zone", False),
        ("interval", "interval day", True),
        ("interval day", "interval", False),
        ("interval[]", "interval day[]", True),
        ("interval day[]", "interval[]", False),
        ("character varying(4)[]", "character varying(9)[]", True),
        ("character varying(4)[]", "character varying[]", False),
    ],
)
def test_a_change_writes_the_table_again_unless_every_value_stays_as_it_is(
    before: str, after: str, rewrites: bool
) -> None:
    assert is_rewritten(parts(before), parts(after), before, after) is rewrites


CASTS = {("integer", "bigint"): "i", ("bigint", "integer"): "a", ("text", "xml"): "e"}
WAYS = Ways(version=180006, role="app", default_grants={}, casts=CASTS)


@pytest.mark.parametrize(
    ("before", "after", "full", "expression"),
    [
        ("text", "text", "text", None),
        ("integer", "bigint", "bigint", None),
        ("bigint", "integer", "integer", None),
        ("inet", "text", "text", None),
        ("inet", VARCHAR, "character varying(10)", None),
        ("text", "xml", "xml", "c::xml"),
        ("text", "integer", "integer", "c::integer"),
        (VARCHAR, "integer", "integer", "c::integer"),
        ("boolean", "integer", "integer", "(c::text)::integer"),
        ("integer[]", "uuid[]", "uuid[]", "(c::text[])::uuid[]"),
        ("integer[]", "uuid", "uuid", "(c::text)::uuid"),
        ("integer", "uuid[]", "uuid[]", "(c::text)::uuid[]"),
    ],
)
def test_a_cast_is_written_where_the_server_finds_none(
    before: str, after: str, full: str, expression: str | None
) -> None:
    assert using("c", before, after, WAYS, type_name=full) == expression


def test_an_array_goes_through_text_by_its_elements() -> None:
    assert through_text("c", "integer[]", "uuid[]") == "(c::text[])::uuid[]"
