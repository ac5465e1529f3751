"""Runs one step: the file, the version row and the log row, as one transaction.

The usual step is one transaction in one round trip. If it fails, nothing has changed,
and the log gets a row about the attempt. A step that cannot run this way goes to
dbmigrate.runner.execution.non_transactional, one that should run in batches to
dbmigrate.runner.batches.run.
"""

from __future__ import annotations

import random
from dataclasses import replace

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import (
    LOCK_NOT_AVAILABLE,
    SYNTAX_ERROR,
    UNTRANSLATABLE,
    ConnectionBroken,
    ServerFailure,
)
from dbmigrate.postgres.connection.session import keep_named
from dbmigrate.postgres.history.adapter import Found
from dbmigrate.postgres.history.fence import move_version_sql, read_fence
from dbmigrate.postgres.history.log.rows import NewLogRow, insert_log_sql
from dbmigrate.postgres.transaction import FileFailure, build_query, run_query
from dbmigrate.runner.database import Database
from dbmigrate.runner.execution.errors import (
    escaped,
    history_refused,
    rolled_back_by_loss,
    statement_failed,
    unsettled_by_loss,
)
from dbmigrate.runner.execution.fence_errors import explain_fence, mark_dirty
from dbmigrate.runner.execution.lock_sampling import HELD_LOCKS
from dbmigrate.runner.execution.script_text import ScriptText
from dbmigrate.runner.execution.statement_limit import explain_limit
from dbmigrate.runner.execution.statement_watch import StatementWatch
from dbmigrate.runner.execution.step_log import record_failure
from dbmigrate.runner.lock_retry import Patience
from dbmigrate.runner.planning.step import PlannedStep


def run_in_transaction(
    database: Database, step: PlannedStep, text: ScriptText, row: NewLogRow, *, is_durable: bool
) -> None:
    """One transaction; repeated from its start when a lock is not available, until the limit."""
    patience = Patience(database.request)
    while True:
        watch = StatementWatch.of(database, text.file)
        try:
            _attempt(database, step, text, row, watch, is_durable=is_durable)
            return
        except FileFailure as failure:
            if database.guard.is_lost(failure.error) and not failure.escaped:
                continue
            if not failure.is_passing({LOCK_NOT_AVAILABLE}) or not patience.has_time:
                raise explain_failure(database, step, text, row, failure, watch) from None
        except ConnectionBroken as broken:
            settle(database, step, row, broken)
            return
        patience.pause()


def _attempt(
    database: Database,
    step: PlannedStep,
    text: ScriptText,
    row: NewLogRow,
    watch: StatementWatch,
    *,
    is_durable: bool,
) -> None:
    wanted = database.found.stepped(step.move)
    token = make_token(step)
    rows = rows_sql(database, database.found, wanted, row, token)
    sample = database.lock_sample
    query = build_query(
        text.prepare(),
        f"{HELD_LOCKS}; {rows}" if sample is not None else rows,
        token=token,
        settings=replace(database.settings, is_durable=is_durable),
        guard=(database.history.lock_sql,),
    )
    text.release()
    keep = None if sample is None else keep_named(sample)
    run_query(database.session, query, on_tick=watch, on_result=keep)
    database.guard.keep()
    database.found = wanted


def make_token(step: PlannedStep) -> str:
    """The values by which a step's rows identify the transaction that began it."""
    return f"{step.version} {step.direction.value} {random.getrandbits(64):016x}"


def rows_sql(database: Database, found: Found, wanted: Found, row: NewLogRow, token: str) -> str:
    """The rows of a step, written after its file: the version and the log's row."""
    move = move_version_sql(
        database.history,
        found,
        wanted,
        pid=database.pid,
        token=token,
        locks=database.held_locks,
    )
    history = database.history
    guard = (*database.guard.statements(history), *history.remark_of_rows)
    return "; ".join((*guard, move, insert_log_sql(history, row)))


def explain_failure(
    database: Database,
    step: PlannedStep,
    text: ScriptText,
    row: NewLogRow,
    failure: FileFailure,
    watch: StatementWatch,
) -> MigrationError:
    """Raise the error, and append it to the log."""
    fence = read_fence(failure.error)
    location = text.locate(position=failure.position, statement=failure.statement)
    if fence is not None:
        error = explain_fence(database, step, fence, text.locate())
    elif failure.own is not None:
        error = history_refused(step, failure.error, failure.own, text.locate())
    elif failure.escaped:
        error = escaped(step, location, failure.error.message)
        mark_dirty(database, step)
    else:
        # The server itself reports an unterminated dollar quote or comment.
        is_unclear = (
            failure.error.sqlstate == SYNTAX_ERROR and "unterminated" not in failure.error.message
        )
        open_end = text.find_open_end() if is_unclear else None
        if failure.error.sqlstate == UNTRANSLATABLE and location.line is None:
            location = text.locate(byte=text.find_bytes(failure.error.message))
        error = statement_failed(
            failure.error,
            open_end.location if open_end else location,
            problem=open_end.message if open_end else None,
            stop=database.request.stop,
            limit=explain_limit(database, failure.error),
            blockers=watch.blockers if failure.error.sqlstate == LOCK_NOT_AVAILABLE else (),
        )
    record_failure(database, row, error)
    return error


def settle(database: Database, step: PlannedStep, row: NewLogRow, broken: ConnectionBroken) -> None:
    """The connection broke: ask the database whether the step was committed.

    Returns if it was. A step that does not move the version row leaves no trace there, so the log
    has to contain the step's row as well.
    """
    known = database.log[-1].id if database.log else 0
    try:
        database.reconnect()
    except (MigrationError, ServerFailure, ConnectionBroken) as error:
        raise unsettled_by_loss(step, broken, str(error)) from None
    is_logged = any(
        entry.id > known
        and (entry.version, entry.direction, entry.checksum, entry.outcome)
        == (row.version, row.direction, row.checksum, "applied")
        for entry in database.log
    )
    found = database.found
    if found.dirty or found.version != step.after or not is_logged:
        raise rolled_back_by_loss(step, broken)
