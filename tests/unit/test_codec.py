"""The codec of reports and statuses: what is written, what is read, and what counts as absent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import pytest

from dbmigrate.codec import Bound, always, camel_case, dump, read, read_or_none, wire

pytestmark = pytest.mark.quick

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


class Colour(StrEnum):
    RED = "Red"
    OTHER = "Other"


@dataclass(frozen=True, slots=True)
class Part:
    short_name: Annotated[str, Bound(5)]
    number: int = 0


@dataclass(frozen=True, slots=True)
class Inline:
    extra: Annotated[int, Bound(9)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    part: Part
    colour: Colour = wire(unknown=Colour.OTHER)
    noted: str | None = wire(key="note", always=True, default=None)
    is_done: bool | None = None
    parts: Annotated[tuple[Part, ...], Bound(2)] = ()
    at: datetime | None = None
    count: int = always(1)
    inline: Inline = wire(is_inline=True, default=Inline())


PLAIN: dict[str, Any] = {"part": {"shortName": "a"}, "colour": "Red"}
WHOLE = Whole(part=Part("a"), colour=Colour.RED)


def test_what_says_nothing_is_left_out_unless_it_is_always_written() -> None:
    assert dump(WHOLE) == {**PLAIN, "note": None, "count": 1}
    assert list(dump(WHOLE)) == ["part", "colour", "note", "count"]


def test_a_full_record_comes_back_as_it_was() -> None:
    full = Whole(
        part=Part("b", 7),
        colour=Colour.OTHER,
        noted="x",
        is_done=False,
        parts=(Part("c"), Part("d", 1)),
        at=NOW,
        count=0,
        inline=Inline(3),
    )
    document = dump(full)
    assert document["at"] == "2026-11-24T12:00:00Z"
    assert (document["extra"], document["isDone"], document["note"]) == (3, False, "x")
    for is_strict in (True, False):
        assert read(Whole, document, is_strict=is_strict) == full


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"unknown": 1}, WHOLE),
        ({"colour": "Blue"}, Whole(part=Part("a"), colour=Colour.OTHER)),
        ({"part": {"shortName": "abcdefgh"}}, Whole(part=Part("ab..."), colour=Colour.RED)),
        ({"part": {"shortName": "a", "number": 2**70}}, None),
        ({"count": None}, WHOLE),
    ],
)
def test_what_is_too_large_or_not_known_is_bounded(
    changes: dict[str, Any], expected: Whole | None
) -> None:
    found = read(Whole, {**PLAIN, **changes})
    assert found == (expected or Whole(part=Part("a", 2**63 - 1), colour=Colour.RED))


@pytest.mark.parametrize(
    "changes",
    [
        {"note": 7},
        {"isDone": "yes"},
        {"parts": {}},
        {"parts": [{"shortName": "a"}, 7]},
        {"parts": [{}]},
        {"at": "soon"},
        {"at": 7},
        {"count": "7"},
        {"count": True},
        {"extra": "x"},
    ],
)
def test_a_value_of_another_type_is_refused_or_counts_as_absent(changes: dict[str, Any]) -> None:
    with pytest.raises((KeyError, ValueError)):
        read(Whole, {**PLAIN, **changes})
    found = read_or_none(Whole, {**PLAIN, **changes})
    kept = (Part("a"),) if changes.get("parts") == [{"shortName": "a"}, 7] else ()
    assert found == Whole(part=Part("a"), colour=Colour.RED, parts=kept)


def test_a_number_beyond_its_bound_is_moved_or_absent() -> None:
    assert read(Whole, {**PLAIN, "extra": 77, "count": -5}).inline == Inline(9)
    found = read(Whole, {**PLAIN, "extra": 77, "count": -5}, is_strict=False)
    assert (found.inline, found.count) == (Inline(0), 1)


@pytest.mark.parametrize("raw", [None, 7, [], {}, {"part": {}}, {"part": 7, "colour": "Red"}])
def test_without_what_it_must_have_there_is_no_record(raw: Any) -> None:
    assert read_or_none(Whole, raw) is None
    with pytest.raises((KeyError, ValueError)):
        read(Whole, raw)


@pytest.mark.parametrize("is_strict", [True, False])
def test_values_at_their_bounds_are_read_as_they_are(is_strict: bool) -> None:
    document = {"part": {"shortName": "abcde", "number": 2**63 - 1}, "colour": "Red", "extra": 9}
    found = read(Whole, {**document, "count": 0, "isDone": False, "note": ""}, is_strict=is_strict)
    part = Part("abcde", 2**63 - 1)
    whole = Whole(part=part, colour=Colour.RED, inline=Inline(9), count=0, is_done=False, noted="")
    assert found == whole


@dataclass(frozen=True, slots=True)
class Derived:
    """A record that adds to what is read, and takes away from what is written."""

    b: int = always()
    c: str = wire(absent="none", always=True)
    a: int = 0

    def completed(self, raw: dict[str, Any]) -> Derived:
        return self if "a" in raw else replace(self, a=self.b)

    def shown(self, document: dict[str, Any]) -> dict[str, Any]:
        return {**document, "seen": True}


def test_a_record_may_complete_what_is_read_and_change_what_is_written() -> None:
    assert read(Derived, {"b": 3}) == Derived(3, "none", 3)
    assert read(Derived, {"a": 1, "b": 3, "c": "x"}) == Derived(3, "x", 1)
    assert dump(Derived(0, "")) == {"b": 0, "c": "", "seen": True}
    assert read_or_none(Derived, {}) is None


def test_attributes_are_called_in_camel_case() -> None:
    names = ("a", "a_b", "from_the_start", "x2_y")
    assert [*map(camel_case, names)] == ["a", "aB", "fromTheStart", "x2Y"]


def test_a_list_is_cut() -> None:
    parts = [{"shortName": name} for name in "abc"]
    assert [each.short_name for each in read(Whole, {**PLAIN, "parts": parts}).parts] == ["a", "b"]
