"""The log's shape: what is recognised, what is brought forward, what is refused in which words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.history.log_shape import (
    ADDED,
    COLUMNS,
    INDEXES,
    READABLE_SINCE,
    SHAPE,
    LogColumn,
    LogShape,
    require_writable,
    shape_of,
    upgrade_sql,
)

NUMBERS = {name: str(index) for index, name in enumerate(COLUMNS, start=1)}
TYPES = {"timestamptz": "timestamp with time zone", "{version}": "bigint"}
ALL = tuple(
    LogColumn(
        name,
        TYPES.get(kind.split()[0], kind.split()[0]),
        "NOT NULL" in kind and "DEFAULT" not in kind,
        NUMBERS[name],
    )
    for name, kind in COLUMNS.items()
)
KEYS = tuple(" ".join(NUMBERS[name] for name in columns) for columns in INDEXES)
OURS = f"dbmigrate: log of shape {SHAPE}, readable since shape {READABLE_SINCE}"


def look(
    *columns: LogColumn,
    comment: str | None = OURS,
    keys: tuple[str, ...] = KEYS,
    may_alter: bool = True,
) -> LogShape:
    return shape_of(
        "public.log",
        columns,
        version_type="bigint",
        comment=comment,
        index_keys=keys,
        may_alter=may_alter,
    )


def without(*names: str) -> tuple[LogColumn, ...]:
    return tuple(column for column in ALL if column.name not in names)


def refusal(shape: LogShape) -> str:
    assert shape.number is None
    assert shape.problem is not None
    return f"{shape.problem.message}; {shape.problem.hint}"


def test_the_present_shape_needs_nothing() -> None:
    shape = look(*ALL)
    assert (shape.number, shape.problem, shape.is_behind) == (SHAPE, None, False)
    require_writable("public", "log", shape)


@pytest.mark.parametrize("number", range(1, SHAPE))
@pytest.mark.parametrize("comment", [None, "", "the DBA's own words"])
def test_each_earlier_shape_is_known_by_its_columns_and_brought_forward(
    number: int, comment: str | None
) -> None:
    later = [name for name, since in ADDED.items() if since > number]
    shape = look(*without(*later), comment=comment, keys=("1",))
    assert (shape.number, shape.problem, shape.is_behind) == (number, None, True)
    sql = upgrade_sql("log", shape, "bigint")
    assert [name for name in ADDED if f"ADD COLUMN {name} " in sql] == later
    assert sql.count("CREATE INDEX") == len(INDEXES)
    assert ("COMMENT" in sql) == (not comment)


def test_what_a_role_may_not_alter_is_left_as_it_is() -> None:
    shape = look(*ALL, comment=None, keys=(), may_alter=False)
    assert upgrade_sql("log", shape, "bigint") == ""
    require_writable("public", "log", shape)
    older = look(*without(*ADDED), comment=None, keys=(), may_alter=False)
    with pytest.raises(MigrationError, match="of an older dbmigrate") as caught:
        require_writable("public", "log", older)
    assert "ADD COLUMN done_checksum text" in (caught.value.hint or "")


@pytest.mark.parametrize(("number", "since"), [(SHAPE + 1, 1), (SHAPE + 7, SHAPE)])
def test_a_newer_shape_that_says_it_can_be_read_is_used_and_not_touched(
    number: int, since: int
) -> None:
    comment = f"dbmigrate: log of shape {number}, readable since shape {since}"
    shape = look(*ALL, LogColumn("later", "jsonb", False, "40"), comment=comment, keys=())
    assert (shape.number, shape.problem, shape.is_behind) == (number, None, False)
    require_writable("public", "log", shape)


def test_a_newer_shape_that_says_it_can_not_be_read_is_refused_with_both_numbers() -> None:
    comment = f"dbmigrate: log of shape {SHAPE + 2}, readable since shape {SHAPE + 1}"
    text = refusal(look(*without("outcome"), comment=comment))
    assert f"shape {SHAPE + 2}, of a newer dbmigrate" in text
    assert f"since shape {SHAPE + 1}, and this version knows shape {SHAPE}" in text


@pytest.mark.parametrize("comment", [OURS, None])
@pytest.mark.parametrize("name", [name for name in COLUMNS if name not in ADDED])
def test_a_column_that_is_gone_is_named_and_no_other_table_proposed(
    name: str, comment: str | None
) -> None:
    text = refusal(look(*without(name), comment=comment))
    assert f"has no column {name} any more" in text
    assert "history table" not in text
    assert "ADD COLUMN" in text or "from a backup" in text


@pytest.mark.parametrize("comment", [OURS, None])
@pytest.mark.parametrize("name", [name for name in COLUMNS if name not in ADDED])
def test_a_column_that_was_renamed_gets_its_name_back(name: str, comment: str | None) -> None:
    changed = tuple(replace(c, name="Other") if c.name == name else c for c in ALL)
    text = refusal(look(*changed, comment=comment))
    assert f"has no column {name} any more, and Other in its place" in text
    assert f'ALTER TABLE public.log RENAME COLUMN "Other" TO {name}' in text
    assert "ADD COLUMN" not in text
    assert "from a backup" not in text


@pytest.mark.parametrize("name", [name for name in COLUMNS if name not in ADDED])
def test_a_column_that_was_dropped_and_another_one_that_was_added_are_no_renamed_one(
    name: str,
) -> None:
    column = next(column for column in ALL if column.name == name)
    added = replace(column, name="added", number=str(len(ALL) + 1))
    text = refusal(look(*without(name), added))
    assert "RENAME" not in text
    assert "ADD COLUMN" in text or "from a backup" in text


def test_two_columns_that_were_renamed_are_both_named() -> None:
    names = {"checksum": "sum", "outcome": "result"}
    changed = tuple(replace(c, name=names.get(c.name, c.name)) for c in ALL)
    text = refusal(look(*changed))
    assert 'RENAME COLUMN "sum" TO checksum; ALTER' in text
    assert 'RENAME COLUMN "result" TO outcome' in text


def test_a_column_that_the_comment_promises_is_not_guessed_to_be_a_matter_of_age() -> None:
    assert "no column done_checksum any more" in refusal(look(*without("done_checksum")))


def test_a_table_of_somebody_elses_is_called_that() -> None:
    strange = (LogColumn("id", "bigint", True, "1"), LogColumn("message", "text", False, "2"))
    text = refusal(look(*strange, comment=None))
    assert "public.log is not dbmigrate's log" in text
    assert "rename that table" in text


@pytest.mark.parametrize("name", list(COLUMNS))
def test_a_column_of_another_type_is_named_with_the_way_back(name: str) -> None:
    changed = tuple(
        replace(column, type="jsonb") if column.name == name else column for column in ALL
    )
    text = refusal(look(*changed))
    assert f"its column {name} has the type jsonb" in text
    assert f"ALTER COLUMN {name} TYPE" in text


@pytest.mark.parametrize("name", ["added", "error", "checksum"])
def test_a_column_that_must_be_filled_is_the_tables_fault(name: str) -> None:
    changed = (*without(name), LogColumn(name, "text", True, "40"))
    shape = look(*changed, keys=())
    assert shape.problem is None
    with pytest.raises(MigrationError) as caught:
        require_writable("public", "log", shape)
    assert "No migration file is at fault" in caught.value.message
    assert f"ALTER {name} DROP NOT NULL" in (caught.value.hint or "").replace('"', "")
