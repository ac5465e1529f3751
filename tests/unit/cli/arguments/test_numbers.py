"""Numbers and durations read and look as Go's do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dbmigrate.cli.arguments.numbers import (
    format_duration,
    read_decimal,
    read_duration,
    read_seconds,
    read_signed,
    read_signed_decimal,
    read_unsigned,
)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (999, "999ns"),
        (1_000, "1\u00b5s"),
        (1_500, "1.5\u00b5s"),
        (999_999, "999.999\u00b5s"),
        (1_000_000, "1ms"),
        (5_100_000, "5.1ms"),
        (12_345_678, "12.345678ms"),
        (10_000_000, "10ms"),
        (1_000_000_000, "1s"),
        (1_500_000_000, "1.5s"),
        (10_000_000_000, "10s"),
        (60_000_000_000, "1m0s"),
        (61_000_000_001, "1m1.000000001s"),
        (3_600_000_000_000, "1h0m0s"),
        (90_061_250_000_000, "25h1m1.25s"),
    ],
)
def test_a_duration_looks_as_in_go(nanoseconds: int, text: str) -> None:
    assert format_duration(nanoseconds) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15s", 15.0),
        ("1m30s", 90.0),
        ("500ms", 0.5),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("2d", 172800.0),
        ("100us", 0.0001),
        ("100\u00b5s", 0.0001),
        ("100\u03bcs", 0.0001),
        ("100ns", 1e-7),
        ("1h1m1s1ms", 3661.001),
        ("1.d", 86400.0),
        ("15", 15.0),
        ("0", 0.0),
        ("0s", 0.0),
        ("none", None),
    ],
)
def test_a_duration_is_read(text: str, seconds: float | None) -> None:
    assert read_duration(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize("text", ["", "s", "1 s", "1x", "-1s", "1s1", "1.s.", "forever", "1e3s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="parse error"):
        read_duration(text)


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (read_decimal, "007", 7),
        (read_decimal, str(2**64 - 1), 2**64 - 1),
        (read_decimal, "0" * 5000 + "7", 7),
        (read_signed_decimal, "-1", -1),
        (read_signed_decimal, "+5", 5),
        (read_unsigned, "15", 15),
        (read_unsigned, "0x1F", 31),
        (read_unsigned, "017", 15),
        (read_unsigned, "0o17", 15),
        (read_unsigned, "0b101", 5),
        (read_unsigned, "1_000", 1000),
        (read_unsigned, "0", 0),
        (read_signed, "-0x10", -16),
        (read_signed, "+3", 3),
        (read_seconds, "15", 15),
        (read_seconds, "0x10", 16),
        (read_seconds, "1m", 60),
    ],
)
def test_a_number_is_read(read: Callable[[str], object], text: str, value: int) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text", "problem"),
    [
        (read_decimal, "", "parse error"),
        (read_decimal, "-1", "parse error"),
        (read_decimal, "+1", "parse error"),
        (read_decimal, "1_0", "parse error"),
        (read_decimal, " 1", "parse error"),
        (read_decimal, "0x1", "parse error"),
        (read_decimal, "\u0661", "parse error"),
        (read_decimal, str(2**64), "value out of range"),
        (read_decimal, "9" * 5000, "value out of range"),
        (read_signed_decimal, "1.0", "parse error"),
        (read_signed_decimal, str(-(2**63) - 1), "value out of range"),
        (read_unsigned, "08", "parse error"),
        (read_unsigned, "1__0", "parse error"),
        (read_unsigned, "_1", "parse error"),
        (read_unsigned, "", "parse error"),
        (read_signed, "--1", "parse error"),
        (read_signed, "-", "parse error"),
        (read_seconds, "soon", "parse error"),
    ],
)
def test_what_is_no_such_number_is_refused(
    read: Callable[[str], object], text: str, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        read(text)
