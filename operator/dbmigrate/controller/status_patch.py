"""The smallest merge patch that turns one status into another.

An empty one means that there is nothing to write. Fields that are not ours, of a
newer operator perhaps, are left as they are.
"""

from __future__ import annotations

from dbmigrate.api.fields import Document

OURS = frozenset(
    {
        "observedGeneration",
        "version",
        "dirty",
        "target",
        "pending",
        "serverVersion",
        "lastRun",
        "lastCheck",
        "history",
        "backup",
        "plan",
        "nextRetryAt",
        "conditions",
    }
)


def status_patch(current: Document, wanted: Document) -> Document:
    """What must be merged into the current status; lists are replaced as a whole."""
    known = {key: value for key, value in current.items() if key in OURS}
    if not known.get("history") and not wanted.get("history"):
        known.pop("history", None)
        wanted = {key: value for key, value in wanted.items() if key != "history"}
    return _difference(known, wanted)


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
