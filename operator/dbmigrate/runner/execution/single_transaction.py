"""All steps of a run in one transaction: if one fails, none is applied.

It costs a round trip a file, as separate transactions do. What cannot be in a transaction
is refused before anything is run, and so is a file that asks for another mode.
Locks are kept until the last file is done.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import LOCK_NOT_AVAILABLE, ConnectionBroken
from dbmigrate.postgres.history.log.rows import NewLogRow
from dbmigrate.postgres.transaction import FileFailure, build_query, run_query
from dbmigrate.report import Reason, Step
from dbmigrate.runner.database import Database
from dbmigrate.runner.execution.errors import rolled_back_by_loss
from dbmigrate.runner.execution.script_text import ScriptText
from dbmigrate.runner.execution.statement_watch import StatementWatch
from dbmigrate.runner.execution.step_log import new_log_row
from dbmigrate.runner.execution.transactional import explain_failure, make_token, rows_sql, settle
from dbmigrate.runner.history_writing import prepare_to_write
from dbmigrate.runner.lock_retry import Patience
from dbmigrate.runner.planning.step import PlannedStep


@dataclass(frozen=True, slots=True)
class _Part:
    """One step of the transaction."""

    step: PlannedStep
    text: ScriptText
    row: NewLogRow


def run_together(database: Database, steps: Sequence[PlannedStep]) -> list[Step]:
    """Run the steps, all or none. Raises MigrationError."""
    parts = [_prepare(database, step) for step in steps]
    for part in parts:
        _require_transaction(database, part)
    prepare_to_write(database)
    seconds = _run_patiently(database, parts)
    database.file = None
    for part, ran in zip(parts, seconds, strict=True):
        database.request.observer.step_finished(part.step, 0.0, ran)
    return [
        Step(str(step.version), step.name, step.direction, round(1000 * ran))
        for step, ran in zip(steps, seconds, strict=True)
    ]


def _prepare(database: Database, step: PlannedStep) -> _Part:
    text = ScriptText(step.script)
    row = new_log_row(database, step, text)
    text.release()
    return _Part(step, text, row)


def _require_transaction(database: Database, part: _Part) -> None:
    script, text = part.step.script, part.text
    word = script.transaction_word if script else ""
    if word:
        raise MigrationError(
            Reason.SOURCE_INVALID,
            f'cannot set txmode directive to "{word}" in "{text.file}" when txmode "all" is set'
            " globally",
            hint="run it with -tx-mode file, or run what comes before it first",
        )
    if text.can_be_one_transaction and not database.request.target.multi_statement:
        return
    causes = "; ".join(map(str, text.mode.causes)) or "it must run statement by statement"
    raise MigrationError(
        Reason.SOURCE_INVALID,
        f"{text.file} can't be in one transaction with all others: {causes}",
        location=text.locate(),
        hint="run it with -tx-mode file, or run what comes before it first",
    )


def _run_patiently(database: Database, parts: Sequence[_Part]) -> list[float]:
    """Run all parts, again from the start when a lock is not available, until the limit. Returns
    the seconds of each."""
    patience = Patience(database.request)
    while True:
        try:
            return _attempt(database, parts)
        except _Repeatable as failed:
            if failed.is_at_once:
                continue
            if not patience.has_time:
                raise failed.explain(database) from None
        patience.pause()


class _Repeatable(Exception):
    """Everything was rolled back: a statement has waited for a lock until its limit, or a file has
    removed prepared statements of the session (`is_at_once`)."""

    def __init__(
        self, part: _Part, failure: FileFailure, watch: StatementWatch, *, is_at_once: bool
    ) -> None:
        super().__init__(str(failure))
        self.is_at_once = is_at_once
        self._end = (part, failure, watch)

    def explain(self, database: Database) -> MigrationError:
        """The error after the last attempt."""
        part, failure, watch = self._end
        return explain_failure(database, part.step, part.text, part.row, failure, watch)


def _attempt(database: Database, parts: Sequence[_Part]) -> list[float]:
    found, seconds = database.found, []
    for index, part in enumerate(parts):
        step, text = part.step, part.text
        if database.request.stop.is_requested:
            database.session.roll_back()
            raise _stopped(step)
        database.request.observer.step_started(step)
        database.file = text.file or None
        start = time.monotonic()
        watch = StatementWatch.of(database, text.file)
        wanted, token = found.stepped(step.move), make_token(step)
        query = build_query(
            text.prepare(),
            rows_sql(database, found, wanted, part.row, token),
            token=token,
            settings=database.settings,
            guard=(database.history.lock_sql,) if index == 0 else (),
            begins=index == 0,
            commits=index == len(parts) - 1,
        )
        text.release()
        try:
            run_query(database.session, query, on_tick=watch)
        except FileFailure as failure:
            is_lost = database.guard.is_lost(failure.error)
            if failure.is_passing({LOCK_NOT_AVAILABLE}) or (is_lost and not failure.escaped):
                raise _Repeatable(part, failure, watch, is_at_once=is_lost) from None
            raise explain_failure(database, step, text, part.row, failure, watch) from None
        except ConnectionBroken as broken:
            if index < len(parts) - 1:
                raise rolled_back_by_loss(step, broken) from None
            settle(database, step, part.row, broken)
            found = database.found
        else:
            database.guard.keep()
            found = wanted
        seconds.append(time.monotonic() - start)
    database.found = found
    return seconds


def _stopped(step: PlannedStep) -> MigrationError:
    return MigrationError(
        Reason.INTERRUPTED,
        f"stopped before version {step.version} ({step.name}):"
        " all files are one transaction, so nothing was applied",
    )
