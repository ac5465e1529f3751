"""Parsing of JSON from the API server, with bounded nesting.

The API server accepts ten thousand levels of nested objects, in a field without a schema and in the
managedFields of any ConfigMap. Python's parser fails far below that depth, and would lose a whole
page of other objects, or the watch stream. A value that is nested deeper than any object of
Kubernetes is replaced by null.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import Any

DEPTH_LIMIT = 200

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_MARK = re.compile(_STRING.pattern + rb"|[\[\]{}]", re.DOTALL)
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = {mark: 1 if mark in b"[{" else -1 for mark in b"[]{}"}


def decode(text: str | bytes) -> Any:
    """The document, with null for what is nested too deeply. Raises ValueError for invalid JSON."""
    try:
        return json.loads(text)
    except RecursionError:
        return json.loads(flatten(text.encode() if isinstance(text, str) else text))


def flatten(text: bytes) -> bytes:
    """The same JSON text, with each value below DEPTH_LIMIT levels replaced by null."""
    if text.count(b"{") + text.count(b"[") <= DEPTH_LIMIT or measure_depth(text) <= DEPTH_LIMIT:
        return text
    kept: list[bytes] = []
    depth = start = 0
    for found in _MARK.finditer(text):
        step = _STEPS.get(found[0][0], 0)
        depth += step
        if step == 1 and depth == DEPTH_LIMIT + 1:
            kept += [text[start : found.start()], b"null"]
        elif step == -1 and depth == DEPTH_LIMIT:
            start = found.end()
    return b"".join([*kept, text[start:]])


def measure_depth(text: bytes) -> int:
    """How many levels of objects and lists a JSON text has."""
    marks = _STRING.sub(b"", text).translate(None, _OTHERS)
    return max(accumulate(map(_STEPS.__getitem__, marks)), default=0)
