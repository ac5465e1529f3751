"""Runs the command line as a process of its own, as people do."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dbmigrate.cli.main import Program

PROGRAM = Path(sys.executable).with_name("dbmigrate")

SCRIPTS = {
    "1_users.up.sql": "CREATE TABLE users (id int);\nCREATE INDEX users_id ON users (id);",
    "1_users.down.sql": "DROP TABLE users;",
    "2_phone.up.sql": "ALTER TABLE users ADD phone text;",
    "2_phone.down.sql": "ALTER TABLE users DROP phone;",
    "3_orders.up.sql": "CREATE TABLE orders (id int);",
    "3_orders.down.sql": "DROP TABLE orders;",
}


class Ran(NamedTuple):
    """How it ended."""

    code: int
    stdout: str
    stderr: str


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without what would change the meaning of a command line."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "DBMIGRATE_", "DATABASE_URL", "NO_COLOR"))
    }
    return kept | {"LC_ALL": "C.UTF-8"} | dict(extra or {})


def run(
    *args: str,
    program: Path = PROGRAM,
    environ: Mapping[str, str] | None = None,
    answers: str = "",
    cwd: Path | None = None,
) -> Ran:
    """Run one command line to its end."""
    done = subprocess.run(
        [program, *args],
        input=answers,
        env=environment(environ),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def start(args: Sequence[str], environ: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start one and give it back running."""
    return subprocess.Popen(
        [PROGRAM, *args],
        env=environment(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def write_scripts(directory: Path, scripts: Mapping[str, str] = SCRIPTS) -> Path:
    """Write the migration files; the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in scripts.items():
        (directory / name).write_text(text)
    return directory


def run_here(*args: str, environ: Mapping[str, str] | None = None) -> Ran:
    """The same in this process: for tests with many short runs."""
    output, messages = io.StringIO(), io.StringIO()
    program = Program(
        name="dbmigrate",
        environ=environment(environ),
        answers=io.StringIO(),
        output=output,
        messages=messages,
        started_ns=time.monotonic_ns(),
    )
    return Ran(program.run(list(args)), output.getvalue(), messages.getvalue())
