"""Go's time layouts, as `create -format` takes them: `20060102150405`, `2006-01-02`.

A layout is the reference time, Mon Jan 2 15:04:05 2006 at -0700, written the way
the wanted time should look. Copied from Go's time.Time.Format (time/format.go):
what is not part of the reference time stands for itself. Only what can end up
in a version's name matters, but the whole table is small.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)

# Longest first; Go does not take `Jan` or `Mon` for a part when a lower case letter follows.
_PART = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|002|__2|_2(?!006)|01|02|03|04|05|06|15"
    r"|1|2|3|4|5|PM|pm|[Z-]07:00:00|[Z-]070000|[Z-]07:00|[Z-]0700|[Z-]07"
    r"|[.,](?:0+|9+)(?![0-9])"
)


def format_time(moment: datetime, layout: str) -> str:
    """The moment, which has a time zone, in a Go layout."""
    return _PART.sub(lambda match: _write(match[0], moment), layout)


def _write(part: str, moment: datetime) -> str:
    plain = _PARTS.get(part)
    if plain is not None:
        return plain(moment)
    if part[0] in "Z-":
        return _offset(part, moment)
    digits = f"{moment.microsecond * 1000:09}".ljust(len(part) - 1, "0")[: len(part) - 1]
    if part[1] == "9":
        digits = digits.rstrip("0")
        return part[0] + digits if digits else ""
    return part[0] + digits


def _offset(part: str, moment: datetime) -> str:
    offset = moment.utcoffset() or timedelta()
    seconds = int(offset.total_seconds())
    if part[0] == "Z" and seconds == 0:
        return "Z"
    sign = "-" if seconds < 0 else "+"
    hours, rest = divmod(abs(seconds), 3600)
    fields = [hours, *divmod(rest, 60)][: len(part.replace(":", "")) // 2]
    return sign + (":" if ":" in part else "").join(f"{field:02}" for field in fields)


_PARTS: dict[str, Callable[[datetime], str]] = {
    "2006": lambda t: f"{t.year:04}",
    "06": lambda t: f"{t.year % 100:02}",
    "January": lambda t: _MONTHS[t.month - 1],
    "Jan": lambda t: _MONTHS[t.month - 1][:3],
    "01": lambda t: f"{t.month:02}",
    "1": lambda t: str(t.month),
    "Monday": lambda t: _DAYS[t.weekday()],
    "Mon": lambda t: _DAYS[t.weekday()][:3],
    "02": lambda t: f"{t.day:02}",
    "_2": lambda t: f"{t.day:2}",
    "2": lambda t: str(t.day),
    "002": lambda t: f"{t.timetuple().tm_yday:03}",
    "__2": lambda t: f"{t.timetuple().tm_yday:3}",
    "15": lambda t: f"{t.hour:02}",
    "03": lambda t: f"{(t.hour + 11) % 12 + 1:02}",
    "3": lambda t: str((t.hour + 11) % 12 + 1),
    "04": lambda t: f"{t.minute:02}",
    "4": lambda t: str(t.minute),
    "05": lambda t: f"{t.second:02}",
    "5": lambda t: str(t.second),
    "PM": lambda t: "PM" if t.hour >= 12 else "AM",
    "pm": lambda t: "pm" if t.hour >= 12 else "am",
    "MST": lambda t: t.tzname() or "UTC",
}
