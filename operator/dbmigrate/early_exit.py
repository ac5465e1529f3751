"""SIGTERM before a program has its own handler.

The first process of a container has no default action for a signal: until a handler is
installed a SIGTERM is lost, and the kubelet sends it once. Each program installs this one
before it imports anything large, and its own later.
"""

from __future__ import annotations

import os
import signal
from types import FrameType


def install() -> None:
    """End the process at SIGTERM, with the exit code 143, until another handler is installed."""
    signal.signal(signal.SIGTERM, end_at_once)


def end_at_once(number: int, _frame: FrameType | None) -> None:
    """End the process at once: nothing has begun yet, or a stop was requested twice."""
    os._exit(128 + number)
