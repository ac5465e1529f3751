"""Each reader of a field takes what is in its bounds and names what is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dbmigrate import __version__
from dbmigrate.api.durations import FORM, LENGTH, format_duration, is_duration, parse_duration
from dbmigrate.api.fields import PATH_LIMIT, Fields, SpecError, describe_unknown
from dbmigrate.api.forms import OBJECT_NAME, Form
from dbmigrate.api.names import SCHEMA_VERSION
from dbmigrate.api.source import ImageMode
from dbmigrate.policies import LintPolicy
from dbmigrate.timestamps import (
    EARLIEST,
    LATEST,
    format_timestamp,
    parse_timestamp,
    read_timestamp,
)

pytestmark = pytest.mark.quick

WORD = Form(3, "[a-z]*")


def fields(value: object = None, *, path: str = "spec") -> Fields:
    return Fields({} if value is None else {"it": value}, path)


def read(kind: str, value: object) -> Any:
    """The field as each reader has it."""
    found = fields(value)
    match kind:
        case "text" | "optional_text":
            return getattr(found, kind)("it", WORD)
        case "integer":
            return found.integer("it", 7, least=2, most=9)
        case "choice":
            return found.choice("it", ImageMode.COPY)
        case "policy":
            return found.policy("it", LintPolicy.REJECT)
        case "duration":
            return found.duration("it", "5s", longest=timedelta(days=2))
        case "finite_duration":
            return found.finite_duration("it", "5s")
        case "texts":
            return found.texts("it", WORD, most=2, keys=WORD)
        case "words":
            return found.words("it", WORD, most=2)
        case "documents":
            return found.documents("it", most=2)
    return getattr(found, kind)("it")


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("text", "", ""),
        ("text", "abc", "abc"),
        ("optional_text", None, None),
        ("integer", None, 7),
        ("integer", 2, 2),
        ("integer", 9, 9),
        ("flag", None, False),
        ("flag", False, False),
        ("flag", True, True),
        ("choice", None, ImageMode.COPY),
        ("choice", "Volume", ImageMode.VOLUME),
        ("policy", None, LintPolicy.REJECT),
        ("policy", "Warn", LintPolicy.WARN),
        ("duration", None, timedelta(seconds=5)),
        ("duration", "none", None),
        ("duration", "2d", timedelta(days=2)),
        ("finite_duration", None, timedelta(seconds=5)),
        ("texts", None, {}),
        ("texts", {"a": "b", "c": ""}, {"a": "b", "c": ""}),
        ("words", None, ()),
        ("words", ["a", "b"], ("a", "b")),
        ("documents", None, []),
        ("documents", [{"a": 1}, {}], [{"a": 1}, {}]),
        ("document", None, {}),
        ("document", {"a": {"b": 1}}, {"a": {"b": 1}}),
        ("has", None, False),
        ("has", 0, True),
        ("peek", 7, 7),
    ],
)
def test_what_is_in_bounds_is_read(kind: str, value: object, expected: object) -> None:
    assert read(kind, value) == expected


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        ("text", None, "spec.it: is required"),
        ("text", 7, "spec.it: must be a string"),
        ("optional_text", "abcd", "spec.it: must have at most 3 characters"),
        ("optional_text", "A", "spec.it: must match [a-z]*"),
        ("integer", 1, "spec.it: must be a whole number from 2 to 9"),
        ("integer", 10, "spec.it: must be a whole number from 2 to 9"),
        ("integer", 2.0, "spec.it: must be a whole number from 2 to 9"),
        ("integer", True, "spec.it: must be a whole number from 2 to 9"),
        ("flag", 1, "spec.it: must be true or false"),
        ("choice", "copy", "spec.it: must be one of Auto, Volume, Copy"),
        ("policy", "warn", "spec.it: must be one of Reject, Warn, Off"),
        ("policy", 7, "spec.it: must be one of Reject, Warn, Off"),
        ("duration", 7, "spec.it: must be a string"),
        ("duration", "2d1ms", "spec.it: must be at most 2d"),
        ("finite_duration", "none", "spec.it: must be a duration, not none"),
        ("texts", [], "spec.it: must be an object"),
        ("texts", {"a": "", "b": "", "c": ""}, "spec.it: must have at most 2 entries"),
        ("texts", {"A": "b"}, "spec.it[A]: must match [a-z]*"),
        ("texts", {"a": "B"}, "spec.it[a]: must match [a-z]*"),
        ("words", {}, "spec.it: must be a list"),
        ("words", ["a", "b", "c"], "spec.it: must have at most 2 items"),
        ("words", ["a", 7], "spec.it[1]: must be a string"),
        ("documents", [{}, 7], "spec.it[1]: must be an object"),
        ("document", 7, "spec.it: must be an object"),
        ("document", {"a": 2**64}, "spec.it: must hold texts, numbers and booleans"),
    ],
)
def test_what_is_not_is_named_with_its_place(kind: str, value: object, problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(kind, value)
    assert str(caught.value).startswith(problem)


def test_a_form_has_a_least_length() -> None:
    assert OBJECT_NAME.find_fault("") == "must not be empty"
    assert Form(2, least=2).find_fault("ab") is None
    assert Form(2, least=2).find_fault("a") == "must not be empty"


def test_exactly_one_of_several_is_set() -> None:
    given = Fields({"a": 1, "b": None}, "spec")
    assert given.only_one_of("a", "b") == "a"
    for names in (("b", "c"), ("a", "a")):
        with pytest.raises(SpecError, match=f"spec: must have exactly one of {', '.join(names)}"):
            given.only_one_of(*names)


@pytest.mark.parametrize(("path", "name"), [("spec", "spec.it"), ("", "it")])
def test_a_path_begins_with_its_parents(path: str, name: str) -> None:
    assert fields(1, path=path).error("it", "x").path == name
    assert fields({"a": 1}, path=path).section("it").path == name
    assert fields(1, path=path).find_unknown() == (name,)


@pytest.mark.parametrize("size", [PATH_LIMIT - 1, PATH_LIMIT, PATH_LIMIT + 1])
def test_a_path_is_cut_where_it_is_too_long(size: int) -> None:
    path = "p" * size
    assert SpecError(path, "x").path == path[:PATH_LIMIT] + "..." * (size > PATH_LIMIT)


def test_what_was_read_is_known_and_what_is_null_is_not_set() -> None:
    given = Fields({"b": 1, "a": 1, "c": None, "d": {"e": 1, "f": 2}}, "spec")
    given.section("d").has("e")
    assert given.find_unknown() == ("spec.a", "spec.b", "spec.d.f")
    given.has("a")
    assert given.find_unknown() == ("spec.b", "spec.d.f")


@pytest.mark.parametrize(
    ("paths", "named"),
    [
        ("a", "a"),
        ("abc", "a, b, c"),
        ("abcd", "a, b, c and 1 more"),
        ("abcdef", "a, b, c and 3 more"),
    ],
)
def test_some_unknown_fields_are_named_and_the_others_counted(paths: str, named: str) -> None:
    said = f"this operator ({__version__}, schema {SCHEMA_VERSION}) does not know {named}, and does"
    assert describe_unknown(list(paths)).startswith(said)


def test_a_duration_has_a_greatest_length() -> None:
    longest = "1m" * (LENGTH // 2)
    assert parse_duration(longest) == timedelta(minutes=LENGTH // 2)
    with pytest.raises(ValueError, match=f"'{longest}\\.\\.\\.' is not a duration: write"):
        parse_duration(longest + "1m")
    with pytest.raises(ValueError, match=f"^'{'x' * LENGTH}' is not a duration"):
        parse_duration("x" * LENGTH)


def test_what_is_a_duration_may_be_empty_or_none() -> None:
    assert [is_duration(text) for text in ("", "none", "5s", "5", "soon")] == [True] * 3 + [
        False
    ] * 2
    assert "d)+" in FORM


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "0s"),
        (1, "1ms"),
        (999, "999ms"),
        (1000, "1s"),
        (1001, "1001ms"),
        (59_000, "59s"),
        (60_000, "1m"),
        (61_000, "61s"),
        (3_600_000, "1h"),
        (3_660_000, "61m"),
        (86_400_000, "24h"),
    ],
)
def test_a_duration_is_shown_in_one_unit(milliseconds: int, text: str) -> None:
    assert format_duration(timedelta(milliseconds=milliseconds)) == text
    assert parse_duration(text) == timedelta(milliseconds=milliseconds)


@pytest.mark.parametrize("moment", [EARLIEST, LATEST])
def test_moments_are_taken_up_to_their_bounds(moment: datetime) -> None:
    beyond = timedelta(microseconds=-1 if moment == EARLIEST else 1)
    assert parse_timestamp(moment.isoformat()) == moment
    with pytest.raises(ValueError, match="is not a moment between 1970 and 9000"):
        parse_timestamp((moment + beyond).isoformat())
    assert read_timestamp((moment + beyond).isoformat()) is None
    assert read_timestamp(moment.isoformat()) == moment


@pytest.mark.parametrize(
    "text", ["2026-11-24T12:00:00", "2026-11-24T12:00:00Z", "2026-11-24T14:30:00+02:30"]
)
def test_a_moment_is_read_as_one_of_utc(text: str) -> None:
    found = parse_timestamp(text)
    assert (found, found.tzinfo) == (datetime(2026, 11, 24, 12, tzinfo=UTC), UTC)
    assert format_timestamp(datetime.fromisoformat(text).replace(microsecond=1)).endswith("00Z")
    assert read_timestamp(7) is None
