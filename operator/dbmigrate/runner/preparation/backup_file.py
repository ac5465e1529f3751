"""`backup`: the whole database as one file, in pg_dump's custom format.

The file is written beside its place under another name, flushed, and moved
there when it is complete: what has the final name can be restored. A run that
is to change something can order a backup too (`-backup-to`); it is made under
the migration lock, and the run goes no further if it fails.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from dbmigrate.child_process import Stopped, Until
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.pg_tools import (
    ClientProgram,
    find_program,
    lock_wait,
    run_program,
)
from dbmigrate.report import Backup, Reason
from dbmigrate.runner.database import Database
from dbmigrate.runner.request import BackupOrder, Request

_UNFIT = re.compile(r"[^A-Za-z0-9_.-]")


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
    made = save_backup(request, database, directory / name_for(database, moment))
    if order.keep is not None:
        _thin_out(directory, database, order.keep)
    return made


def save_backup(request: Request, database: Database, place: Path) -> Backup:
    program = find_program("pg_dump")
    _require_known_server(program, database)
    if place.exists():
        raise MigrationError(
            Reason.BACKUP_FAILED, f"{place} exists already", hint="choose another name"
        )
    partial = place.with_name(f"{place.name}.{os.getpid()}.partial")
    try:
        with open(partial, "xb", opener=_for_owner_only) as file:
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


def name_for(database: Database, moment: datetime) -> str:
    """Database, time and version: names sort by age."""
    version = database.found.version
    said = "none" if version is None else _UNFIT.sub("_", str(version))
    return f"{_stem(database)}-{moment.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-v{said}.dump"


def _stem(database: Database) -> str:
    return _UNFIT.sub("_", database.name)


def _thin_out(directory: Path, database: Database, keep: int) -> None:
    """Remove the oldest; one that can't be removed is no reason to stop."""
    stem = re.escape(_stem(database))
    pattern = re.compile(rf"{stem}-[0-9]{{8}}T[0-9]{{12}}Z-v[A-Za-z0-9_.-]+\.dump")
    ours = sorted(file for file in directory.iterdir() if pattern.fullmatch(file.name))
    for file in ours[: max(0, len(ours) - keep)]:
        with suppress(OSError):
            file.unlink()


def _for_owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _unwritable(place: Path, error: OSError) -> MigrationError:
    return MigrationError(Reason.BACKUP_FAILED, f"can't write {place}: {error.strerror or error}")
