"""The programs that are compared, and how each is told to apply everything."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.database.oracle import (
    OracleUnavailable,
    find_atlas,
    find_dbmate,
    find_flyway,
    find_goose,
    find_migrate,
    find_tern,
)
from tests.database.server import Server
from tests.formats.flyway_oracle import JAVA
from tests.toolchain import say

OURS = "dbmigrate"
FLOOR = "psql, one transaction"
MIGRATE = "golang-migrate 4.19.1"


@dataclass(frozen=True, slots=True)
class Program:
    """One competitor."""

    name: str
    files: str
    """Which of the directories it reads: small, goose, dbmate, tern, atlas, flyway or whole."""
    command: Callable[[Path, str], list[str]]
    """Its command line, given the directory (or script) and the database's URL."""


def all_programs(server: Server) -> list[Program]:
    """The floor first, then the peers that can be had here, then ours."""
    psql, ours = str(server.bin_dir / "psql"), str(Path(sys.executable).with_name("dbmigrate"))

    def run_psql(path: Path, url: str) -> list[str]:
        return [psql, "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", str(path), url]

    def run_ours(path: Path, url: str) -> list[str]:
        return [ours, "-path", str(path), "-database", url, "up"]

    found = [Program(FLOOR, "whole", run_psql)]
    for make in (_tern, _goose, _dbmate, _migrate, _atlas, _flyway):
        try:
            found.append(make())
        except OracleUnavailable as error:
            say(f"left out: {error}")
    return [*found, Program(OURS, "small", run_ours)]


def _migrate() -> Program:
    program = str(find_migrate())

    def run(path: Path, url: str) -> list[str]:
        return [program, "-path", str(path), "-database", url, "up"]

    return Program(MIGRATE, "small", run)


def _goose() -> Program:
    program = str(find_goose())

    def run(path: Path, url: str) -> list[str]:
        return [program, "-dir", str(path), "postgres", url, "up"]

    return Program("goose 3.27.3", "goose", run)


def _dbmate() -> Program:
    program = str(find_dbmate())

    def run(path: Path, url: str) -> list[str]:
        return [program, "--url", url, "-d", str(path), "--no-dump-schema", "migrate"]

    return Program("dbmate 2.37.0", "dbmate", run)


def _tern() -> Program:
    program = str(find_tern())

    def run(path: Path, url: str) -> list[str]:
        return [program, "migrate", "--migrations", str(path), "--conn-string", url]

    return Program("tern 2.3.2", "tern", run)


def _atlas() -> Program:
    """The newest command that the Go proxy keeps; it has no schema that it may start from."""
    program = str(find_atlas())

    def run(path: Path, url: str) -> list[str]:
        return [program, "migrate", "apply", "--dir", f"file://{path}", "--url", url]

    return Program("Atlas 0.13.1", "atlas", run)


def _flyway() -> Program:
    """Flyway's library, in a program of ours that gives it one order; with a start of Java."""
    home = find_flyway()
    java = shlex.join([*JAVA, "-cp", f"{home}/classes:{home}/jars/*", "Oracle"])

    def run(path: Path, url: str) -> list[str]:
        at = urlsplit(url)
        words = [
            "migrate",
            f"flyway.url=jdbc:postgresql://{at.hostname}:{at.port}{at.path}",
            f"flyway.user={at.username}",
            f"flyway.locations=filesystem:{path}",
            "transactionalLock=false",
        ]
        order = shlex.quote("\t".join(words))
        return ["sh", "-c", f"printf '%s\\n' {order} | {java} | grep -q '^DONE'"]

    return Program("Flyway (library)", "flyway", run)
