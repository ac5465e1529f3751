"""What the readers of JSON and YAML give: the parts of a list of targets, one by one."""

from __future__ import annotations

from typing import NamedTuple


class Item(NamedTuple):
    """A part of the file: an element of the list, or the value of another key."""

    key: str
    """`targets` for a target, wherever it stands."""
    value: object
    line: int
    """Counted from 1."""
