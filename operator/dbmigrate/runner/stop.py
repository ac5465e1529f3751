"""How a run is asked to stop from outside, in two steps of urgency.

The first request lets the running step end by itself and starts no other one;
the second cancels the running statement, and its transaction is rolled back.
Signal handlers belong to the command line: all they do is call `request`.
"""

from __future__ import annotations

from enum import IntEnum


class Urgency(IntEnum):
    """How soon the run should end."""

    NONE = 0
    AFTER_STEP = 1
    """Finish the running step, start no other one."""
    NOW = 2
    """Cancel the running statement and roll it back."""


class Stop:
    """A request to stop. Safe to call from a signal handler or another thread."""

    def __init__(self) -> None:
        self._urgency = Urgency.NONE

    def request(self) -> Urgency:
        """Ask once more: the first call means after the step, each later one means now."""
        self._urgency = Urgency.AFTER_STEP if self._urgency is Urgency.NONE else Urgency.NOW
        return self._urgency

    @property
    def is_requested(self) -> bool:
        """Whether no further step may start."""
        return self._urgency is not Urgency.NONE

    @property
    def is_urgent(self) -> bool:
        """Whether the running statement has to be cancelled."""
        return self._urgency is Urgency.NOW
