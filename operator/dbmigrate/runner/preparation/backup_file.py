"""A backup: the whole database as one file, in pg_dump's custom format.

The file is written next to its place under another name, flushed, and moved there when it is
complete: what has the final name can be restored. A run that is to change something can order a
backup too (`-backup-to`); it is made under the migration lock, and the run goes no further if it
fails.

Files in a directory get names that identify the database, by the server's system
identifier and the database's oid: databases of several servers can share a directory, and
each has its own backups removed only.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from dbmigrate.child_process import Stopped, Until
from dbmigrate.errors import MigrationError, cause_of
from dbmigrate.postgres.database_id import read_database_id
from dbmigrate.postgres.pg_tools import (
    ClientProgram,
    find_program,
    lock_wait,
    run_program,
)
from dbmigrate.report import Reason
from dbmigrate.report.preparation import Backup
from dbmigrate.runner.database import Database
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.request import BackupOrder, Request

_UNFIT = re.compile(r"[^A-Za-z0-9_.-]")
_NAME = "[A-Za-z0-9_.-]*"
"""A database's name in the name of its backups."""
_LONGEST_VERSION = 64
"""Characters of a version in a file's name, which may have 255 bytes."""
_UNKNOWN = (
    "no older backup is removed: the role may not execute pg_control_system(), which identifies"
    " the backups of this database"
)


_RIGHTS_HINT = (
    "give the directory to that uid or gid (chown), with the right to write (chmod). In a Pod,"
    " spec.job.podSecurityContext.fsGroup does it on volumes that support it: hostPath and NFS"
    " do not"
)


def back_up_before(
    request: Request, order: BackupOrder, database: Database, moment: datetime
) -> Backup:
    """The backup that a run makes before its first step; older ones go when it is there.

    Raises MigrationError (BackupFailed, Interrupted).
    """
    directory = Path(order.directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(directory, error) from None
    identity = read_database_id(database.session)
    place = directory / name_for(database, identity, moment)
    made = save_backup(request, database, place, identity)
    if order.keep is not None:
        if identity is None:
            request.observer.notice(Notice("WARNING", _UNKNOWN))
        else:
            _thin_out(directory, identity, order.keep)
    return made


def save_backup(
    request: Request, database: Database, place: Path, identity: str | None = None
) -> Backup:
    """Save it in that file, whose name is the database's own where an identity is given.

    Raises MigrationError (BackupFailed, Interrupted).
    """
    program = find_program("pg_dump", server_major=database.server_version // 10000)
    _require_known_server(program, database)
    if os.path.exists(place):  # unlike Path.exists, also where the directory can't be searched
        raise MigrationError(
            Reason.BACKUP_FAILED, f"{place} exists already", hint="choose another name"
        )
    _remove_left(place, identity)
    partial = place.with_name(f"{place.name}.{os.getpid()}.partial")
    try:
        with open(partial, "xb", opener=_for_owner_only) as file:
            with suppress(OSError):
                _lock(file)
            run_program(
                program,
                ["--format=custom", lock_wait(request.options.lock_timeout)],
                request.target,
                Until(lambda: request.stop.is_requested, seconds=None),
                stdout=file,
            )
            os.fsync(file.fileno())
        made = Backup(place.name, partial.stat().st_size, checksum(partial))
        partial.replace(place)
    except Stopped:
        raise MigrationError(Reason.INTERRUPTED, "stopped during the backup") from None
    except OSError as error:
        raise _unwritable(place, error) from None
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return made


def checksum(file: Path) -> str:
    """The file's SHA-256, in hexadecimal digits."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _require_known_server(program: ClientProgram, database: Database) -> None:
    """pg_dump refuses newer servers too, but late and in words that don't tell what to do."""
    major = database.server_version // 10000
    remedy = program.remedy_for(major)
    if remedy is not None:
        raise MigrationError(
            Reason.BACKUP_FAILED,
            f"{program.name} {program.major} can't save a database of PostgreSQL {major}",
            hint=remedy,
        )


def name_for(database: Database, identity: str | None, moment: datetime) -> str:
    """Database, identity, time and version: the names of one database sort by age."""
    version = database.found.version
    said = "none" if version is None else _UNFIT.sub("_", str(version))[:_LONGEST_VERSION]
    name = _UNFIT.sub("_", database.name)
    whose = f"{name}@{identity}" if identity else name
    return f"{whose}-{moment.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-v{said}.dump"


def _thin_out(directory: Path, identity: str, keep: int) -> None:
    """Remove the oldest of the database; one that can't be removed is no reason to stop.

    A name without an identity has no @, and is never removed.
    """
    pattern = re.compile(rf"{_NAME}@{identity}-([0-9]{{8}}T[0-9]{{12}}Z)-v[A-Za-z0-9_.-]+\.dump")
    ours = sorted(
        (found[1], found[0])
        for file in directory.iterdir()
        if (found := pattern.fullmatch(file.name))
    )
    for _, name in ours[: max(0, len(ours) - keep)]:
        with suppress(OSError):
            (directory / name).unlink()


def _remove_left(place: Path, identity: str | None) -> None:
    """Remove the unfinished backups of runs that were killed.

    A run, and the pg_dump that it has started, hold a lock on the file that they write.
    """
    name = re.escape(place.name)
    if identity is not None:
        name = rf"(?:{name}|{_NAME}@{identity}-[A-Za-z0-9_.-]+\.dump)"
    pattern = re.compile(rf"{name}\.[0-9]+\.partial")
    with suppress(OSError):
        for file in place.parent.iterdir():
            if pattern.fullmatch(file.name):
                with suppress(OSError), file.open("rb+") as left:
                    _lock(left)
                    file.unlink()


def _lock(file: IO[bytes]) -> None:
    """Raises OSError where another process has the lock, or the file system knows none."""
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _for_owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _unwritable(place: Path, error: OSError) -> MigrationError:
    text, hint = f"can't write {place}: {cause_of(error)}", None
    if isinstance(error, PermissionError):
        known = next(each for each in (place, *place.parents) if os.path.exists(each))
        text, hint = f"{text} ({_describe_rights(known)})", _RIGHTS_HINT
    return MigrationError(Reason.BACKUP_FAILED, text, hint=hint)


def _describe_rights(place: Path) -> str:
    """Who we are, and to whom the place belongs."""
    about = place.stat()
    groups = ", ".join(str(group) for group in sorted({os.getegid(), *os.getgroups()}))
    return (
        f"this process has uid {os.geteuid()} and gid {groups}; {place} belongs to"
        f" uid {about.st_uid} and gid {about.st_gid} with mode {about.st_mode & 0o7777:04o}"
    )
