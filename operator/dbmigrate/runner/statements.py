"""A step that can't be one transaction: statement by statement, dirty meanwhile.

CREATE INDEX CONCURRENTLY, VACUUM and their kin refuse to run inside of a
transaction, and a file with BEGIN and COMMIT of its own brings several. The
version row is marked dirty before, the log counts each statement that is done,
and the mark goes when the last one is. Whatever happens in between, the history
says how far it came.
"""

from __future__ import annotations

import random
import re
import time
from dataclasses import replace

from dbmigrate.errors import MigrationError
from dbmigrate.postgres import history_rows
from dbmigrate.postgres.failures import (
    LOCK_NOT_AVAILABLE,
    ConnectionBroken,
    ServerFailure,
    connection_lost,
)
from dbmigrate.postgres.history_rows import NewLogRow, VersionRow
from dbmigrate.postgres.indexes import invalid_indexes
from dbmigrate.postgres.transaction import BOM
from dbmigrate.runner import failed_step
from dbmigrate.runner.database import Database
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.places import Piece, locate, pieces
from dbmigrate.runner.plan import PlannedStep
from dbmigrate.runner.watch import LOOK_EVERY, Watch

_BLOCKS_NOBODY = re.compile(rb"\bCONCURRENTLY\b|^\s*(?:VACUUM|ANALYZE)\b", re.IGNORECASE)
"""Statements that wait for others but that nobody waits for: they may wait long. A lock
time-out would leave an invalid index for nothing."""
_RESET = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL"


def run_statements(database: Database, step: PlannedStep, sql: bytes, row: NewLogRow) -> None:
    """Run all statements of a file, one after the other.

    Raises MigrationError: the database is dirty then, and the log tells which
    statements were done.
    """
    sql = sql.removeprefix(BOM)
    file = step.script.file if step.script else ""
    all_pieces = pieces(sql, file)
    row = replace(row, outcome="running", statements=len(all_pieces), statements_done=0)
    log_id = _begin(database, step, row)
    finish_statements(database, step, sql, all_pieces, log_id=log_id, first=0)


def finish_statements(
    database: Database,
    step: PlannedStep,
    sql: bytes,
    all_pieces: list[Piece],
    *,
    log_id: int,
    first: int,
) -> None:
    """Run the statements from the `first` one on, and mark the version clean behind them."""
    index = first
    try:
        for index in range(first, len(all_pieces)):
            _run_piece(database, step, sql, all_pieces[index])
            if not database.session.is_in_transaction:
                database.session.query(
                    history_rows.advance_log_sql(database.history, log_id, index + 1)
                )
        _end(database, step, log_id)
    except _PieceFailed as failed:
        database.session.roll_back()
        raise _failed(database, step, sql, all_pieces, log_id, index, failed) from None
    except ServerFailure as failure:
        database.session.roll_back()
        raise MigrationError(
            failed_step.history_reason(failure),
            f"can't write the history after statement {index + 1}: {failure}",
            sqlstate=failure.sqlstate,
        ) from None
    except ConnectionBroken as broken:
        raise connection_lost(
            broken, f"{failed_step.label(step)}, statement {index + 1} of {len(all_pieces)}"
        ) from None


class _PieceFailed(Exception):
    def __init__(self, failure: ServerFailure, watch: Watch) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.watch = watch


def _begin(database: Database, step: PlannedStep, row: NewLogRow) -> int:
    """Mark the version dirty as golang-migrate does: on the way down with the one below."""
    dirty = VersionRow(-1 if step.after is None else step.after, dirty=True)
    tables = database.session.query(
        "BEGIN; "
        f"{history_rows.move_version_sql(database.history, database.found, dirty)}; "
        f"{history_rows.insert_log_sql(database.history, row, running=True)} RETURNING id; COMMIT"
    )
    database.found = dirty
    return int(tables[1][0][0] or 0)


def _end(database: Database, step: PlannedStep, log_id: int) -> None:
    if database.session.is_in_transaction:
        # golang-migrate's next COMMIT would have ended it in the same way.
        message = "the file leaves its transaction open: it was committed"
        database.request.observer.notice(Notice("WARNING", message, database.file))
        database.session.query("COMMIT")
    clean = VersionRow(step.after)
    database.session.query(
        f"BEGIN; {_RESET}; "
        f"{history_rows.move_version_sql(database.history, database.found, clean)}; "
        f"{history_rows.end_log_sql(database.history, log_id, 'applied')}; COMMIT"
    )
    database.found = clean


def _run_piece(database: Database, step: PlannedStep, sql: bytes, piece: Piece) -> None:
    """One statement; again when a lock can't be had and nothing else hangs on it."""
    options = database.request.options
    text = sql[piece.start : piece.end]
    timeout = None if _BLOCKS_NOBODY.search(text) else options.statement_lock_timeout_ms
    statement_timeout = options.statement_timeout_ms or database.request.target.statement_timeout_ms
    if not database.session.is_in_transaction:
        settings = f"SET lock_timeout = {timeout or 0}"
        if statement_timeout is not None:
            settings += f"; SET statement_timeout = {statement_timeout}"
        database.session.query(settings)
    deadline = time.monotonic() + options.lock_timeout
    pause = 0.2
    while True:
        watch = Watch(
            database.session,
            database.monitor,
            file=step.script.file if step.script else "",
            observer=database.request.observer,
            stop=database.request.stop,
            first_look=LOOK_EVERY if timeout is None else min(LOOK_EVERY, timeout / 2000),
        )
        was_in_transaction = database.session.is_in_transaction
        try:
            database.session.execute(text, on_tick=watch)
            return
        except ServerFailure as failure:
            left = deadline - time.monotonic()
            if (
                failure.sqlstate != LOCK_NOT_AVAILABLE
                or was_in_transaction
                or left <= 0
                or database.request.stop.is_requested
            ):
                raise _PieceFailed(failure, watch) from None
        time.sleep(min(left, pause * random.uniform(0.7, 1.3)))
        pause = min(2 * pause, 5.0)


def _failed(
    database: Database,
    step: PlannedStep,
    sql: bytes,
    all_pieces: list[Piece],
    log_id: int,
    index: int,
    failed: _PieceFailed,
) -> MigrationError:
    error = failed.failure.error
    piece = all_pieces[index]
    prefix = len(sql[: piece.start].decode(errors="replace"))
    location = locate(
        sql,
        step.script.file if step.script else "",
        position=None if error.position is None else prefix + error.position,
        statement=index,
    )
    result = failed_step.statement_failed(
        error,
        location,
        stop=database.request.stop,
        blockers=failed.watch.blockers if error.sqlstate == LOCK_NOT_AVAILABLE else (),
    )
    leftovers: tuple[str, ...] = ()
    text = f"statement {index + 1} of {len(all_pieces)}: {error.message}"
    try:
        leftovers = invalid_indexes(database.session, sql)
        database.session.query(
            f"{_RESET}; {history_rows.end_log_sql(database.history, log_id, 'failed', text)}"
        )
    except (ServerFailure, ConnectionBroken):
        pass  # the version row is dirty, which is what counts
    return failed_step.left_dirty(result, step, index, len(all_pieces), leftovers)
