"""A value that a script adds to an enum, and whether the script uses it."""

from __future__ import annotations

import pytest

from dbmigrate.postgres.sqltext.enum_values import used_after_added
from dbmigrate.postgres.sqltext.splitter import split

pytestmark = pytest.mark.quick

ADD = "ALTER TYPE mood ADD VALUE 'new'"


def find(script: str) -> tuple[str, int, int] | None:
    """The value, and the numbers of the statements that add and use it."""
    sql = script.encode()
    statements = [*split(sql, file="f")]
    found = used_after_added(sql, statements, file="f")
    if found is None:
        return None
    return found.value, statements.index(found.statement), statements.index(found.used_in)


@pytest.mark.parametrize(
    "script",
    [
        f"{ADD}; SELECT 'new'",
        f"{ADD}; UPDATE t SET a = 'new'::mood",
        f"{ADD}; DO $$ BEGIN PERFORM 'new'; END $$",
        f"{ADD}; DO 'BEGIN PERFORM ''new''; END'",
        f"{ADD}; COPY t FROM stdin;\n1\tnew\n\\.\n",
        "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'new' BEFORE 'old'; SELECT 'new'",
        "ALTER TYPE s.\"my mood\" ADD VALUE 'new'; SELECT 'new'",
        "alter type mood add value 'new'; select 'new'",
    ],
)
def test_a_value_that_is_used_is_found(script: str) -> None:
    assert find(script) == ("'new'", 0, 1)


@pytest.mark.parametrize(
    "script",
    [
        ADD,
        f"SELECT 'new'; {ADD}",
        f"{ADD}; SELECT 'newer'",
        f"{ADD}; SELECT new",
        f"{ADD}; SELECT 'old' -- 'new'",
        f"{ADD}; DO 'BEGIN PERFORM newer; END'",
        f"{ADD}; COPY t FROM stdin;\n1\told\n\\.\n",
        f"{ADD}; ALTER TYPE mood ADD VALUE 'newest' AFTER 'new'",
        "ALTER TYPE mood RENAME VALUE 'old' TO 'new'; SELECT 'new'",
        "ALTER TYPE mood ADD ATTRIBUTE value text; SELECT 'new'",
        "ALTER TYPE mood ADD VALUE; SELECT 'new'",
        "ALTER TABLE mood ADD value text DEFAULT 'new'; SELECT 'new'",
        f"CREATE TYPE mood AS ENUM ('old'); {ADD}; SELECT 'new'",
        f"CREATE TYPE MOOD AS ENUM (); {ADD}; SELECT 'new'",
        f"SELECT 1; CREATE TYPE other AS (a int); CREATE TYPE mood AS ENUM (); {ADD}; SELECT 'new'",
    ],
)
def test_a_value_that_is_not_used_or_of_a_type_of_the_script_is_none(script: str) -> None:
    assert find(script) is None


def test_the_first_one_of_several_is_named() -> None:
    more = "ALTER TYPE mood ADD VALUE 'other'"
    assert find(f"{ADD}; {more}; SELECT 1; SELECT 'other'; SELECT 'new'") == ("'new'", 0, 4)
    assert find(f"{ADD}; {more}; SELECT 'other'; SELECT 'other'") == ("'other'", 1, 2)
    assert find(f"CREATE TYPE x AS ENUM (); SELECT 1; {ADD}; SELECT 'new'") == ("'new'", 2, 3)
    assert find(f"{ADD}; SELECT 'new'; CREATE TYPE mood AS ENUM ()") == ("'new'", 0, 1)
    assert find(f"CREATE TYPE mood; {ADD}; SELECT 'new'") == ("'new'", 1, 2)
