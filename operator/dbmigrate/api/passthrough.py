"""Parts of a resource that are passed to Kubernetes: affinity, resources, security contexts.

The API server judges their content when the Job is created. Only their depth and size are bounded
here, for the code that handles them.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

DEPTH_LIMIT = 32
"""Objects and lists inside each other. A Pod's own fields need no more than a dozen."""
SIZE_LIMIT = 5000
"""Values in one part, those of all levels counted."""
TEXT_LIMIT = 65536
INTEGER_LIMIT = 2**63


def find_fault(value: Any) -> str | None:
    """What is invalid in a JSON value, as the end of a sentence about it; None: nothing."""
    level, size, depth = [value], 0, 0
    while level:
        size, depth = size + len(level), depth + 1
        if depth > DEPTH_LIMIT:
            return f"must not be nested deeper than {DEPTH_LIMIT} levels"
        if size > SIZE_LIMIT:
            return f"must have at most {SIZE_LIMIT} values"
        following: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                following += [*item, *item.values()]
            elif isinstance(item, list):
                following += item
            elif not _is_plain(item):
                return "must hold texts, numbers and booleans of a sensible size"
        level = following
    return None


def _is_plain(item: Any) -> bool:
    """Whether a value that is neither an object nor a list is valid JSON and bounded."""
    if item is None or isinstance(item, bool):
        return True
    if isinstance(item, str):
        return len(item) <= TEXT_LIMIT
    if isinstance(item, int):
        return -INTEGER_LIMIT <= item < INTEGER_LIMIT
    return isinstance(item, float) and isfinite(item)
