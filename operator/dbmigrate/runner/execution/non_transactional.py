"""A step that cannot be one transaction: statement by statement, dirty meanwhile.

CREATE INDEX CONCURRENTLY, VACUUM and similar statements refuse to run inside a
transaction, and a file can contain transactions of its own. The version row is
marked dirty first, the log counts what is done, and the mark is removed after the
last statement. A statement that may be in a transaction is counted in the same one,
and so is a transaction of the file: of those the log knows exactly which are done,
even if the process or the server dies.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import (
    LOCK_NOT_AVAILABLE,
    ConnectionBroken,
    ServerFailure,
    connection_lost,
    history_failure,
)
from dbmigrate.postgres.connection.search_path import aside
from dbmigrate.postgres.history.fence import move_version_sql, read_fence
from dbmigrate.postgres.history.formats.registry import adapter_for
from dbmigrate.postgres.history.log.rows import (
    NewLogRow,
    advance_log_sql,
    end_log_sql,
    insert_log_sql,
    note_drop_sql,
)
from dbmigrate.postgres.index_statements import CreateIndex, DropIndex, read_index_statement
from dbmigrate.postgres.schema.invalid_indexes import (
    drop_sql,
    find_twins,
    has_invalid_index,
    invalid_indexes,
)
from dbmigrate.postgres.sqltext.splitter import Statement
from dbmigrate.postgres.sqltext.transaction_rules import control_of, forbidden_in_transaction
from dbmigrate.postgres.transaction import RESET
from dbmigrate.report import Reason
from dbmigrate.runner.database import Database
from dbmigrate.runner.execution import errors as step_errors
from dbmigrate.runner.execution.script_text import ScriptText
from dbmigrate.runner.execution.statement_limit import explain_limit
from dbmigrate.runner.execution.statement_watch import StatementWatch
from dbmigrate.runner.lock_retry import Patience
from dbmigrate.runner.planning.step import PlannedStep

_ENDS = frozenset(("COMMIT", "END", "ROLLBACK", "ABORT"))
"""With AND CHAIN, the next transaction begins at once."""
INTERRUPTED = "interrupted"
"""The log's word for a step that was asked to stop, or could not get a lock in time: the next
run continues with it by itself."""
DROP_SECONDS = 5.0
"""For one invalid index: DROP INDEX CONCURRENTLY waits for the sessions that use it."""
_BLOCKS_NO_SESSION = re.compile(rb"\bCONCURRENTLY\b|\A(?:VACUUM|ANALYZE)\b", re.IGNORECASE)
"""Statements that wait for other sessions but block none, so that they may wait long: giving up
loses the index that was being built. They have a limit of their own."""


_LEAVES_NOTHING = re.compile(
    rb"(?:VACUUM|ANALYZE|CLUSTER|REINDEX|CREATE\s+(?:UNIQUE\s+)?INDEX|DROP\s+INDEX"
    rb"|CREATE\s+(?:DATABASE|TABLESPACE)|ALTER\s+SYSTEM)\b",
    re.IGNORECASE,
)
"""Statements that leave at most an invalid index where they fail outside of a transaction."""
_LOOKS_UP_FIRST = re.compile(
    rb"(?:ALTER\s+(?:TABLE|DATABASE)|DROP\s+(?:DATABASE|TABLESPACE|SUBSCRIPTION))\b", re.IGNORECASE
)
_NOT_FOUND = ("42", "3D")
"""Classes of errors about names, syntax and rights: those statements find them before they
change anything. Later ones (a detached partition that still waits) are of other classes."""


def run_statements(
    database: Database, step: PlannedStep, text: ScriptText, row: NewLogRow, *, first: int = 0
) -> None:
    """Run the statements of a script in order, from the `first` one on.

    Raises MigrationError: the database is dirty then, and the log says which statements
    are done. It is not dirty where it is certain that nothing was done.
    """
    work = _Work(database, step, text, first)
    try:
        work.begin(row)
        work.restore_settings()
        work.run()
        work.end()
    except _StatementFailed as failed:
        raise work.explain(failed) from None
    except ServerFailure as failure:
        database.session.roll_back()
        fence = read_fence(failure.error)
        if fence is not None and not fence.has_locks:
            raise step_errors.lock_lost(step, text.locate(), is_rolled_back=False) from None
        if step_errors.is_changed(failure.error):
            what, end = "the history or its log", "has run in part: the database may be dirty"
            raise step_errors.history_changed(
                step, failure.error, what, text.locate(), end=end
            ) from None
        doing = f"can't write the history {database.history.name} and its log"
        raise history_failure(failure, f"{doing} during {work.label}") from None
    except ConnectionBroken as broken:
        raise connection_lost(broken, f"{work.label}, which can't be one transaction") from None


class _StatementFailed(Exception):
    def __init__(self, failure: ServerFailure, position: int | None, watch: StatementWatch) -> None:
        super().__init__(str(failure))
        self.error = failure.error
        self.position = position
        self.watch = watch


class _Work:
    """The statements of one script, and how many of them are done."""

    def __init__(self, database: Database, step: PlannedStep, text: ScriptText, first: int) -> None:
        self._database = database
        self._session = database.session
        self._step = step
        self._text = text
        self._sql = text.read()
        self._statements = text.statements()
        self._done = first
        """Counted in the log."""
        self._at = self._first = first
        self._log_id = 0
        self._before = database.found
        self._counts = is_counted_on_the_way(self._statements)

    @property
    def label(self) -> str:
        """The statement's number for an error message."""
        return f"{step_errors.label(self._step)}, statement {self._at + 1}/{len(self._statements)}"

    def begin(self, row: NewLogRow) -> None:
        """Mark the version dirty as golang-migrate does: on the way down, the one below."""
        history = self._database.history
        found = self._database.found
        self._before = found
        dirty = found.begun(self._step.move)
        row = replace(
            row,
            outcome="running",
            statements=len(self._statements),
            statements_done=self._done,
            done_checksum=self._checksum(self._done),
        )
        tables = self._database.on_history(
            f"{history.guarded(move_version_sql(history, found, dirty))}; "
            f"{insert_log_sql(history, row, running=True)} RETURNING id"
        )
        self._database.found = dirty
        self._log_id = int(tables[1][0][0] or 0)

    def restore_settings(self) -> None:
        """Apply the settings again that the statements which are done have made."""
        for index in settings_before(self._statements, self._sql, self._done):
            self._at = index
            statement = self._statements[index]
            self._execute(statement, self._sql[statement.start : statement.end])

    def run(self) -> None:
        """All remaining statements."""
        for index in range(self._done, len(self._statements)):
            self._at = index
            self._run_one(self._statements[index])

    def end(self) -> None:
        """Mark the version clean."""
        history = self._database.history
        count = self._advance_sql(len(self._statements))
        found = self._database.found.advanced(len(self._statements))
        clean = found.stepped(self._step.move)
        self._database.on_history(
            f"{count}; "
            f"{move_version_sql(history, found, clean, locks=self._database.held_locks)}; "
            f"{end_log_sql(history, self._log_id, 'applied')}",
            before=RESET,
        )
        self._database.found = clean

    def explain(self, failed: _StatementFailed) -> MigrationError:
        """What failed, where, and what it left behind; the log records the same."""
        self._session.roll_back()
        error = step_errors.statement_failed(
            failed.error,
            self._text.locate(position=failed.position, statement=self._at),
            stop=self._database.request.stop,
            limit=explain_limit(self._database, failed.error),
            blockers=failed.watch.blockers if failed.error.sqlstate == LOCK_NOT_AVAILABLE else (),
        )
        is_interrupted = error.reason is Reason.INTERRUPTED
        # Given up, not failed: the statement itself is valid.
        has_given_up = error.reason is Reason.BLOCKED_BY_QUERY
        dropped = self._drop_cancelled() if has_given_up else set()
        if not is_interrupted and self._is_undone(error):
            return error
        leftovers: tuple[str, ...] = ()
        is_interrupted = is_interrupted or has_given_up
        text = f"statement {self._at + 1} of {len(self._statements)}: {error.message}"
        end = end_log_sql(
            self._database.history, self._log_id, INTERRUPTED if is_interrupted else "failed", text
        )
        start = len(self._sql[: self._statements[self._at].start].decode())
        told = self._database.found.failure_sql(
            self._database.history.version_table,
            self._text_of_statement(),
            failed.error,
            None if failed.position is None else failed.position - start,
        )
        end = f"{end}; {told}" if told else end
        try:
            leftovers = invalid_indexes(self._session, self._sql)
            self._database.on_history(self._database.history.guarded(end), before=RESET)
            if is_interrupted:
                dropped = dropped or self._drop_cancelled()
                leftovers = tuple(index for index in leftovers if index not in dropped)
        except (ServerFailure, ConnectionBroken):
            pass  # the version row is dirty, which decides
        return step_errors.left_dirty(
            error,
            f"statement {self._at + 1} of {len(self._statements)} failed, {_count(self._done)}:"
            f" {step_errors.label(self._step)} can't be one transaction, the database is dirty",
            leftovers,
            is_interrupted=is_interrupted,
        )

    def _is_undone(self, error: MigrationError) -> bool:
        """Remove the dirty mark where the database is certainly as it was before."""
        history = self._database.history
        if (
            adapter_for(history.kind).records_failures
            or not self._counts
            or not self._has_left_nothing(error.sqlstate or "")
        ):
            return False
        end = end_log_sql(history, self._log_id, "failed", error.message, is_undone=True)
        back = move_version_sql(history, self._database.found, self._before)
        try:
            self._database.on_history(f"{history.guarded(back)}; {end}", before=RESET)
        except (ServerFailure, ConnectionBroken):
            return False
        self._database.found = self._before
        return True

    def _has_left_nothing(self, sqlstate: str) -> bool:
        """Whether nothing but settings was done, and what failed is rolled back or leaves at
        most an invalid index, which does not exist."""
        if self._first or self._before.dirty:
            return False
        if len(settings_before(self._statements, self._sql, self._done)) != self._done:
            return False
        statement = self._statements[self._done]
        if self._at > self._done or may_be_in_transaction(self._text, statement):
            return True  # in a transaction of the file or of the runner
        if sqlstate.startswith(_NOT_FOUND) and _LOOKS_UP_FIRST.match(
            self._sql, statement.start, statement.end
        ):
            return True
        if not _LEAVES_NOTHING.match(self._sql, statement.start, statement.end):
            return False
        try:
            return not has_invalid_index(self._session)
        except (ServerFailure, ConnectionBroken):
            return False

    def _drop_cancelled(self) -> set[str]:
        """Drop the invalid index of a cancelled CREATE INDEX CONCURRENTLY.

        What an interrupted DROP or REINDEX leaves behind, the statement itself finishes. An index
        that cannot be dropped in the remaining time is dropped by the next run.
        """
        dropped: set[str] = set()
        sql = self._text_of_statement().encode()
        change = read_index_statement(sql)
        if not isinstance(change, CreateIndex):
            return dropped
        found = dict.fromkeys(invalid_indexes(self._session, sql))
        if change.name is None:
            made = settings_before(self._statements, self._sql, self._at)
            settings = [self._text_of_statement(index) for index in made]
            twins = find_twins(self._session, change, settings)
            found.update(dict.fromkeys(twin.name for twin in twins if not twin.is_valid))
        for index in found:
            seconds = min(DROP_SECONDS, self._database.request.stop.time_left / 2)
            milliseconds = max(1, round(1000 * seconds))
            try:
                self._session.query(f"SET statement_timeout = {milliseconds}; SET lock_timeout = 0")
                self._session.command(drop_sql(index))
            except ServerFailure:
                break
            dropped.add(index)
        return dropped

    def _run_one(self, statement: Statement) -> None:
        sql = self._sql[statement.start : statement.end]
        is_open = self._session.is_in_transaction
        if is_open and self._counts and statement.words[:1] in {("COMMIT",), ("END",)}:
            # In a transaction of the file: it counts only if that is committed.
            self._session.execute(aside(self._advance_sql(self._at + 1)).encode())
            self._execute(statement, sql)
            self._done = self._at + 1
        elif not is_open and self._counts and may_be_in_transaction(self._text, statement):
            self._execute(statement, sql, count=self._advance_sql(self._at + 1))
            self._done = self._at + 1
        else:
            self._execute(statement, sql)
            if self._counts and not self._session.is_in_transaction:
                self._database.on_history(self._advance_sql(self._at + 1))
                self._done = self._at + 1
        begins = not is_open or not _ENDS.isdisjoint(statement.words[:1])
        if begins and self._counts and self._session.is_in_transaction:
            # A transaction of the file has begun, and has not seen anything (History.lock_sql).
            self._session.command(self._database.history.lock_sql)

    def _execute(self, statement: Statement, sql: bytes, count: str = "") -> None:
        """Run a statement; with `count`, both in one transaction."""
        settings = self._database.settings
        is_harmless = _BLOCKS_NO_SESSION.search(sql) is not None
        if is_harmless:
            limit = self._database.request.options.concurrent_lock_timeout_ms
            settings = replace(settings, lock_timeout_ms=limit or 0)
        is_open = self._session.is_in_transaction
        parts = ["BEGIN", *settings.statements(), self._database.history.lock_sql, ""]
        head = "; ".join(parts) if count else ""
        if not count and not is_open:
            before = [*settings.session_statements(), *self._note_sql(sql)]
            self._session.query("; ".join(before))
        tail = f"\n;{aside(count)}; COMMIT" if count else ""
        rows = [self._sql[slice(*statement.rows)]] if statement.rows else []
        patience = Patience(self._database.request)
        while True:
            watch = StatementWatch.of(self._database, self._text.file)
            try:
                query = head.encode() + sql + tail.encode()
                self._session.execute(query, rows=rows, on_tick=watch, keeps_rows=False)
                return
            except ServerFailure as failure:
                if not is_open:
                    self._session.roll_back()
                is_blocked = failure.sqlstate == LOCK_NOT_AVAILABLE and not is_open
                if not is_blocked or is_harmless or not patience.has_time:
                    position = self._position(statement, len(head), failure.error.position)
                    raise _StatementFailed(failure, position, watch) from None
            patience.pause()

    def _position(self, statement: Statement, head: int, position: int | None) -> int | None:
        """From a character of what was sent to one of the whole script."""
        if position is None:
            return None
        return len(self._sql[: statement.start].decode()) + position - head

    def _advance_sql(self, done: int) -> str:
        history = self._database.history
        counted = advance_log_sql(history, self._log_id, done, self._checksum(done))
        in_table = self._database.found.progress_sql(history.version_table, done)
        return history.guarded(f"{counted}; {in_table}" if in_table else counted)

    def _note_sql(self, sql: bytes) -> list[str]:
        """Before an index is dropped: record which one, as evidence for a repair."""
        change = read_index_statement(sql)
        if not self._counts or not isinstance(change, DropIndex) or change.may_be_missing:
            return []
        history, name = self._database.history, change.names[0]
        oids = self._session.resolve([name])
        checksum = self._checksum(self._at + 1)
        return [
            history.guarded(note_drop_sql(history, self._log_id, oid, checksum))
            for oid in oids.values()
        ]

    def _text_of_statement(self, index: int | None = None) -> str:
        statement = self._statements[self._at if index is None else index]
        return self._sql[statement.start : statement.end].decode()

    def _checksum(self, done: int) -> str:
        return checksum_until(self._sql, self._statements, done)


