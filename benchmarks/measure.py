"""One run of a program as a whole process, timed from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
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
    cpu_seconds: float = 0
    """Of the process and of those that it has waited for."""


class TooSlow(Exception):
    """A program was ended at its deadline."""


def measure(command: Sequence[str], *, deadline: float | None = None) -> Figure:
    """Run to the end. Raises RuntimeError, with what it said, if it fails; TooSlow if it is
    not done after so many seconds."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    ending = threading.Timer(deadline or 0, os.killpg, (process.pid, signal.SIGKILL))
    if deadline is not None:
        ending.start()
    said = process.stdout.read() if process.stdout else b""
    _, status, usage = os.wait4(process.pid, 0)
    ending.cancel()
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.stdout:
        process.stdout.close()
    if deadline is not None and process.returncode == -signal.SIGKILL:
        raise TooSlow
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]}: {said.decode(errors='replace')[-1000:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return Figure(seconds, usage.ru_maxrss / 1024, cpu_seconds=cpu)
