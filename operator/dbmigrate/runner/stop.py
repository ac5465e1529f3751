"""Requests to stop a run, with two degrees of urgency.

The first request lets the running step finish and starts no other one; the second
cancels the running statement, and its transaction is rolled back. A kubelet asks once,
and kills after a grace period: then the second request follows by itself.
Signal handlers belong to the command line; they only call `request`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from enum import IntEnum

LONGEST_MARGIN = 15.0
"""Seconds that are kept for cancelling, cleaning up and reporting."""


class Urgency(IntEnum):
    """How soon the run should end."""

    NONE = 0
    AFTER_STEP = 1
    """Finish the running step, start no other one."""
    NOW = 2
    """Cancel the running statement and roll it back."""


class Stop:
    """A request to stop. Safe to call from a signal handler or another thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._urgency = Urgency.NONE
        self._killed_at = math.inf
        """By the clock: when the process is killed."""
        self._margin = 0.0
        """Seconds before that in which the statement is cancelled and the end is reported."""

    def request(self, *, killed_after: float = math.inf) -> Urgency:
        """Request a stop: the first call means after the step, each later one means now.

        `killed_after`: seconds until the process is killed. The request becomes urgent by
        itself early enough for the run to clean up and report.
        """
        if self._urgency is Urgency.NONE:
            self._killed_at = self._clock() + killed_after
            self._margin = min(LONGEST_MARGIN, killed_after / 2)
            self._urgency = Urgency.AFTER_STEP
        else:
            self._urgency = Urgency.NOW
        return self._urgency

    @property
    def is_requested(self) -> bool:
        """Whether no further step may start."""
        return self._urgency is not Urgency.NONE

    @property
    def is_urgent(self) -> bool:
        """Whether the running statement has to be canceled."""
        return self._urgency is Urgency.NOW or self.time_left <= self._margin

    @property
    def time_left(self) -> float:
        """Seconds until the process is killed; infinite while that is unknown."""
        return self._killed_at - self._clock()
