"""Waiting for a condition: polled, with a deadline, and with a last look in the error."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")
POLL = 0.02
"""Seconds between two looks at first; they grow to ten times that."""
DEADLINE = 120
"""Seconds for whatever is awaited: on a busy machine an interpreter's start alone takes ten. Who
waits in vain pays for it, nobody else."""


def eventually(
    look: Callable[[], Seen],
    accept: Callable[[Seen], object] = bool,
    *,
    deadline: float = DEADLINE,
    what: str = "the condition",
    show: Callable[[Seen], str] = repr,
) -> Seen:
    """What `look` sees once `accept` holds of it. TimeoutError tells what it saw last."""
    end = time.monotonic() + deadline
    pause = POLL
    while True:
        seen = look()
        if accept(seen):
            return seen
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come in {deadline:g} s; last seen: {show(seen)}")
        time.sleep(pause)
        pause = min(pause * 1.2, POLL * 10)
