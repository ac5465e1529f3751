"""Lengths of time as kubectl shows them: 12s, 4m30s, 3h, 12d.

The steps are those of HumanDuration in k8s.io/apimachinery/pkg/util/duration.
"""

from __future__ import annotations

from datetime import datetime, timedelta

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400


def format_age(length: timedelta) -> str:
    """The length in one unit or two, less precise the longer it is."""
    seconds = int(length.total_seconds())
    if seconds < 0:
        return "0s"  # clocks differ a little
    if seconds < 2 * _MINUTE:
        return f"{seconds}s"
    if seconds < 10 * _MINUTE:
        return _two(seconds, _MINUTE, "m", 1, "s")
    if seconds < 3 * _HOUR:
        return f"{seconds // _MINUTE}m"
    if seconds < 8 * _HOUR:
        return _two(seconds, _HOUR, "h", _MINUTE, "m")
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR}h"
    if seconds < 8 * _DAY:
        return _two(seconds, _DAY, "d", _HOUR, "h")
    if seconds < 2 * _YEAR:
        return f"{seconds // _DAY}d"
    if seconds < 8 * _YEAR:
        return _two(seconds, _YEAR, "y", _DAY, "d")
    return f"{seconds // _YEAR}y"


def age_of(moment: datetime | None, now: datetime) -> str | None:
    """How long ago that was; None when it is not known."""
    return None if moment is None else format_age(now - moment)


def _two(seconds: int, big: int, big_unit: str, small: int, small_unit: str) -> str:
    rest = seconds % big // small
    return f"{seconds // big}{big_unit}" + (f"{rest}{small_unit}" if rest else "")
