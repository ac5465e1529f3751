"""Whether the operator lives and works, for the probes of its Pod.

Alive: the event loop has turned not long ago. Nothing else counts, since a restart
would mend nothing else; an API server that is gone is waited for. Ready: all that
was there has been taken in, and changes are watched.
"""

from __future__ import annotations

import asyncio
import time

BEAT_SECONDS = 1.0
SILENCE_SECONDS = 60.0
"""Without a beat for this long the loop is stuck. A busy start with ten thousand resources
stays far below it."""


class Health:
    """What the probes ask."""

    def __init__(self) -> None:
        self._beat = time.monotonic()
        self._is_watching = False

    def is_alive(self, now: float | None = None) -> bool:
        """Whether the event loop turns. `now` is a moment of the monotonic clock."""
        moment = time.monotonic() if now is None else now
        return moment - self._beat < SILENCE_SECONDS

    def is_ready(self) -> bool:
        """Whether changes are seen and acted upon."""
        return self._is_watching and self.is_alive()

    def watching(self, is_watching: bool) -> None:
        """The streams have been opened, or closed."""
        self._is_watching = is_watching

    async def beat(self) -> None:
        """Beat until cancelled."""
        while True:
            self._beat = time.monotonic()
            await asyncio.sleep(BEAT_SECONDS)
