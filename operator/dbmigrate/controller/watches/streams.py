"""Which watch streams are known to work, by what they have shown.

A stream shows the changes of its objects in their order. So one that has shown a change of
any object, or a bookmark (which the API server sends about every minute), has lost none of
those before. Nothing is known of a stream that is silent: the connection may be dead.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from dbmigrate.controller.cluster import ResourceKind
from dbmigrate.controller.watches.observed import Key

AWAITED = (ResourceKind.MIGRATIONS, ResourceKind.JOBS, ResourceKind.PODS)
"""Their streams show how a run goes on."""


class Streams:
    """When each stream last showed something."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._heard_at: dict[str, float] = {}

    def hear(self, path: str) -> None:
        """The stream of that URL path has shown a change or a bookmark."""
        self._heard_at[path] = self._monotonic()

    def have_shown(self, key: Key, since: float) -> bool:
        """Whether each stream that a resource depends on has shown something since then."""
        return all(self._last_heard(kind, key[0]) >= since for kind in AWAITED)

    def _last_heard(self, kind: ResourceKind, namespace: str) -> float:
        """Of the stream of one namespace or of all of them, whichever is open."""
        paths = (kind.path(None), kind.path(namespace))
        return max(self._heard_at.get(path, -math.inf) for path in paths)
