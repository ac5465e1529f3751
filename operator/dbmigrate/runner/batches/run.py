"""A step in batches: its one statement, repeated for the next rows each time.

The version is dirty from before the first batch until after the last, as with any
step that is not one transaction, so that other tools keep away. A batch, the place
where it ended and its row count are one transaction, sent in one message behind the
same fence as every step. Wherever a run ends, by a signal, a crash of either side or
a failing row, the next one continues after the last committed batch; no row is
processed twice and none is left out.

If the connection is lost, it is made again, and the batches continue from what the
database says, as long as there is progress in between. The step has ended when two
batches in a row find nothing: the rows of one may have been deleted while it waited.
"""

from __future__ import annotations

import random
import time
from dataclasses import replace

from dbmigrate.errors import Location, MigrationError
from dbmigrate.postgres.batches.lag import LAG_COLUMN, LAG_SQL, read_sight
from dbmigrate.postgres.batches.query import COUNT_COLUMN, Batch, build_batch, read_refusal
from dbmigrate.postgres.batches.state import (
    BatchState,
    begin_sql,
    end_sql,
    parse_cursor,
    resume_sql,
)
from dbmigrate.postgres.connection.errors import (
    LOCK_NOT_AVAILABLE,
    ConnectionBroken,
    ServerFailure,
    history_failure,
)
from dbmigrate.postgres.connection.session import Row, keep_named
from dbmigrate.postgres.history.fence import move_version_sql, read_fence
from dbmigrate.postgres.history.log.rows import NewLogRow
from dbmigrate.postgres.sqltext.batched.script import read_batched
from dbmigrate.postgres.sqltext.copy_data import Sendable
from dbmigrate.postgres.transaction import FileFailure, build_query, run_query
from dbmigrate.runner.batches import completeness
from dbmigrate.runner.batches import errors as batch_errors
from dbmigrate.runner.batches.pace import Pauses, next_size
from dbmigrate.runner.batches.progress import BatchProgress, describe_cursor, tell
from dbmigrate.runner.batches.resume import find_unfinished
from dbmigrate.runner.database import Database
from dbmigrate.runner.execution.errors import (
    history_refused,
    label,
    left_unfinished,
    statement_failed,
)
from dbmigrate.runner.execution.fence_errors import explain_fence
from dbmigrate.runner.execution.script_text import ScriptText
from dbmigrate.runner.execution.statement_limit import explain_limit
from dbmigrate.runner.execution.statement_watch import LOOK_EVERY, StatementWatch
from dbmigrate.runner.execution.step_log import record_failure
from dbmigrate.runner.history_writing import prepare_batches
from dbmigrate.runner.lock_retry import Patience
from dbmigrate.runner.planning.step import PlannedStep

EMPTY_AT_END = 2
"""Batches in a row without any row, after which nothing is left."""

_PASSING = frozenset({LOCK_NOT_AVAILABLE, "40P01", "40001"})
"""A lock not had in time, a deadlock, a serialization failure: the batch is tried again."""


def run_batched(database: Database, step: PlannedStep, text: ScriptText, row: NewLogRow) -> None:
    """Begin the step, or continue it, to its end.

    Raises MigrationError: the database is dirty then, and the next run continues.
    """
    work = _Work(database, step, text, row)
    known = -1
    while True:
        try:
            work.run()
            return
        except ServerFailure as failure:
            database.session.roll_back()
            fence = read_fence(failure.error)
            if fence is not None:
                raise explain_fence(database, step, fence, text.locate()) from None
            doing = f"can't write the history {database.history.name} and its log during {work}"
            raise history_failure(failure, doing) from None
        except ConnectionBroken as broken:
            if work.batches == known:
                raise batch_errors.lost(str(work), broken, "and again at once") from None
            known = work.batches
            work.come_back(broken)
            if work.is_finished:
                return


def check_batched(database: Database, step: PlannedStep, *, is_first: bool) -> None:
    """Raise MigrationError (SourceInvalid, StatementFailed) for what would not be begun.

    Whether the cursor follows a key is known of the first step alone: those before a later one
    may still make the table or the key.
    """
    text = ScriptText(step.script)
    if text.is_batched:
        script = read_batched(text.read(), text.file)
        if is_first and not database.found.dirty:
            completeness.require_key(database, script, text.locate(byte=script.main))


