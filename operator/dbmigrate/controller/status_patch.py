"""The smallest merge patch that turns one status into another.

An empty one means that there is nothing to write. Fields that are not ours, of a
newer operator perhaps, are left as they are.
"""

from __future__ import annotations

from typing import Any

from dbmigrate.api.fields import Document
from dbmigrate.printable import lines

OURS = frozenset(
    {
        "observedGeneration",
        "version",
        "dirty",
        "target",
        "pending",
        "serverVersion",
        "lastRun",
        "history",
        "backup",
        "plan",
        "nextRetryAt",
        "conditions",
    }
)


def status_patch(current: Document, wanted: Document) -> Document:
    """What must be merged into the current status; lists are replaced as a whole."""
    wanted = _make_safe(wanted)
    known = {key: value for key, value in current.items() if key in OURS}
    if not known.get("history") and not wanted.get("history"):
        known.pop("history", None)
        wanted = {key: value for key, value in wanted.items() if key != "history"}
    return _difference(known, wanted)


def _make_safe(value: Any) -> Any:
    """Every text as it may be shown, and no longer than it was, for the schema bounds it."""
    if isinstance(value, str):
        return lines(value)[: len(value)]
    if isinstance(value, dict):
        return {key: _make_safe(each) for key, each in value.items()}
    return [_make_safe(each) for each in value] if isinstance(value, list) else value


def _difference(current: Document, wanted: Document) -> Document:
    patch: Document = {key: None for key in current if key not in wanted}
    for key, value in wanted.items():
        before = current.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            inner = _difference(before, value)
            if inner:
                patch[key] = inner
        elif key not in current or before != value:
            patch[key] = value
    return patch
