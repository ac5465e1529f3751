"""Versions that are numbers, and those that are not."""

from __future__ import annotations

import random

import pytest

from dbmigrate.api.source import SourceFormat
from dbmigrate.api.version import is_at_least, is_same, is_version
from dbmigrate.postgres.connection.target import HistoryKind
from dbmigrate.postgres.history.relations import History
from dbmigrate.postgres.history.tables import create_sql
from dbmigrate.postgres.sqltext.quoting import literal
from dbmigrate.versions import (
    are_numbers,
    dotted,
    number,
    reader_of,
    repeatable,
)
from dbmigrate.versions import is_version as is_readable

pytestmark = pytest.mark.quick


def test_dotted_versions_go_part_by_part_as_numbers() -> None:
    texts = ["0.9", "1", "1.0.1", "1.2", "1.10", "2", "10", "20240101120000.5", "99" * 20]
    shuffled = random.Random(1).sample(texts, len(texts))
    assert [str(version) for version in sorted(map(dotted, shuffled))] == texts


def test_zeros_at_the_end_of_a_dotted_version_do_not_count() -> None:
    assert dotted("1") == dotted("1.0") == dotted("01_0_0")
    assert len({dotted("1"), dotted("1.0"), dotted("1.0.1")}) == 2
    assert dotted("0") == dotted("0.0") != dotted("1")


def test_a_version_prints_as_it_is_written() -> None:
    assert f"{dotted('01_2')}" == "01.2"
    assert literal(dotted("1.2")) == "'1.2'"
    assert literal(12) == "12"


@pytest.mark.parametrize("text", ["", "1.", ".1", "1..2", "a", "1-2", "-1", "1 ", "\u0661", "R"])
def test_what_is_no_dotted_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a version"):
        dotted(text)


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "1_0", str(2**63), "9" * 5000, "\u0661"])
def test_what_is_no_number_that_a_column_holds_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a version"):
        number(text)


def test_a_number_may_have_zeros_before_it() -> None:
    assert number("0" * 5000 + "7") == 7
    assert number(str(2**63 - 1)) == 2**63 - 1


def test_the_format_says_what_a_version_is() -> None:
    assert reader_of("goose")("010") == 10
    assert reader_of("flyway")("1.2") == dotted("1.2")
    assert (are_numbers("dbmate"), are_numbers("flyway")) == (True, False)
    assert is_readable("1.2", None)
    assert not is_readable("1.2", "goose")
    assert not is_readable("x", None)


def test_repeatable_migrations_sort_above_all_versions_and_by_name() -> None:
    wanted = [dotted("1"), dotted("9" * 30), repeatable("a"), repeatable("b")]
    assert sorted([wanted[3], wanted[1], wanted[2], wanted[0]]) == wanted
    assert {str(repeatable("a")), str(repeatable("b"))} == {"R"}


@pytest.mark.parametrize(
    ("text", "other", "form", "same", "at_least"),
    [
        ("10", "9", SourceFormat.AUTO, False, True),
        ("9", "10", SourceFormat.AUTO, False, False),
        ("1.10", "1.9", SourceFormat.AUTO, False, True),
        ("1.0", "1", SourceFormat.AUTO, True, True),
        ("007", "7", SourceFormat.GOOSE, True, True),
        ("2024a", "2024b", SourceFormat.AUTO, False, False),
        ("2024b", "2024a", SourceFormat.AUTO, False, False),
        ("2024a", "2024a", SourceFormat.AUTO, True, True),
    ],
)
def test_a_resource_compares_versions_as_its_files_do(
    text: str, other: str, form: SourceFormat, same: bool, at_least: bool
) -> None:
    assert is_same(text, other, form) is same
    assert is_at_least(text, other, form) is at_least


def test_nothing_applied_is_no_version() -> None:
    assert is_same(None, None, SourceFormat.AUTO)
    assert not is_same(None, "1", SourceFormat.AUTO)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1", True), ("1.2.3", True), ("2024a-b", True), ("latest", False), ("-1", False),
     ("1 2", False), ("1/2", False), ("", False), ("1" * 128, False)],
)  # fmt: skip
def test_what_could_be_a_version_in_a_resource(text: str, expected: bool) -> None:
    assert is_version(text, SourceFormat.ATLAS) is expected


def test_the_log_of_a_format_with_numbers_is_as_it_was() -> None:
    made = create_sql(History("s", "goose_db_version", True, kind=HistoryKind.GOOSE))
    assert '"version" ' not in made
    assert " version bigint, " in made
    assert " from_version bigint, to_version bigint, " in made
