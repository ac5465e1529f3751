"""One run of a program as a whole process, timed from outside."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """What one run took."""

    seconds: float
    megabytes: float
    """The largest resident size of the process."""
    round_trips: int = 0


def measure(command: Sequence[str]) -> Figure:
    """Run to the end. Raises RuntimeError, with what it said, if it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.stdout:
        process.stdout.close()
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]}: {said.decode(errors='replace')[-1000:]}")
    return Figure(seconds, usage.ru_maxrss / 1024)
