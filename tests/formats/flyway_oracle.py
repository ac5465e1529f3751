"""Flyway as a process that takes orders, and what its table holds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.database import Database

COLUMNS = "installed_rank, version, description, type, script, checksum, installed_by, success"
"""All that does not differ from one run to the next."""

JAVA = ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m")


@dataclass(slots=True)
class Flyway:
    """The process. A start of Java costs a second, an order some tenths of one."""

    process: subprocess.Popen[str]

    def send(self, command: str, database: Database, directory: Path, **settings: str) -> None:
        """Give an order without waiting for its end."""
        server = database.server
        words = {
            "flyway.url": f"jdbc:postgresql://{server.host}:{server.port}/{database.name}",
            "flyway.user": "postgres",
            "flyway.locations": f"filesystem:{directory}",
            "transactionalLock": "false",
            **{name.replace("__", "."): value for name, value in settings.items()},
        }
        assert self.process.stdin is not None
        line = "\t".join([command, *(f"{name}={value}" for name, value in words.items())])
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def answer(self) -> tuple[list[str], str]:
        """The lines of the next answer, and what went wrong; empty: nothing did."""
        lines: list[str] = []
        assert self.process.stdout is not None
        while True:
            line = self.process.stdout.readline().rstrip("\n")
            if line == "DONE":
                return lines, ""
            if line.startswith("FAILED "):
                return lines, line.removeprefix("FAILED ")
            assert self.process.poll() is None, "Flyway's process has ended"
            lines.append(line)

    def try_to(self, command: str, database: Database, directory: Path, **settings: str) -> str:
        """What went wrong; empty: nothing did."""
        self.send(command, database, directory, **settings)
        return self.answer()[1]

    def do(self, command: str, database: Database, directory: Path, **settings: str) -> list[str]:
        """Its answer; it has to succeed."""
        self.send(command, database, directory, **settings)
        lines, problem = self.answer()
        assert not problem, problem
        return lines


PROGRAM = """#!{python}
import os, subprocess, sys
from urllib.parse import urlsplit

at = urlsplit(os.environ["DATABASE_URL"])
settings = {{word[1:].partition("=")[0]: word.partition("=")[2] for word in sys.argv[1:-1]}}
words = [sys.argv[-1], f"flyway.url=jdbc:postgresql://{{at.hostname}}:{{at.port}}{{at.path}}"]
words += [f"flyway.user={{at.username}}", "transactionalLock=false"]
words += [f"flyway.{{name}}={{value}}" for name, value in settings.items()]
for name, value in os.environ.items():
    if name.startswith("FLYWAY_PLACEHOLDERS_"):
        words.append(f"flyway.placeholders.{{name[20:].lower()}}={{value}}")
java = {java!r}
done = subprocess.run(java, input="\\t".join(words) + "\\n", capture_output=True, text=True)
print(done.stdout)
sys.exit(0 if done.stdout.endswith("DONE\\n") else done.stdout)
"""


def write_program(home: Path, directory: Path) -> None:
    """A program `flyway` for a guide: DATABASE_URL says where, as FLYWAY_URL would."""
    java = [*JAVA, "-cp", f"{home}/classes:{home}/jars/*", "Oracle"]
    program = directory / "flyway"
    program.write_text(PROGRAM.format(python=sys.executable, java=java))
    program.chmod(0o755)


@contextmanager
def running_flyway(home: Path) -> Iterator[Flyway]:
    """A process of it, ended afterwards."""
    command = [*JAVA, "-cp", f"{home}/classes:{home}/jars/*", "Oracle"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield Flyway(process)
    finally:
        process.kill()
        process.communicate()


def flyway_rows(
    database: Database, columns: str = "version, type, success"
) -> list[tuple[object, ...]]:
    """What flyway_schema_history holds, by rank; empty without the table."""
    if database.query("SELECT to_regclass('flyway_schema_history')") == [(None,)]:
        return []
    query = f"SELECT {columns} FROM flyway_schema_history ORDER BY installed_rank"
    return list(database.query(query))
