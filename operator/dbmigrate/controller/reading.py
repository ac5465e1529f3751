"""The one way to parse an object of the cluster.

A user with rights in a namespace may create any object there, with the operator's labels and
names. An object that cannot be parsed is skipped: it must not affect the others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from dbmigrate.api.fields import Document

log = logging.getLogger(__name__)

Read = TypeVar("Read")


def read(parse: Callable[[Document], Read], body: Document) -> Read | None:
    """The parsed object; None for one that cannot be parsed, for whatever reason."""
    try:
        return parse(body)
    except Exception as problem:
        # Without its text: it may hold what its author wants to appear in the log.
        log.debug("%s passed over: %s", _describe(body), type(problem).__name__)
        return None


def read_all(parse: Callable[[Document], Read], bodies: Iterable[Document]) -> list[Read]:
    """Those of the objects that can be parsed."""
    found = (read(parse, body) for body in bodies)
    return [item for item in found if item is not None]


def _describe(body: Document) -> str:
    metadata = body.get("metadata") or {}
    kind = body.get("kind") or "an object"
    return f"{kind} {metadata.get('namespace')}/{metadata.get('name')}"
