"""PostgreSQL's own programs, run on a target: pg_dump and pg_restore.

They get the connection through libpq's environment variables, so that no
password is ever in an argument list, which every user of a machine can read.
What has no variable (keepalives) is no secret and goes into a connection string.
The programs' own words are kept for the error; a stop ends the program first.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from shutil import which
from typing import IO

from psycopg import pq
from psycopg.conninfo import make_conninfo

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.connect import DEFAULTS
from dbmigrate.postgres.connection.target import ConnectionTarget
from dbmigrate.report import Reason

LOOK_SECONDS = 0.1
"""How soon a stop is noticed while a program runs."""
_VERSION = re.compile(r"\) ([0-9]+)")


class Stopped(Exception):
    """The run was asked to stop: the program was ended before it was done."""


@dataclass(frozen=True, slots=True)
class ClientProgram:
    """One of PostgreSQL's programs, found on this machine."""

    path: str
    major: int
    """Its major version: it works with servers up to that one."""

    @property
    def name(self) -> str:
        """As people call it."""
        return os.path.basename(self.path)

    def remedy_for(self, server_major: int) -> str | None:
        """What to do for a server of that major version; None: nothing, it works with that."""
        if server_major <= self.major:
            return None
        return (
            f"put {self.name} {server_major} or newer first on the PATH,"
            " or use an image of dbmigrate that has it"
        )


def find_program(name: str) -> ClientProgram:
    """The program of that name on the PATH. Raises MigrationError (BackupFailed)."""
    path = which(name)
    if path is None:
        raise MigrationError(
            Reason.BACKUP_FAILED,
            f"{name} is not on the PATH",
            hint="install PostgreSQL's client programs, or use dbmigrate's image, which has them",
        )
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    found = _VERSION.search(done.stdout)
    if found is None:
        said = " ".join((done.stderr or done.stdout).split())[:500]
        raise MigrationError(Reason.BACKUP_FAILED, f"{path} --version does not work: {said}")
    return ClientProgram(path, int(found[1]))


def run_program(
    program: ClientProgram,
    arguments: Sequence[str],
    target: ConnectionTarget,
    *,
    should_stop: Callable[[], bool],
    stdin: IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
    is_captured: bool = False,
) -> bytes:
    """Run it to its end on the target's database; what it printed, where that is captured.

    Raises MigrationError (BackupFailed) with what the program said, and Stopped.
    """
    environ, rest = _connection(target.conninfo)
    command = [program.path, "--no-password", f"--dbname={rest}", *arguments]
    with subprocess.Popen(
        command,
        stdin=stdin if stdin is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE if is_captured else stdout or subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **environ, "LC_MESSAGES": "C"},
    ) as process:
        try:
            printed, said = _listen(process, should_stop)
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        raise _failure(program, process.returncode, said.decode(errors="replace"), target)
    return printed or b""


def lock_wait(seconds: float) -> str:
    """pg_dump's option for how long it may wait for a table that is locked."""
    milliseconds = 0 if seconds > 2**31 // 1000 else max(1, round(1000 * seconds))
    return f"--lock-wait-timeout={milliseconds}"


def _listen(
    process: subprocess.Popen[bytes], should_stop: Callable[[], bool]
) -> tuple[bytes | None, bytes]:
    """What it says on both outputs, once it has ended. A Pod has no place for a file."""
    while True:
        try:
            return process.communicate(timeout=LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            if should_stop():
                raise Stopped from None


def _connection(conninfo: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Environment variables, and a connection string of what has none."""
    variables = {
        option.keyword.decode(): option.envvar.decode()
        for option in pq.Conninfo.get_defaults()
        if option.envvar
    }
    environ, rest = {}, {}
    for key, value in {**DEFAULTS, **conninfo}.items():
        if key in variables:
            environ[variables[key]] = value
        else:
            rest[key] = value
    if "sslpassword" in rest:
        raise MigrationError(
            Reason.BACKUP_FAILED,
            "sslpassword can't be handed to pg_dump without showing it in its argument list",
            hint="use a key without a password, or a service file",
        )
    return environ, make_conninfo("", **rest)


def _failure(
    program: ClientProgram, code: int, text: str, target: ConnectionTarget
) -> MigrationError:
    password = target.conninfo.get("password")
    if password:
        text = text.replace(password, "***")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error:" in line] or lines
    said = errors[0] if errors else f"it ended with code {code} and said nothing"
    detail = " ".join(lines)[:1000]
    return MigrationError(
        Reason.BACKUP_FAILED,
        f"{program.name} failed on {target.display}: {said.removeprefix(program.name + ': ')}",
        detail=detail if detail != said else None,
    )
