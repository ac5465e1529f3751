"""`restore`: restore a backup into a database, all of it or nothing.

pg_restore works in one transaction, under the migration lock. A database that is
not empty is left alone, unless the request says that its tables may be
replaced.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dbmigrate.child_process import Stopped, Until
from dbmigrate.errors import MigrationError, cause_of
from dbmigrate.postgres.history.log.notes import NoteKind
from dbmigrate.postgres.pg_tools import find_program, run_program
from dbmigrate.report import Backup, Reason
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.perform import perform
from dbmigrate.runner.preparation.backup_file import checksum
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run

_RELATIONS = """
SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND d.objid = c.oid AND d.deptype = 'e')"""


@dataclass(frozen=True, slots=True)
class RestoreOrder:
    """Which backup, and how."""

    file: str
    sha256: str | None = None
    """What its checksum has to be; None: not compared."""
    may_replace: bool = False
    """Drop what the backup holds before it is made again."""
    keeps_owners: bool = True
    """False: everything belongs to the role that restores."""


def restore(request: Request, order: RestoreOrder) -> Result[Backup]:
    """Restore it. Errors: BackupFailed, and Interrupted with nothing done."""

    def work(run: Run) -> Backup:
        file = Path(order.file)
        run.backup = _check(file, order.sha256)
        if not order.may_replace:
            _require_empty(run)
        _restore(request, order, file)
        run.has_changed = True
        run.database.look_again()
        _note(run, file.name)
        return run.backup

    return perform(request, work, with_log=False)


def _note(run: Run, name: str) -> None:
    """Record the origin of this state in the log, if the backup contains a log."""
    if not run.database.history.has_log_table:
        return
    try:
        run.database.note(NoteKind.RESTORE, name)
    except MigrationError as error:
        text = f"the log does not say that this backup was restored: {error.message}"
        run.request.observer.notice(Notice("WARNING", text))


def _check(file: Path, wanted: str | None) -> Backup:
    try:
        found = Backup(file.name, file.stat().st_size, checksum(file))
    except OSError as error:
        raise MigrationError(
            Reason.BACKUP_FAILED, f"can't read {file}: {cause_of(error)}"
        ) from None
    if wanted is not None and wanted.lower() != found.sha256:
        raise MigrationError(
            Reason.BACKUP_FAILED,
            f"{file} is not the expected backup: its SHA-256 is {found.sha256}",
            hint="it was damaged or replaced: use another copy",
        )
    return found


def _require_empty(run: Run) -> None:
    count = run.database.session.query(_RELATIONS)[0][0][0]
    if count != "0":
        raise MigrationError(
            Reason.BACKUP_FAILED,
            f"the database is not empty: it holds {count}"
            f" {'relation' if count == '1' else 'relations'} (tables, indexes and the like)",
            hint="restore into a new database, or replace what is there with -clean",
        )


def _restore(request: Request, order: RestoreOrder, file: Path) -> None:
    arguments = ["--single-transaction", "--exit-on-error"]
    if order.may_replace:
        arguments += ["--clean", "--if-exists"]
    if not order.keeps_owners:
        arguments += ["--no-owner", "--no-privileges"]
    program = find_program("pg_restore")
    try:
        with file.open("rb") as content:
            run_program(
                program,
                arguments,
                request.target,
                Until(lambda: request.stop.is_requested, seconds=None),
                stdin=content,
            )
    except Stopped:
        raise MigrationError(
            Reason.INTERRUPTED, "stopped during the restore: nothing was restored"
        ) from None
    except OSError as error:
        raise MigrationError(
            Reason.BACKUP_FAILED, f"can't read {file}: {cause_of(error)}"
        ) from None