def _count(done: int) -> str:
    return "none before it is done" if done == 0 else f"{done} {'is' if done == 1 else 'are'} done"


def may_be_in_transaction(text: ScriptText, statement: Statement) -> bool:
    """Whether a statement is counted in one transaction with what it does."""
    if statement.words[:1] == ("CALL",):
        return False  # the procedure may commit
    sql, file = text.read(), text.file
    return (
        control_of(sql, statement, file=file) is None
        and forbidden_in_transaction(sql, statement, file=file) is None
    )


def is_counted_on_the_way(statements: Sequence[Statement]) -> bool:
    """Whether the log can be written to between them: under another role it may be out of reach."""
    return not any(s.words[:2] in {("SET", "ROLE"), ("SET", "SESSION")} for s in statements)


def checksum_until(sql: bytes, statements: list[Statement], done: int) -> str:
    """SHA-256 of a script up to the end of its first `done` statements."""
    end = statements[done - 1].end if done else 0
    return hashlib.sha256(memoryview(sql)[:end]).hexdigest()


_SET_CONFIG = re.compile(
    rb"SELECT\s+(?:pg_catalog\s*\.\s*)?set_config\s*\(.*,\s*(?:false|'f'|'false')\s*\)\s*\Z",
    re.IGNORECASE | re.DOTALL,
)


def settings_before(statements: list[Statement], sql: bytes, done: int) -> list[int]:
    """Which of the first `done` statements made settings for the session.

    A setting lasts as long as its session, and the statements that follow may depend on it.
    """
    return [
        index
        for index, statement in enumerate(statements[:done])
        if (
            statement.words[:1] in {("SET",), ("RESET",)}
            and statement.words[1:2] not in {("LOCAL",), ("TRANSACTION",), ("CONSTRAINTS",)}
        )
        or _SET_CONFIG.match(sql, statement.start, statement.end)
    ]
