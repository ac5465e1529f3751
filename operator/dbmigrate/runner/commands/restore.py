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
from dbmigrate.postgres.backup_contents import BackupContents
from dbmigrate.postgres.connection.errors import ServerFailure
from dbmigrate.postgres.history.log.notes import NoteKind
from dbmigrate.postgres.pg_tools import find_program, run_program
from dbmigrate.report import Reason
from dbmigrate.report.preparation import Backup
from dbmigrate.runner.history_writing import note
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.perform import perform
from dbmigrate.runner.preparation.backup_file import checksum
from dbmigrate.runner.preparation.histories_of_backup import (
    NewerHistories,
    drop_newer,
    find_newer,
)
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run

_OWN = """ FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND d.objid = c.oid AND d.deptype = 'e')"""
_RELATIONS = f"SELECT pg_catalog.count(*){_OWN}"
_TABLES = f"SELECT n.nspname, c.relname{_OWN} AND c.relkind IN ('r', 'p') ORDER BY 1, 2"
_SHOWN = 5
"""Tables that are named in the warning."""


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
    keeps_histories: bool = False
    """Leave the histories that the backup has not, unless it is known that it replaces them."""


def restore(request: Request, order: RestoreOrder) -> Result[Backup]:
    """Restore it. Errors: BackupFailed, and Interrupted with nothing done."""

    def work(run: Run) -> Backup:
        file = Path(order.file)
        run.backup = _check(file, order.sha256)
        newer, contents = NewerHistories(()), None
        if order.may_replace:
            contents = _read_contents(request, file)
            newer = find_newer(run, contents, keeps=order.keeps_histories)
        else:
            _require_empty(run)
        _restore(request, order, file)
        run.has_changed = True
        drop_newer(run, newer)
        if contents is not None:
            _warn_of_others(run, contents)
        run.database.look_again()
        _note(run, file.name)
        return run.backup

    # The log is read for the owner alone.
    return perform(request, work, with_log=request.options.owner is not None)


def _warn_of_others(run: Run, contents: BackupContents) -> None:
    """Name the tables that the backup has not: they stay, and what makes them is pending again."""
    rows = run.database.session.query(_TABLES)[0]
    names = ((schema or "", name or "") for schema, name in rows)
    left = [".".join(each) for each in names if not contents.has_table(*each)]
    if left:
        more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
        text = (
            f"the backup does not have these tables, which stay: {', '.join(left[:_SHOWN])}{more}:"
            " drop those that migrations above its version have made before these run again"
        )
        run.request.observer.notice(Notice("WARNING", text))


def _note(run: Run, name: str) -> None:
    """Record the origin of this state in the log, if the backup contains a log. One without a row
    stays so: the note would look as if none had been lost."""
    history = run.database.history
    if not history.has_log_table:
        return
    try:
        has_rows = f"SELECT EXISTS (SELECT FROM {history.log_table})"
        if run.database.on_history(history.guarded_reading(has_rows))[-1] == [("t",)]:
            note(run.database, NoteKind.RESTORE, name)
    except (MigrationError, ServerFailure) as error:
        run.database.session.roll_back()
        text = f"the log does not say that this backup was restored: {error}"
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
    try:
        _run_pg_restore(request, file, arguments)
    except Stopped:
        raise MigrationError(
            Reason.INTERRUPTED, "stopped during the restore: nothing was restored"
        ) from None
    except MigrationError as error:
        if order.may_replace and error.hint is None:
            error.hint = (
                "nothing was restored: restore into a new database; or drop what is in the way and"
                " not in the backup, which replaces only what it holds"
            )
        raise


def _read_contents(request: Request, file: Path) -> BackupContents:
    try:
        return BackupContents.parse(_run_pg_restore(request, file, ["--list"]).decode())
    except Stopped:
        raise MigrationError(
            Reason.INTERRUPTED, "stopped before the restore: nothing was restored"
        ) from None


def _run_pg_restore(request: Request, file: Path, arguments: list[str]) -> bytes:
    program = find_program("pg_restore")
    until = Until(lambda: request.stop.is_requested, seconds=None)
    try:
        with file.open("rb") as content:
            return run_program(program, arguments, request.target, until, stdin=content)
    except OSError as error:
        raise MigrationError(
            Reason.BACKUP_FAILED, f"can't read {file}: {cause_of(error)}"
        ) from None
