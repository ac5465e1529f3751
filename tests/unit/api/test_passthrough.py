"""The bounds of parts that are passed to Kubernetes, each at its edge."""

from __future__ import annotations

from typing import Any

import pytest

from dbmigrate.api.passthrough import find_fault


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels - 1):
        value = [value]
    return value


def test_depth_is_bounded() -> None:
    assert find_fault(nested(32)) is None
    assert find_fault(nested(33)) == "must not be nested deeper than 32 levels"


@pytest.mark.parametrize(
    ("fits", "too_large"),
    [
        ([1] * 4999, [1] * 5000),
        ([[1] * 2498, [1] * 2499], [[1] * 2499, [1] * 2499]),
        ({str(n): n for n in range(2499)}, {str(n): n for n in range(2500)}),
    ],
    ids=["a list", "values of several levels", "keys and values"],
)
def test_the_number_of_values_is_bounded(fits: Any, too_large: Any) -> None:
    assert find_fault(fits) is None
    assert find_fault(too_large) == "must have at most 5000 values"


@pytest.mark.parametrize(
    "value", [None, True, "x" * 65536, 2**63 - 1, -(2**63), 1.5, [{"a": ["x"]}]]
)
def test_what_json_has_is_taken(value: Any) -> None:
    assert find_fault({"a": value}) is None


@pytest.mark.parametrize(
    "value", ["x" * 65537, 2**63, -(2**63) - 1, float("nan"), float("inf"), b"x", {"k": [2**63]}]
)
def test_what_has_no_sensible_size_is_refused(value: Any) -> None:
    assert find_fault(value) == "must hold texts, numbers and booleans of a sensible size"
    assert find_fault([value]) == "must hold texts, numbers and booleans of a sensible size"
