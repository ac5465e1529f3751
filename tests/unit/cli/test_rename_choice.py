"""Renames as people write them."""

from __future__ import annotations

import pytest

from dbmigrate.cli.arguments.flags import Flag, each_value, parse_flags
from dbmigrate.cli.command import ArgumentError
from dbmigrate.cli.rename_choice import read_rename, write_rename
from dbmigrate.diff.renames import Rename
from dbmigrate.postgres.schema.catalog import ObjectName


@pytest.mark.parametrize(
    ("text", "kind", "before", "after"),
    [
        ("table:public.users=public.people", "table", "public.users", "public.people"),
        ("table:public.users=people", "table", "public.users", "public.people"),
        ("column:public.users.a=b", "column", "public.users.a", "public.users.b"),
        ('column:public."U.s".a="x.y"', "column", 'public."U.s".a', 'public."U.s"."x.y"'),
        (
            "enum value:public.mood.'sad.'='blue'",
            "enum value",
            "public.mood.'sad.'",
            "public.mood.'blue'",
        ),
    ],
)
def test_a_rename_is_read_and_written(text: str, kind: str, before: str, after: str) -> None:
    rename = read_rename(text)
    assert rename == Rename(ObjectName(kind, before), ObjectName(kind, after))
    assert read_rename(write_rename(rename)) == rename


@pytest.mark.parametrize("text", ["", "users=people", "table:users", "table:=x", "table:x="])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match="expected kind:old=new"):
        read_rename(text)


def test_a_repeated_flag_keeps_all_its_values_and_any_other_the_last() -> None:
    flags = [Flag("to", is_repeated=True), Flag("one")]
    values, rest = parse_flags(flags, ["-to", "a", "-one", "1", "-to=b", "-one", "2", "x"])
    assert each_value(values, "to") == ("a", "b")
    assert values["one"] == "2"
    assert rest == ["x"]
    assert each_value(values, "none") == ()
