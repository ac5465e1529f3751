"""Numbers and durations on the command line, as Go reads and writes them."""

from __future__ import annotations

import re

from dbmigrate import durations

_DECIMAL = re.compile(r"[0-9]+", re.ASCII)
_SIGNED_DECIMAL = re.compile(r"[+-]?[0-9]+", re.ASCII)
_LITERAL = re.compile(
    r"0[xX](?:_?[0-9a-fA-F])+|0[oO]?(?:_?[0-7])+|0[bB](?:_?[01])+|0|[1-9](?:_?[0-9])*", re.ASCII
)


def read_decimal(text: str) -> int:
    """strconv.ParseUint in base 10. Raises ValueError; so do all below."""
    if not _DECIMAL.fullmatch(text):
        raise ValueError("parse error: expected a number")
    return _within(text, 0, 2**64 - 1)


def read_signed_decimal(text: str) -> int:
    """strconv.ParseInt in base 10."""
    if not _SIGNED_DECIMAL.fullmatch(text):
        raise ValueError("parse error: expected a number")
    return _within(text, -(2**63), 2**63 - 1)


def read_count(text: str, least: int = 0) -> int:
    """How many: a bigint that is not below `least`."""
    if not _DECIMAL.fullmatch(text):
        raise ValueError("parse error: expected a number")
    return _within(text, least, 2**63 - 1)


def read_size(text: str) -> int:
    """How many, and one at least."""
    return read_count(text, 1)


def read_page(text: str) -> int:
    """The number of a page, counted from 1; -1 is the last."""
    return -1 if text == "-1" else read_count(text, 1)


def read_unsigned(text: str) -> int:
    """The value of a uint flag: Go takes 0x10, 0b1, 017 and 1_000 there."""
    if not _LITERAL.fullmatch(text):
        raise ValueError("parse error: expected a number")
    return _bounded(_literal(text), 0, 2**64 - 1)


def read_signed(text: str) -> int:
    """The value of an int flag."""
    sign = -1 if text.startswith("-") else 1
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not _LITERAL.fullmatch(digits):
        raise ValueError("parse error: expected a number")
    return _bounded(sign * _literal(digits), -(2**63), 2**63 - 1)


def read_duration(text: str) -> float | None:
    """Seconds of Go's `1m30s`, `500ms`; a number alone is seconds; None for `none`."""
    if text == "none":
        return None
    if _DECIMAL.fullmatch(text):
        return float(_within(text, 0, 2**63 - 1))
    return durations.read_seconds(text)


def read_seconds(text: str) -> float | None:
    """-lock-timeout: a Go uint for golang-migrate; durations are accepted as well."""
    try:
        return float(read_unsigned(text))
    except ValueError:
        return read_duration(text)


def format_duration(nanoseconds: int) -> str:
    """The text of Go's time.Duration: 12.345678ms, 1m0.5s, 0s."""
    if nanoseconds < 1_000:
        return f"{nanoseconds}ns" if nanoseconds else "0s"
    if nanoseconds < 1_000_000:
        return f"{_fraction(nanoseconds, 3)}\u00b5s"
    if nanoseconds < 1_000_000_000:
        return f"{_fraction(nanoseconds, 6)}ms"
    minutes, rest = divmod(nanoseconds, 60_000_000_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{_fraction(rest, 9)}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def _fraction(value: int, digits: int) -> str:
    whole, part = divmod(value, 10**digits)
    return f"{whole}.{part:0{digits}d}".rstrip("0").rstrip(".")


def _literal(text: str) -> int:
    if len(text) > 100:
        raise ValueError("value out of range: expected a number of fewer digits")
    if re.fullmatch(r"0[0-7_]+", text):  # C's octal, which Python's int() rejects
        return int(text, 8)
    return int(text, 0)


def _within(text: str, low: int, high: int) -> int:
    """Python refuses to parse thousands of digits; Go reports that they are out of range."""
    digits = text.lstrip("+-").lstrip("0") or "0"
    value = int(digits[:21])
    return _bounded(-value if text.startswith("-") else value, low, high)


def _bounded(value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise ValueError(f"value out of range: expected a number from {low} to {high}")
    return value
