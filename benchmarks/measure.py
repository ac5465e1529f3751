"""One run of a program as a whole process, and what it cost itself and the server.

Wall clock time says little on a machine that others use as well; processor time says more.
The program's is what the kernel counted for it and the children it waited for, the server's
what all of its processes used meanwhile, those that ended included.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PARENT, _USER, _CHILDREN = 1, 11, 13
"""Fields of /proc/PID/stat behind the name: the parent, own times, those of ended children."""
_SETTLED = 0.05
"""Seconds in which a backend whose client is gone ends."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What one run took."""

    seconds: float
    megabytes: float
    """The largest resident size of the process."""
    round_trips: int = 0
    cpu_seconds: float = 0
    """Of the process and of those that it has waited for."""
    server_cpu_seconds: float = 0
    """Of the server's processes meanwhile; 0: they were not counted."""


class TooSlow(Exception):
    """A program was ended at its deadline."""


def measure(
    command: Sequence[str], *, deadline: float | None = None, postmaster: int | None = None
) -> Figure:
    """Run to the end. Raises RuntimeError, with what it said, if it fails; TooSlow if it is
    not done after so many seconds. `postmaster`: the server whose time is counted too."""
    before = server_seconds(postmaster) if postmaster else 0.0
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
    server = 0.0
    if postmaster:
        time.sleep(_SETTLED)
        server = server_seconds(postmaster) - before
    cpu = usage.ru_utime + usage.ru_stime
    return Figure(seconds, usage.ru_maxrss / 1024, cpu_seconds=cpu, server_cpu_seconds=server)


def server_seconds(postmaster: int) -> float:
    """Processor seconds of a server so far: of the postmaster, of its children that run, and of
    those that it has seen end."""
    total = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        if int(entry.name) == postmaster:
            total += sum(map(int, fields[_USER : _CHILDREN + 2]))
        elif int(fields[_PARENT]) == postmaster:
            total += sum(map(int, fields[_USER:_CHILDREN]))
    return total / _TICKS
