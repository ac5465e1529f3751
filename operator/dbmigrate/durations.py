"""Durations as people write them: sums of numbers with units, such as 1m30s or 500ms."""

from __future__ import annotations

import re

_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h|d)", re.ASCII)
_WHOLE = re.compile(f"(?:{_PART.pattern})+", re.ASCII)
_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "\u00b5s": 1e-6,
    "\u03bcs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}


def read_seconds(text: str) -> float:
    """The seconds of Go's durations, and of days. Raises ValueError for anything else."""
    if not _WHOLE.fullmatch(text):
        raise ValueError("parse error: expected a duration such as 15s or 1m30s, or none")
    return sum(float(part[1]) * _SECONDS[part[2]] for part in _PART.finditer(text))
