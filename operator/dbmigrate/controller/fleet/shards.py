"""Sets of shards as text: `0-4,7`, as Kubernetes writes completed indexes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby

_RANGE = re.compile(r"([0-9]{1,7})(?:-([0-9]{1,7}))?", re.ASCII)


def parse_indexes(text: str, *, most: int) -> frozenset[int]:
    """Read such a text; what can't be read, or lies above `most`, is left out."""
    found: set[int] = set()
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is not None:
            first = int(match[1])
            last = int(match[2]) if match[2] else first
            found.update(range(first, min(last, most) + 1))
    return frozenset(index for index in found if index <= most)


def format_indexes(indexes: Iterable[int]) -> str:
    """Write it."""
    parts = []
    for _, run in groupby(enumerate(sorted(indexes)), key=lambda pair: pair[1] - pair[0]):
        members = [index for _, index in run]
        first, last = members[0], members[-1]
        parts.append(str(first) if first == last else f"{first}-{last}")
    return ",".join(parts)
