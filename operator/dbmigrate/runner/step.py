"""Running one step: the file, the version row and the log row, as one.

The usual step is one transaction in one round trip. If it fails, nothing has
happened, and the log gets a row that says what was tried. A step that can't run
so goes to dbmigrate.runner.statements.
"""

from __future__ import annotations

import hashlib
import random
import time
from dataclasses import replace

from dbmigrate.errors import Location, MigrationError
from dbmigrate.postgres import history_rows
from dbmigrate.postgres.failures import LOCK_NOT_AVAILABLE, ConnectionBroken, ServerFailure
from dbmigrate.postgres.history_rows import NewLogRow, VersionRow
from dbmigrate.postgres.transaction import FileFailure, TransactionSettings, run_file
from dbmigrate.report import Reason
from dbmigrate.runner import failed_step
from dbmigrate.runner.database import Database
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.places import has_own_transactions, locate
from dbmigrate.runner.plan import PlannedStep
from dbmigrate.runner.statements import run_statements
from dbmigrate.runner.watch import LOOK_EVERY, Watch
from dbmigrate.sources.migration import Direction, Migration

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0


def run_step(
    database: Database, step: PlannedStep, migration: Migration | None, *, is_durable: bool
) -> tuple[float, float]:
    """Run a step to its end and return the seconds that reading and running took.

    `migration` is what the source knows of the version; an up step stores its
    down script. Afterwards `database.found` is the new version row. Raises
    MigrationError; the database is then as it was, or dirty, or (ConnectionLost)
    not known.
    """
    start = time.monotonic()
    sql = step.script.load() if step.script else b""
    read = time.monotonic() - start
    file = step.script.file if step.script else ""
    database.file = file or None
    row = _log_row(database, step, migration, sql)
    database.prepare_to_write()
    if database.request.target.multi_statement or has_own_transactions(sql, file):
        run_statements(database, step, sql, row)
    else:
        _run_in_transaction(database, step, sql, row, is_durable=is_durable)
    database.file = None
    return read, time.monotonic() - start - read


def _log_row(
    database: Database, step: PlannedStep, migration: Migration | None, sql: bytes
) -> NewLogRow:
    row = database.new_row(
        step.direction.value, version=step.version, name=step.name, found=step.before
    )
    row = replace(
        row,
        to_version=step.after,
        checksum=hashlib.sha256(sql).hexdigest() if step.script else None,
    )
    down = migration.down if migration and step.direction is Direction.UP else None
    if down is None:
        return row
    try:
        text = down.load().decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        message = "its down script is not text in UTF-8, so the history does not keep it"
        database.request.observer.notice(Notice("WARNING", message, down.file))
        return row
    return replace(row, down_file=down.file, down_script=text.removeprefix("\ufeff"))


def _run_in_transaction(
    database: Database, step: PlannedStep, sql: bytes, row: NewLogRow, *, is_durable: bool
) -> None:
    """One transaction; again from its start when a lock can't be had, until time is up."""
    options = database.request.options
    deadline = time.monotonic() + options.lock_timeout
    pause = _FIRST_PAUSE
    while True:
        watch = _watch(database, step)
        try:
            _attempt(database, step, sql, row, watch, is_durable=is_durable)
            return
        except FileFailure as failure:
            is_blocked = (
                failure.error.sqlstate == LOCK_NOT_AVAILABLE
                and failure.statement is not None
                and not failure.escaped
            )
            left = deadline - time.monotonic()
            if not is_blocked or left <= 0 or database.request.stop.is_requested:
                raise _failed(database, step, sql, row, failure, watch) from None
        except ConnectionBroken as broken:
            _settle(database, step, row, broken)
            return
        time.sleep(min(left, pause * random.uniform(0.7, 1.3)))
        pause = min(2 * pause, _LONGEST_PAUSE)


def _attempt(
    database: Database,
    step: PlannedStep,
    sql: bytes,
    row: NewLogRow,
    watch: Watch,
    *,
    is_durable: bool,
) -> None:
    options = database.request.options
    wanted = _wanted(database, step)
    token = f"{step.version} {step.direction.value} {random.getrandbits(64):016x}"
    move = history_rows.move_version_sql(
        database.history, database.found, wanted, pid=database.pid, token=token
    )
    run_file(
        database.session,
        sql,
        f"{move}; {history_rows.insert_log_sql(database.history, row)}",
        token=token,
        settings=TransactionSettings(
            lock_timeout_ms=options.statement_lock_timeout_ms,
            statement_timeout_ms=options.statement_timeout_ms
            or database.request.target.statement_timeout_ms,
            is_durable=is_durable,
        ),
        on_tick=watch,
    )
    database.found = wanted


