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
    "character": ("text",),
    "date": ("timestamp without time zone",),
    "cidr": ("inet",),
    "json": ("jsonb",),
    "name": ("text",),
}
"""Where no value changes its meaning."""
_TEXTS = ("text", "character varying")


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
        return _scale(after_full) < _scale(before_full)
    if before in ("bigint", "integer", "smallint") and after in ("bigint", "integer", "smallint"):
        return False
    return after not in _WIDER.get(before, ()) and after != "text"


def is_rewritten(before: str, after: str, before_full: str, after_full: str) -> bool:
    """Whether all rows are rewritten, under a lock that blocks everyone."""
    if (before, after) in (("character varying", "text"), ("text", "character varying")):
        return after_full != after
    if before == after == "character varying" or before == after == "numeric":
        is_free = after_full == after
        return not (is_free or _grows(before_full, after_full))
    return before != after


def _limits(full: str) -> tuple[int, ...]:
    inside = full.partition("(")[2].partition(")")[0]
    return tuple(int(each) for each in inside.split(",") if each.strip().lstrip("-").isdigit())


def _scale(full: str) -> int:
    limits = _limits(full)
    if not full.startswith("numeric"):
        return limits[0] if full.startswith(("timestamp", "time", "interval")) and limits else 0
    return limits[1] if len(limits) > 1 else 0 if limits else 1000


def _grows(before_full: str, after_full: str) -> bool:
    old, new = _limits(before_full), _limits(after_full)
    if not old:
        return False
    if len(old) == 2 and len(new) == 2:
        return new[0] >= old[0] and new[1] == old[1]
    return len(old) == len(new) and new >= old
