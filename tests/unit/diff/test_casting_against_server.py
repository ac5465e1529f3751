"""What is said of a change of type, against a server that makes it."""

from __future__ import annotations

from itertools import permutations

import pytest

from dbmigrate.diff.casting import is_rewritten, may_lose
from tests.database.server import Database

pytestmark = pytest.mark.database

MOMENT, LENGTH = "2026-07-08 03:04:05.678901", "1 year 5 months 6 days 03:04:05.678901"
FRACTIONS = ("", "(0)", "(3)", "(6)")
NUMERICS = ("", "(10,2)", "(12,2)", "(12,3)", "(12,-2)", "(12,-3)", "(11)", "(13)")
FIELDS = ("year", "year to month", "day", "day to hour", "hour", "minute", "day to second(3)")
SAME = {
    "numeric": (NUMERICS, "98765.6789"),
    "varchar": (("", "(4)", "(9)"), "ab"),
    "character": (("(4)", "(9)"), "ab"),
    "bit": (("(4)", "(9)"), None),
    "bit varying": (("", "(4)", "(9)"), "101"),
    "timestamp": (FRACTIONS, MOMENT),
    "timestamptz": (FRACTIONS, MOMENT),
    "time": (FRACTIONS, MOMENT),
    "timetz": (FRACTIONS, MOMENT),
    "interval": ((*FRACTIONS, *(f" {each}" for each in FIELDS)), LENGTH),
}
"""Types with their limits, and a value that each narrower one changes; None: no value fits all."""
FAMILIES = {
    **{name: ([name + each for each in limits], value) for name, (limits, value) in SAME.items()},
    **{
        f"{name}[]": ([f"{name}{each}[]" for each in limits], value and f"{{{value}}}")
        for name, (limits, value) in SAME.items()
    },
    "texts": (["text", "varchar", "varchar(9)"], "ab"),
}

Words = tuple[str, str, str, str]

FORMATS = """
SELECT format_type(atttypid, NULL), format_type(atttypid, atttypmod)
FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 ORDER BY attnum
"""
FILE = "SELECT pg_relation_filenode('t')"


def make(
    database: Database, before: str, after: str, value: str | None
) -> tuple[Words, bool, bool]:
    """The types as the reader has them, and whether the server has rewritten and changed rows."""
    with database.connect() as connection:
        connection.execute(f"CREATE TEMPORARY TABLE t (a {before}, b {after}, c {before})".encode())
        if value is not None:
            connection.execute(f"INSERT INTO t (a) VALUES ('{value}')".encode())
            connection.execute(b"UPDATE t SET c = a")
        (old, old_full), (new, new_full), _ = connection.execute(FORMATS.encode()).fetchall()
        file = connection.execute(FILE.encode()).fetchone()
        connection.execute(f"ALTER TABLE t ALTER a TYPE {after}".encode())
        is_same = file == connection.execute(FILE.encode()).fetchone()
        changed = connection.execute(f"SELECT FROM t WHERE a::{before} IS DISTINCT FROM c".encode())
        return (old, new, old_full, new_full), not is_same, changed.rowcount > 0


@pytest.mark.parametrize("family", FAMILIES)
def test_what_rewrites_the_table_and_what_changes_values_is_said(
    database: Database, family: str
) -> None:
    types, value = FAMILIES[family]
    said, found = {}, {}
    for pair in permutations(types, 2):
        words, *found[pair] = make(database, *pair, value)
        said[pair] = [is_rewritten(*words), may_lose(*words)]
    assert said == found


@pytest.mark.parametrize("whole", ["smallint", "integer", "bigint"])
@pytest.mark.parametrize("limits", NUMERICS)
def test_a_whole_number_may_be_rounded_by_a_numeric(
    database: Database, whole: str, limits: str
) -> None:
    types, rewrites, changes = make(database, whole, f"numeric{limits}", "12345")
    assert (is_rewritten(*types), may_lose(*types)) == (rewrites, changes)