def _wanted(database: Database, step: PlannedStep) -> VersionRow:
    if step.after == database.found.version:
        return database.found
    return VersionRow(step.after)


def _watch(database: Database, step: PlannedStep) -> Watch:
    timeout = database.request.options.statement_lock_timeout_ms
    return Watch(
        database.session,
        database.monitor,
        file=step.script.file if step.script else "",
        observer=database.request.observer,
        stop=database.request.stop,
        # Early enough to see who blocks before the server gives up waiting.
        first_look=LOOK_EVERY if timeout is None else min(LOOK_EVERY, timeout / 2000),
    )


def _failed(
    database: Database,
    step: PlannedStep,
    sql: bytes,
    row: NewLogRow,
    failure: FileFailure,
    watch: Watch,
) -> MigrationError:
    """Say what failed, and append that to the log."""
    file = step.script.file if step.script else ""
    location = locate(sql, file, position=failure.position, statement=failure.statement)
    if history_rows.is_fence(failure.error):
        return _fenced(database, step, location)
    if failure.escaped:
        error = failed_step.escaped(step, location, failure.error.message)
        _mark_dirty(database, step)
    else:
        error = failed_step.statement_failed(
            failure.error,
            location,
            stop=database.request.stop,
            blockers=watch.blockers if failure.error.sqlstate == LOCK_NOT_AVAILABLE else (),
        )
    record_failure(database, row, error)
    return error


def _fenced(database: Database, step: PlannedStep, location: Location | None) -> MigrationError:
    """The version row could not be moved: find out which of the three guards it was."""
    before = database.found
    try:
        database.read()
        pid = int(database.session.query("SELECT pg_catalog.pg_backend_pid()")[0][0][0] or 0)
    except (ServerFailure, ConnectionBroken) as broken:
        return MigrationError(Reason.CONNECTION_LOST, f"connection lost: {broken}")
    if pid != database.pid:
        return MigrationError(
            Reason.POOLER_UNSAFE,
            f"the backend changed from pid {database.pid} to {pid} during the run:"
            f" {failed_step.label(step)} was rolled back",
            hint="connect to PostgreSQL itself, or to a port of the pooler in session mode",
        )
    if database.found != before:
        return MigrationError(
            Reason.LOCK_TIMEOUT,
            f"another session moved the version row from {before.stored} to"
            f" {database.found.stored} during the run: {failed_step.label(step)} was rolled back",
        )
    _mark_dirty(database, step)
    return failed_step.escaped(step, location, "the transaction was gone at the end of the file")


def _mark_dirty(database: Database, step: PlannedStep) -> None:
    """The version and the schema may disagree now: say so where everybody looks."""
    after = -1 if step.after is None else step.after
    wanted = VersionRow(after, dirty=True)
    try:
        database.session.query(
            history_rows.move_version_sql(database.history, database.found, wanted)
        )
        database.found = wanted
    except (ServerFailure, ConnectionBroken):
        pass  # the error that led here says the same to whoever reads it


def record_failure(database: Database, row: NewLogRow, error: MigrationError) -> None:
    """Append a failed try to the log. What prevents that is not worth a second error."""
    text = f"{error.message} (SQLSTATE {error.sqlstate})" if error.sqlstate else error.message
    failed = replace(
        row,
        to_version=row.from_version,
        outcome="failed",
        down_file=None,
        down_script=None,
        error=text.replace("\0", ""),
    )
    try:
        database.session.query(history_rows.insert_log_sql(database.history, failed))
    except (ServerFailure, ConnectionBroken):
        pass


def _settle(
    database: Database, step: PlannedStep, row: NewLogRow, broken: ConnectionBroken
) -> None:
    """The connection broke: ask the database whether the step was committed.

    Returns if it was. The version row alone does not tell for a step that leaves
    it where it is, so the log has to have the step's row as well.
    """
    known = database.log[-1].id if database.log else 0
    try:
        database.reconnect()
    except MigrationError as error:
        raise failed_step.unsettled_by_loss(step, broken, error.message) from None
    except (ServerFailure, ConnectionBroken) as error:
        raise failed_step.unsettled_by_loss(step, broken, str(error)) from None
    is_logged = any(
        entry.id > known
        and (entry.version, entry.direction, entry.checksum, entry.outcome)
        == (row.version, row.direction, row.checksum, "applied")
        for entry in database.log
    )
    if database.found != _expected(database, step) or not is_logged:
        raise failed_step.rolled_back_by_loss(step, broken)


def _expected(database: Database, step: PlannedStep) -> VersionRow:
    stored = database.found.stored
    if step.after is None:
        return VersionRow(stored if stored is not None and stored < 0 else None)
    return VersionRow(step.after)
