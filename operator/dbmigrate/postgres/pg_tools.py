"""PostgreSQL's own programs, run on a target: pg_dump and pg_restore.

They get the connection through libpq's environment variables, so that no password is
in an argument list, which every user of a machine can read. What has no variable
(keepalives) is no secret and goes into a connection string.
The programs' error output becomes the error message; a stop ends the program first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from shutil import which
from typing import IO

from dbmigrate.child_process import Child, Until, run
from dbmigrate.errors import MigrationError, cause_of
from dbmigrate.postgres.connection.connect import conninfo_for_program, copies_in
from dbmigrate.postgres.connection.libpq import make_conninfo, pq
from dbmigrate.postgres.connection.refusal import is_question
from dbmigrate.postgres.connection.target import ConnectionTarget
from dbmigrate.report import Reason

_VERSION_SECONDS = 30.0
_VERSION = re.compile(r"\) ([0-9]+)")


@dataclass(frozen=True, slots=True)
class ClientProgram:
    """One of PostgreSQL's programs, found on this machine."""

    path: str
    major: int
    """Its major version: it works with servers up to that one."""

    @property
    def name(self) -> str:
        """The program's name in messages."""
        return os.path.basename(self.path)

    def remedy_for(self, server_major: int) -> str | None:
        """What to do for a server of that major version; None: nothing, it works with that."""
        if server_major <= self.major:
            return None
        return (
            f"install {self.name} {server_major} or newer, or use an image of dbmigrate that has it"
        )


def find_program(name: str, *, server_major: int | None = None) -> ClientProgram:
    """The program of that name: that on the PATH, unless it is too old for the server and one
    beside a server's programs on this machine is newer. Without a version the newest one.

    Raises MigrationError (BackupFailed).
    """
    path, beside = which(name), _find_beside(name)
    if path is None and beside is None:
        raise MigrationError(
            Reason.BACKUP_FAILED,
            f"{name} is not on the PATH",
            hint="install PostgreSQL's client programs, or use dbmigrate's image, which has them",
        )
    found = _identify(path) if path is not None else None
    if found is not None and server_major is not None and server_major <= found.major:
        return found
    other = _identify(beside) if beside is not None and beside != path else None
    known = [each for each in (found, other) if each is not None]
    return max(known, key=lambda each: each.major)


def _find_beside(name: str) -> str | None:
    """The program beside the server's own, with which scratch servers are started."""
    from dbmigrate.postgres.scratch.server import find_programs

    try:
        return which(str(find_programs() / name))
    except MigrationError:
        return None


def _identify(path: str) -> ClientProgram:
    try:
        done = run(Child.CLIENT, [path, "--version"], Until(seconds=_VERSION_SECONDS))
    except OSError as error:
        raise MigrationError(
            Reason.BACKUP_FAILED, f"{path} can't be run: {cause_of(error)}"
        ) from None
    found = _VERSION.search(done.output.decode(errors="replace"))
    if found is None:
        said = " ".join((done.complaint or done.output).decode(errors="replace").split())[:500]
        raise MigrationError(Reason.BACKUP_FAILED, f"{path} --version does not work: {said}")
    return ClientProgram(path, int(found[1]))


def run_program(
    program: ClientProgram,
    arguments: Sequence[str],
    target: ConnectionTarget,
    until: Until,
    *,
    stdin: IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
) -> bytes:
    """Run it to its end on the target's database; returns its output, unless `stdout` is given.

    Without a limit it ends with its connection at the latest. Raises MigrationError
    (BackupFailed) with the program's message, Stopped and TimedOut.
    """
    variables, rest = _connection(conninfo_for_program(target))
    ended = run(
        Child.CLIENT,
        [program.path, "--no-password", f"--dbname={rest}", *arguments],
        until,
        variables=variables,
        stdin=stdin,
        stdout=stdout,
        descriptors=copies_in(variables),
    )
    if ended.code != 0:
        raise _failure(program, ended.code, ended.complaint.decode(errors="replace"), target)
    return ended.output


def lock_wait(seconds: float) -> str:
    """pg_dump's option for how long it may wait for a locked table."""
    milliseconds = 0 if seconds > 2**31 // 1000 else max(1, round(1000 * seconds))
    return f"--lock-wait-timeout={milliseconds}"


def _connection(conninfo: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Environment variables, and a connection string for what has none."""
    variables = {
        option.keyword.decode(): option.envvar.decode()
        for option in pq.Conninfo.get_defaults()
        if option.envvar
    }
    environ, rest = {}, {}
    for key, value in conninfo.items():
        if key in variables:
            environ[variables[key]] = value
        else:
            rest[key] = value
    if "sslpassword" in rest:
        raise MigrationError(
            Reason.BACKUP_FAILED,
            "sslpassword can't be passed to pg_dump without showing it in its argument list",
            hint="use a key without a password, or a service file",
        )
    return environ, make_conninfo("", **rest)


def _failure(
    program: ClientProgram, code: int, text: str, target: ConnectionTarget
) -> MigrationError:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not is_question(line)]
    errors = [line for line in lines if "error:" in line] or lines
    said = errors[0] if errors else f"it ended with code {code} and said nothing"
    rest = [line for line in lines if line != said]
    return MigrationError(
        Reason.BACKUP_FAILED,
        f"{program.name} failed on {target.display}:"
        f" {said.removeprefix(program.name + ': ').removeprefix('error: ')}",
        detail=" ".join(rest)[:1000] or None,
    )
