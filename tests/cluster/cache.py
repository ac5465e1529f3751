"""Things that are built or downloaded once for this machine, and kept between runs of the tests.

They lie outside the checkout. A thing is made in a scratch directory and renamed
into place, so that one that is there is whole, and made under a lock, so that
parallel test workers make it once while the others wait.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_root() -> Path:
    """Where everything is kept: `${XDG_CACHE_HOME:-~/.cache}/dbmigrate`."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "dbmigrate"


def say(text: str) -> None:
    """One line of progress, past pytest's capture: these waits last minutes."""
    print(f"dbmigrate tests: {text}", file=sys.__stderr__, flush=True)


@contextmanager
def only_one(name: str) -> Iterator[None]:
    """Hold this machine's lock of that name; a process that dies lets it go."""
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    with (root / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that makes {name}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """The cached directory of that name; if there is none, `make` fills it first."""
    target = cache_root() / name
    if target.is_dir():
        return target
    with only_one(name):
        if target.is_dir():
            return target
        scratch = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=cache_root()))
        try:
            make(scratch)
            scratch.chmod(0o755)
            scratch.rename(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return target
