"""How long a run tries again when a lock in the database is not available."""

from __future__ import annotations

import random
import time

from dbmigrate.runner.request import Request

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0


class Patience:
    """Starts on creation, and ends after the request's lock timeout."""

    def __init__(self, request: Request) -> None:
        self._stop = request.stop
        self._deadline = time.monotonic() + request.options.lock_timeout
        self._next = _FIRST_PAUSE

    @property
    def has_time(self) -> bool:
        """Whether to try once more."""
        return time.monotonic() < self._deadline and not self._stop.is_requested

    def pause(self) -> None:
        """Let the others work: a little longer each time, with a random part."""
        left = max(0.0, self._deadline - time.monotonic())
        end = time.monotonic() + min(left, self._next * random.uniform(0.7, 1.3))
        self._next = min(2 * self._next, _LONGEST_PAUSE)
        while not self._stop.is_requested and (rest := end - time.monotonic()) > 0:
            time.sleep(min(rest, 0.1))
