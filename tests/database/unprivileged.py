"""Running a program as nobody when we are root, and tied to us: it dies when we do."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

NOBODY = 65534
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)


def give_away(directory: Path) -> None:
    """Let the unprivileged user own the directory."""
    if os.geteuid() == 0:
        os.chown(directory, NOBODY, NOBODY)


def run_unprivileged(command: Sequence[str]) -> str:
    """Run a program to its end; its standard output. Raises with what it said if it fails."""
    run = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
        preexec_fn=_drop,
    )
    if run.returncode != 0:
        raise RuntimeError(f"{command[0]}: {run.stderr.strip() or run.stdout.strip()}")
    return run.stdout


def start_unprivileged(command: Sequence[str], *, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a program that is killed when the thread that starts it ends, however it ends."""
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        cwd="/",
        start_new_session=True,
        preexec_fn=_drop_and_tie,  # noqa: PLW1509 (calls into libc alone)
    )


def _drop() -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def _drop_and_tie() -> None:
    # In this order: the kernel forgets the wish when the user changes.
    _drop()
    if sys.platform == "linux":
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