class _Work:
    """One step and its progress."""

    def __init__(
        self, database: Database, step: PlannedStep, text: ScriptText, row: NewLogRow
    ) -> None:
        self._database = database
        self._step = step
        self._text = text
        self._script = read_batched(text.read(), text.file)
        self._options = self._script.options
        self._row = replace(row, done_checksum=self._script.checksum)
        self._size = self._options.size
        self._found = database.found
        """As this run found the version."""
        self._state: BatchState | None = None
        self._pauses = Pauses(database, self._options, text.file)

    def __str__(self) -> str:
        return f"{label(self._step)}, batch {self.batches + 1}"

    @property
    def batches(self) -> int:
        """How many batches are known to be committed."""
        return self._state.batches if self._state else 0

    @property
    def is_finished(self) -> bool:
        """Whether the database, read again, shows that the step is done.

        Raises MigrationError if the history was changed by someone else.
        """
        found, state = self._database.found, self._state
        if found.dirty:
            return False
        # The log first: an out-of-order version does not move the version row.
        rows = [row for row in self._database.log if state and row.id == state.log_id]
        if found.version == self._step.after and rows and rows[0].outcome == "applied":
            return True
        if found == self._found:
            return False
        raise batch_errors.overtaken(str(self))

    def run(self) -> None:
        """All remaining batches."""
        state = self._resume() if self._database.found.dirty else self._begin()
        progress = BatchProgress(self._database, self._text.file, state, self._script.table)
        self._pauses.look_at_standbys()
        empty = 0
        to_check = max(self._size, progress.table_rows or 0)
        while empty < EMPTY_AT_END or self._has_more(state, empty):
            if self._database.request.stop.is_requested:
                raise batch_errors.stopped(self._step, state, self._text.file)
            before = state
            state = self._run_batch(state, progress)
            empty = 0 if state.batches > before.batches else empty + 1
            if state.rows > to_check:
                completeness.require_progress(self._database, self._script, state)
                to_check = 2 * state.rows
        self._end(state)

    def _has_more(self, state: BatchState, empty: int) -> bool:
        """Whether rows are left after batches without any. Raises MigrationError if one more
        batch leaves them as they are."""
        if not completeness.has_rows_left(self._database, self._script, state):
            return False
        if empty > EMPTY_AT_END:
            raise completeness.rows_left(str(self), self._text.locate(byte=self._script.main))
        return True

    def come_back(self, broken: ConnectionBroken) -> None:
        """Connect again, and read what the database says. Raises MigrationError."""
        try:
            self._database.reconnect()
        except (MigrationError, ServerFailure, ConnectionBroken) as error:
            raise batch_errors.lost(str(self), broken, str(error)) from None

    def _begin(self) -> BatchState:
        database = self._database
        place = self._text.locate(byte=self._script.main)
        completeness.require_key(database, self._script, place)
        prepare_batches(database)
        cursor = self._script.first_cursor
        dirty = database.found.begun(self._step.move)
        tables = database.on_history(
            begin_sql(
                database.history, database.found, dirty, self._row, cursor=cursor, size=self._size
            )
        )
        database.found = dirty
        self._state = BatchState(int(tables[-1][0][0] or 0), cursor, 0, 0, self._size, "")
        return self._state

    def _resume(self) -> BatchState:
        database = self._database
        unfinished = find_unfinished(database)
        if unfinished is None or not unfinished.is_step(self._step):
            raise batch_errors.overtaken(str(self))
        if unfinished.row.done_checksum != self._script.checksum:
            location = self._text.locate(byte=self._script.start)
            raise batch_errors.edited(self._step, unfinished.state, location)
        self._state = state = unfinished.state
        self._size = min(self._options.size, max(1, state.batch_size))
        database.on_history(resume_sql(database.history, state.log_id, self._row))
        told = f"continues after batch {state.batches}: {state.rows} rows are done"
        tell(database, self._text.file, f"{told}, since {state.started_at}")
        return state

    def _run_batch(self, state: BatchState, progress: BatchProgress) -> BatchState:
        """One batch; repeated from its start when a lock is not available, until the time limit."""
        patience = Patience(self._database.request)
        while True:
            watch = self._watch(state, progress)
            batch = build_batch(self._script, self._database.history, state, self._size)
            started = time.monotonic()
            try:
                answers = self._send(batch, watch)
            except FileFailure as failure:
                if not failure.is_passing(_PASSING) or not patience.has_time:
                    raise self._failed(state, batch, failure, watch) from None
                patience.pause()
                continue
            after = self._take(state, answers, time.monotonic() - started, watch)
            progress.show(after, self._size)
            return after

    def _send(self, batch: Batch, watch: StatementWatch) -> dict[str, list[Row]]:
        database = self._database
        token = f"{self._step.version} batch {random.getrandbits(64):016x}"
        rows = move_version_sql(
            database.history,
            database.found,
            database.found,
            pid=database.pid,
            token=token,
            locks=database.held_locks,
        )
        if self._pauses.watches_standbys:
            rows = f"{rows}; {LAG_SQL}"
        query = build_query(
            Sendable(batch.sql),
            rows,
            token=token,
            settings=database.settings,
            guard=database.history.guard_of_batches,
        )
        answers: dict[str, list[Row]] = {}
        run_query(database.session, query, on_tick=watch, on_result=keep_named(answers))
        return answers

    def _take(
        self,
        state: BatchState,
        answers: dict[str, list[Row]],
        seconds: float,
        watch: StatementWatch,
    ) -> BatchState:
        """Record the result of a batch."""
        ((count, cursor, *_),) = answers[COUNT_COLUMN]
        done = int(count or 0)
        after = replace(
            state,
            rows=state.rows + done,
            batches=state.batches + (1 if done else 0),
            cursor=parse_cursor(cursor),
            batch_size=self._size,
        )
        self._state = after
        self._size = next_size(
            self._size,
            seconds=seconds,
            is_in_the_way=bool(watch.waiters),
            options=self._options,
        )
        if done:
            self._pauses.rest(seconds, watch.waiters)
        if LAG_COLUMN in answers:
            self._pauses.wait_for_standbys(read_sight(answers[LAG_COLUMN]))
        return after

    def _end(self, state: BatchState) -> None:
        database = self._database
        clean = database.found.stepped(self._step.move)
        database.on_history(end_sql(database.history, database.found, clean, state.log_id))
        database.found = clean
        told = f"{state.rows} rows are done, in {state.batches} batches"
        tell(database, self._text.file, told)

    def _failed(
        self, state: BatchState, batch: Batch, failure: FileFailure, watch: StatementWatch
    ) -> MigrationError:
        """Say what failed, and append that to the log."""
        fence = read_fence(failure.error)
        refused = read_refusal(failure.error)
        if fence is not None:
            error = explain_fence(self._database, self._step, fence, self._text.locate())
        elif failure.own is not None:
            error = history_refused(self._step, failure.error, failure.own, self._text.locate())
        elif refused is not None:
            place = self._text.locate(byte=self._script.main)
            cursor = describe_cursor(state.cursor)
            error = batch_errors.refused(refused, str(self), cursor, place)
        else:
            blockers = watch.blockers if failure.error.sqlstate == LOCK_NOT_AVAILABLE else ()
            error = left_unfinished(
                statement_failed(
                    failure.error,
                    self._locate(batch, failure),
                    stop=self._database.request.stop,
                    limit=explain_limit(self._database, failure.error),
                    blockers=blockers,
                ),
                f"batch {state.batches + 1} of {label(self._step)} was rolled back,"
                f" {state.rows} rows in the batches before it are done",
            )
        record_failure(self._database, self._row, error)
        return error

    def _locate(self, batch: Batch, failure: FileFailure) -> Location:
        position = failure.position
        byte = self._script.start if position is None else batch.byte_in_script(position)
        return self._text.locate(byte=byte)

    def _watch(self, state: BatchState, progress: BatchProgress) -> StatementWatch:
        return StatementWatch.of(
            self._database,
            self._text.file,
            first_look=min(LOOK_EVERY, self._options.duration / 2),
            since=progress.seconds,
            phase=progress.describe(state, self._size),
        )
