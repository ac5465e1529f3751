"""Durations as people write them in a manifest: 15s, 1m30s, 500ms, none."""

from __future__ import annotations

import re
from datetime import timedelta

from dbmigrate.durations import read_seconds

FORM = (
    r"([0-9]{1,9}(\.[0-9]{1,3})?ms|[0-9]{1,7}(\.[0-9]{1,3})?s|[0-9]{1,5}(\.[0-9]{1,3})?m"
    r"|[0-9]{1,3}(\.[0-9]{1,3})?h|[0-9]{1,2}(\.[0-9]{1,3})?d)+"
)
"""The pattern of the schema: the units bound their numbers."""
LENGTH = 32
"""Characters that a duration may have."""

_WHOLE = re.compile(FORM, re.ASCII)


def parse_duration(text: str) -> timedelta | None:
    """The length of time that the text names, less than 1,000 days; None for `none`.

    Raises ValueError for anything but a sum of numbers with units.
    """
    if text == "none":
        return None
    if len(text) > LENGTH or not _WHOLE.fullmatch(text):
        shown = text if len(text) <= LENGTH else text[:LENGTH] + "..."
        raise ValueError(
            f"{shown!r} is not a duration: write for instance 30s, 5m, 1h30m or none;"
            " at most 99d, 999h, 99999m, 9999999s and 999999999ms"
        )
    return timedelta(seconds=read_seconds(text))


def is_duration(text: str) -> bool:
    """Whether it is none, a length of time, or nothing at all."""
    try:
        parse_duration(text or "none")
    except ValueError:
        return False
    return True


def format_duration(duration: timedelta) -> str:
    """The shortest exact spelling in one unit, for messages and command lines."""
    milliseconds = round(duration.total_seconds() * 1000)
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms" if milliseconds else "0s"
