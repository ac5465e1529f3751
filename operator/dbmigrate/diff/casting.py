"""The conversion from one type to another: whether it needs USING, and what it costs.

ALTER COLUMN TYPE uses an assignment cast by itself. An explicit cast has to be written, and
where there is none, every type can be converted through text. USING never casts to a
length: an explicit cast to varchar(10) silently truncates longer values.
"""

from __future__ import annotations

from dbmigrate.diff.schema import Ways

_WIDER = {
    "smallint": ("integer", "bigint", "numeric"),
    "integer": ("bigint", "numeric", "double precision"),
    "bigint": ("numeric",),
    "real": ("double precision",),
    "character varying": ("text",),
    "text": ("character varying",),
    "character": ("text",),
    "date": ("timestamp without time zone",),
    "cidr": ("inet",),
    "json": ("jsonb",),
    "name": ("text",),
}
"""Where no value changes its meaning."""
_TEXTS = ("text", "character varying")
_UNITS = ("year", "month", "day", "hour", "minute")
"""To which an interval may be rounded, the largest first."""


def using(column: str, before: str, after: str, ways: Ways, *, type_name: str) -> str | None:
    """The expression for USING; None where the server finds it by itself.

    `before` and `after` are types without limits, `type_name` is the full desired type.
    """
    if before == after:
        return None
    context = ways.casts.get((before, after))
    if context in ("i", "a"):
        return None
    if after in _TEXTS:
        # Any value can be assigned to a text.
        return None
    if context == "e":
        return f"{column}::{type_name}"
    return through_text(column, before, type_name)


def through_text(column: str, before: str, type_name: str) -> str:
    """Converted through text; an array by its elements."""
    if before in _TEXTS:
        return f"{column}::{type_name}"
    dimensions = "[]" if type_name.endswith("[]") and before.endswith("[]") else ""
    return f"({column}::text{dimensions})::{type_name}"


def may_lose(before: str, after: str, before_full: str, after_full: str) -> bool:
    """Whether values may change without an error."""
    if before == after:
        return _digits(after_full) < _digits(before_full)
    if before in ("bigint", "integer", "smallint") and after in ("bigint", "integer", "smallint"):
        return False
    if after in _WIDER.get(before, ()):
        return _digits(after_full) < 0
    return after != "text"


def is_rewritten(before: str, after: str, before_full: str, after_full: str) -> bool:
    """Whether all rows are rewritten, under a lock that blocks everyone."""
    if (before, after) in (("character varying", "text"), ("text", "character varying")):
        return after_full != after
    if before != after:
        return True
    if after_full == before_full:
        return False
    if before.startswith(_TIMES) and not before.endswith("[]"):
        return _digits(after_full) < _digits(before_full)
    if not _limits(after_full) and not after_full.startswith("interval "):
        return False
    return before not in ("character varying", "bit varying", "numeric") or not _grows(
        before_full, after_full
    )


_TIMES = ("time", "interval")


def _limits(full: str) -> tuple[int, ...]:
    inside = full.partition("(")[2].partition(")")[0]
    return tuple(int(each) for each in inside.split(",") if each)


def _digits(full: str) -> int:
    """How many digits after the point are kept; below 0: fewer than those before it."""
    limits = _limits(full)
    if full.startswith("numeric"):
        return limits[1] if len(limits) > 1 else 0 if limits else 16383
    if not full.startswith(_TIMES):
        return 0
    unit = full.removesuffix("[]").rpartition(" ")[2]
    if unit in _UNITS:
        return _UNITS.index(unit) - len(_UNITS)
    return limits[0] if limits else 6


def _grows(before_full: str, after_full: str) -> bool:
    """Whether there is as much room before the point, and exactly as much after it."""
    old, new = _limits(before_full), _limits(after_full)
    return bool(old) and new[0] >= old[0] and _digits(before_full) == _digits(after_full)
