"""JSON that is nested too deeply for Python is read all the same, and nothing else is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbmigrate.api.documents import DEPTH_LIMIT, decode, flatten, measure_depth

pytestmark = pytest.mark.quick

LEVELS = 9_990
"""The API server takes ten thousand."""
leaves = st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('a"\\[]{}é\n'))
values = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner)
)


def measure(value: Any) -> int:
    """How many levels a value has, as an oracle."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return 1 + max(map(measure, inner), default=0)
    return 0


def nest(text: str, levels: int) -> str:
    return '{"a":[' * (levels // 2) + text + "]}" * (levels // 2)


@settings(derandomize=True, deadline=None)
@given(values)
def test_levels_are_counted_outside_of_texts(value: Any) -> None:
    text = json.dumps(value).encode()
    assert measure_depth(text) == measure(value)
    assert flatten(text) == text
    assert decode(text) == value


@settings(derandomize=True, deadline=None, max_examples=25)
@given(values, values)
def test_what_is_too_deep_is_null_and_its_neighbours_are_whole(left: Any, right: Any) -> None:
    deep = nest(json.dumps(left), LEVELS)
    page = f'{{"items":[{json.dumps(left)},{deep},{json.dumps(right)}]}}'.encode()
    first, hostile, last = decode(page)["items"]
    assert (first, last) == (left, right)
    assert measure(hostile) == DEPTH_LIMIT - 2
    assert measure_depth(flatten(page)) == DEPTH_LIMIT


def test_what_is_no_json_is_an_error_of_values() -> None:
    for text in (b"", b"{", b"\xff", b"[" * LEVELS, b"]" * LEVELS):
        with pytest.raises(ValueError, match=r"."):
            decode(text)
