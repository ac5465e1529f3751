"""Runs planned steps one after the other, each in the mode that its script needs.

The usual step is one transaction in one round trip (dbmigrate.runner.execution.transactional).
A script that cannot be one transaction runs statement by statement
(dbmigrate.runner.execution.non_transactional), one that should run in batches goes to
dbmigrate.runner.batches.run.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from dbmigrate.errors import MigrationError
from dbmigrate.policies import Transactions
from dbmigrate.report import Reason, Step
from dbmigrate.runner.database import Database
from dbmigrate.runner.execution.errors import label
from dbmigrate.runner.execution.non_transactional import run_statements
from dbmigrate.runner.execution.script_text import ScriptText
from dbmigrate.runner.execution.step_log import new_log_row
from dbmigrate.runner.execution.transactional import run_in_transaction
from dbmigrate.runner.history_writing import prepare_to_write
from dbmigrate.runner.planning.step import PlannedStep
from dbmigrate.runner.run import Run


def run_steps(run: Run, steps: Sequence[PlannedStep]) -> None:
    """Run the steps and record them for the report. Raises MigrationError."""
    database, observer = run.database, run.request.observer
    if run.request.options.transactions is Transactions.ALL:
        from dbmigrate.runner.execution.single_transaction import run_together

        run.steps += run_together(database, steps)
        return
    for index, step in enumerate(steps):
        if run.request.stop.is_requested:
            raise MigrationError(
                Reason.INTERRUPTED,
                f"stopped before version {step.version} ({step.name}):"
                f" {index} of {len(steps)} steps are done",
            )
        is_last = index == len(steps) - 1
        observer.step_started(step)
        # A failed step may have been committed all the same: its answer may be lost.
        run.is_flushed = run.is_flushed and is_last
        read, ran = _run_step(database, step, is_durable=is_last)
        run.is_flushed = is_last
        database.history = database.history.with_rows
        milliseconds = round(1000 * (read + ran))
        run.steps.append(Step(str(step.version), step.name, step.direction, milliseconds))
        run.unflushed_steps = 0 if is_last else run.unflushed_steps + 1
        observer.step_finished(step, read, ran)


def _run_step(database: Database, step: PlannedStep, *, is_durable: bool) -> tuple[float, float]:
    """Run a step to its end and return the seconds that reading and running took.

    Afterwards `database.found` is the new version row. Raises
    MigrationError; the database is then as it was, or dirty, or (ConnectionLost)
    unknown.
    """
    start = time.monotonic()
    text = ScriptText(step.script)
    row = new_log_row(database, step, text)
    read = time.monotonic() - start
    database.file = text.file or None
    prepare_to_write(database)
    if text.is_batched:
        from dbmigrate.runner.batches.run import run_batched

        run_batched(database, step, text, row)
    elif database.found.dirty:
        raise MigrationError(
            Reason.CHECKSUM_MISMATCH,
            f"{label(step)} was started in batches, and {text.file} is not"
            " `-- dbmigrate:batched` any more",
            location=text.locate(),
            hint="put it back as it was",
        )
    elif _is_one_transaction(database, step, text):
        run_in_transaction(database, step, text, row, is_durable=is_durable)
    else:
        run_statements(database, step, text, row)
    database.file = None
    return read, time.monotonic() - start - read


def _is_one_transaction(database: Database, step: PlannedStep, text: ScriptText) -> bool:
    """Whether it can be one transaction; the file's directive takes precedence over the option."""
    request = database.request
    if not text.can_be_one_transaction or request.target.multi_statement:
        return False
    is_asked = step.script is not None and step.script.transaction_word == "file"
    return is_asked or request.options.transactions is not Transactions.NONE
