"""The liveness and the readiness of the operator, for the probes of its Pod.

Alive: the event loop has run recently. Nothing else counts, because a restart would
fix nothing else; an API server that is away is waited for. Ready: all existing
objects have been read, and changes are watched. Started: it is ready, or has tried for a while.
"""

from __future__ import annotations

import asyncio
import threading
import time

BEAT_SECONDS = 1.0
SILENCE_SECONDS = 60.0
"""Without a beat for this long the loop is stuck. A busy start with ten thousand resources
stays far below it."""
START_SECONDS = 45.0
"""A start that takes longer is shown by the readiness probe: the API server may be away."""


class Health:
    """The state that the probes read."""

    def __init__(self) -> None:
        self._beat = time.monotonic()
        self._is_watching = False
        self._has_watched = threading.Event()

    def is_alive(self, now: float | None = None) -> bool:
        """Whether the event loop runs. `now` is a time of the monotonic clock."""
        moment = time.monotonic() if now is None else now
        return moment - self._beat < SILENCE_SECONDS

    def is_ready(self) -> bool:
        """Whether changes are watched and acted upon."""
        return self._is_watching and self.is_alive()

    def has_started(self) -> bool:
        """Whether the event loop runs, as soon as the operator is ready or it is late."""
        self._has_watched.wait(START_SECONDS)
        return self.is_alive()

    def watching(self, is_watching: bool) -> None:
        """The streams have been opened, or closed."""
        self._is_watching = is_watching
        if is_watching:
            self._has_watched.set()

    async def beat(self) -> None:
        """Record that the event loop runs, until cancelled."""
        while True:
            self._beat = time.monotonic()
            await asyncio.sleep(BEAT_SECONDS)
