"""The directory of a running cluster, and the removal of those whose tests were killed.

A cluster holds a lock in its directory for as long as it lives. The kernel lets go
of it with the process, so a directory whose lock is free belongs to nobody.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "dbmigrate-cluster-"
LOCK = "lock"


class Scratch:
    """One directory, ours until `remove` or the end of the process."""

    def __init__(self) -> None:
        remove_abandoned()
        self.directory = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock = os.open(self.directory / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Remove it with all that it holds."""
        shutil.rmtree(self.directory, ignore_errors=True)
        os.close(self._lock)


def remove_abandoned() -> None:
    """Remove the directories of clusters that are no more."""
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            lock = os.open(directory / LOCK, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            # Being made just now, or somebody else's.
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(directory, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)
