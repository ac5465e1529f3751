"""The one way from an object of the cluster to what we know of it.

Anybody with rights in a namespace may put objects before us, our labels and our names on
them included. One that can't be read is left alone: it must not keep us from the others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from dbmigrate.api.fields import Document

log = logging.getLogger(__name__)

Read = TypeVar("Read")


def read(parse: Callable[[Document], Read], body: Document) -> Read | None:
    """What the object says; None for one that can't be read, whatever it is that is wrong."""
    try:
        return parse(body)
    except Exception as problem:
        # Without its text: it may hold what somebody wants to see in our log.
        log.debug("%s passed over: %s", _describe(body), type(problem).__name__)
        return None


def read_all(parse: Callable[[Document], Read], bodies: Iterable[Document]) -> list[Read]:
    """What those of the objects say that can be read."""
    found = (read(parse, body) for body in bodies)
    return [item for item in found if item is not None]


def _describe(body: Document) -> str:
    metadata = body.get("metadata") or {}
    kind = body.get("kind") or "an object"
    return f"{kind} {metadata.get('namespace')}/{metadata.get('name')}"
