"""The database of one run: its session, its locks, and its history.

Opening costs two round trips: one query (role, existing tables), and one
transaction that takes the locks and reads the history under them. Every decision
of a run is based on what it read while it had the locks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.connect import connect
from dbmigrate.postgres.connection.errors import ConnectionBroken, ServerFailure
from dbmigrate.postgres.connection.keepalives import KEEPALIVES
from dbmigrate.postgres.connection.redaction import show
from dbmigrate.postgres.connection.session import (
    Row,
    Session,
    lock_timeout_sql,
    no_answer_within,
)
from dbmigrate.postgres.connection.target import ConnectionTarget, HistoryTable
from dbmigrate.postgres.history.adapter import Found
from dbmigrate.postgres.history.advisory_locks import (
    UNLOCK,
    lock_ids,
    try_lock_sql,
    wait_for_lock,
)
from dbmigrate.postgres.history.formats.registry import adapter_for
from dbmigrate.postgres.history.log.lost_rows import (
    find_lost,
    read_oldest_sql,
    was_emptied,
)
from dbmigrate.postgres.history.log.notes import (
    NOTED,
    Owner,
    Successor,
    find_owner,
    find_successor,
)
from dbmigrate.postgres.history.log.reading import parse_log, read_log_sql, read_steps_sql
from dbmigrate.postgres.history.log.rows import (
    LogRow,
    read_down_sql,
    read_identity_sql,
)
from dbmigrate.postgres.history.relations import History
from dbmigrate.postgres.history.tables import ServerFacts, look
from dbmigrate.report import Reason
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.planning.applied import AppliedVersions
from dbmigrate.runner.planning.applied_number import read_applied
from dbmigrate.runner.request import Request
from dbmigrate.sources.migration import DatabaseFacts, Direction, Script
from dbmigrate.versions import Version

if TYPE_CHECKING:
    from dbmigrate.postgres.batches.state import BatchState
    from dbmigrate.postgres.connection.monitor import Monitor
    from dbmigrate.postgres.history.foreign.succession import OtherHistories
    from dbmigrate.postgres.history.planned_guard import PlannedGuard
    from dbmigrate.postgres.transaction import TransactionSettings

CONNECT_PAUSE = 0.2
"""Seconds between two tries of a server that does not answer yet."""
RECONNECT_SECONDS = 30.0
"""Seconds for which a run tries to reconnect to a server that was lost during a step."""
RECONNECT_TO_READ_SECONDS = 5.0
"""The same where only the content of the report depends on it."""
ANSWER_SECONDS = 5.0
"""How long the server may be silent over statements that open the database, in addition to the
time that they may wait for a lock."""
WORK_SECONDS = 120.0
"""The minimum time that the server has for any other statement of dbmigrate."""
STEPS_AT_A_TIME = 100
"""Rows of the log in one query, where it is read from the newest row on."""
STOP_SECONDS = 2.0
"""The same when the run is to end at once."""


def require_settings(target: ConnectionTarget, facts: ServerFacts) -> None:
    """Raise MigrationError (PoolerUnsafe) where the session has not begun with the settings that
    the connection asks for: a run would work in another schema, or as another role."""
    if target.conninfo.get("options") or os.environ.get("PGOPTIONS"):
        from dbmigrate.postgres.connection import settings

        found = {"search_path": facts.search_path, "role": facts.role}
        settings.require_settings(target.conninfo, found)


class Database:
    """Opened by `open_database`; the caller closes it."""

    session: Session
    pid: int
    history: History
    found: Found
    """The version as this run last read or wrote it."""
    notes: tuple[LogRow, ...]
    """Rows of the log that are not steps (postgres.history.log.notes), the oldest first."""
    log: tuple[LogRow, ...]
    """Those rows of the log that explain the present state, as they were when the run began;
    empty when they were not asked for."""
    lost: frozenset[Version] | None
    """The versions that are known to be applied although rows of the log are missing; None: none
    is missing."""
    applied: AppliedVersions
    batches: BatchState | None
    """How far the newest step in batches is, finished or not; None: there never was one."""

    def __init__(self, request: Request, *, is_locked: bool, with_log: bool) -> None:
        self.request = request
        self.file: str | None = None
        """The migration file that runs now, for the notices it causes."""
        self.lock_sample: dict[str, list[Row]] | None = None
        """Where a step in one transaction leaves the locks that it holds at its end
        (dbmigrate.runner.execution.lock_sampling); None: they are not read."""
        self._is_locked = is_locked
        self._with_log = with_log
        self._monitor: Monitor | None = None
        self._guard: PlannedGuard | None = None
        self._is_opening = True
        self._was_opened = False
        self._trusted: History | None = None
        """The history whose stored scripts may be run, once that was checked."""
        self.is_identity_behind = False
        self.newest_id = 0
        self._newest_number = 0
        """The last number that the log's identity has given, so far as the role may know."""
        self._others: OtherHistories | None = None
        self._wanted = request.target.history
        """Where the history is looked for. Once found, it is looked for in that schema alone: a
        migration may create a schema that comes earlier in the search path."""
        self._connect()

    @property
    def name(self) -> str:
        """The database's own name."""
        return self._database

    @property
    def successor(self) -> Successor | None:
        """The history of another format that a person has chosen to replace this one: as this log
        says, or as those of other histories say where rows of this one may be missing."""
        found = find_successor(self.notes)
        if found is not None or not self._with_log or self._has_whole_log:
            return found
        return self.others.successor

    @property
    def others(self) -> OtherHistories:
        """The other histories in this database."""
        if self._others is None:
            from dbmigrate.postgres.history.foreign.succession import OtherHistories

            self._others = OtherHistories(self.session, self.history)
        return self._others

    @property
    def has_lost_all(self) -> bool:
        """Whether the log is empty and was not always."""
        if not self.reads_log or self.log or self.notes or not self.history.has_log_table:
            return False
        return was_emptied(self.history.log_shape, self._newest_number)

    @property
    def _has_whole_log(self) -> bool:
        """Whether no note is missing from the log."""
        return self.reads_log and bool(self.log or self.notes) and self.lost is None

    @property
    def facts(self) -> DatabaseFacts:
        """The values that scripts may refer to."""
        return DatabaseFacts(
            self._database, self.session.user, self.history.schema, self.history.table
        )

    @property
    def server_version(self) -> int:
        """As server_version_num has it: 180001."""
        return self._server_version

    @property
    def settings(self) -> TransactionSettings:
        """The limits of a step's transaction."""
        from dbmigrate.postgres.transaction import CLIENT_CHECK_MS, TransactionSettings

        request = self.request
        return TransactionSettings(
            lock_timeout_ms=request.options.statement_lock_timeout_ms,
            statement_timeout_ms=request.target.statement_timeout_ms
            if request.options.statement_timeout_ms is None
            else request.options.statement_timeout_ms,
            client_check_ms=CLIENT_CHECK_MS if self._looks_after_clients else None,
        )

    @property
    def monitor(self) -> Monitor:
        """What watches the session during a long statement."""
        if self._monitor is None:
            from dbmigrate.postgres.connection.monitor import Monitor

            target = self.request.target
            self._monitor = Monitor(
                self.pid,
                self._server_version,
                lambda: connect(target, role="monitor", is_brief=True),
            )
        return self._monitor

    @property
    def guard(self) -> PlannedGuard:
        """The check of the history before each step, as prepared in the present session."""
        if self._guard is None:
            from dbmigrate.postgres.history.planned_guard import PlannedGuard

            self._guard = PlannedGuard()
        return self._guard

    def in_transaction(self, sql: str) -> str:
        """A transaction of these statements on the history, which wait for locks for a limited
        time.

        Each statement sees what was committed before it, whatever the role's defaults are.
        """
        return f"{self.begun(sql)}; COMMIT"

    def begun(self, sql: str) -> str:
        """The same, and the transaction continues."""
        seconds = self.request.options.lock_timeout
        limit = lock_timeout_sql(seconds) or "SET LOCAL lock_timeout = 0; "
        return f"BEGIN ISOLATION LEVEL READ COMMITTED; {limit}{sql}"

    def on_history(self, sql: str, *, before: str = "") -> list[list[Row]]:
        """Run statements on the history in a transaction of their own.

        They wait for other sessions as long as a run may. `before` sets the session's settings.
        Raises ServerFailure, after a rollback, and ConnectionBroken.
        """
        first = f"{before}; " if before else ""
        try:
            return self.session.query(f"{first}{self.in_transaction(sql)}")
        except ServerFailure:
            self.session.roll_back()
            raise

    def read(self) -> None:
        """Read the history again; without tables, this sends no query."""
        sql = self._read_sql()
        self._take(self.session.query(self.in_transaction(sql)) if sql else [])

    @property
    def owner(self) -> Owner | None:
        """The owner of the database: as the log's rows say, or the table's comment where it was
        emptied."""
        if not self.reads_log:
            return None
        by_table = self.history.log_shape.owner
        return find_owner(self.notes) or (Owner.parse(by_table) if by_table else None)

    def stored_script(self, row: LogRow) -> Script:
        """The down script in a row of the log, read when it is needed.

        Raises MigrationError (ForeignHistory) where a role that is not trusted to run as this
        one could have written it.
        """
        if self._trusted != self.history:
            from dbmigrate.postgres.history.writers import require_trusted_writers

            require_trusted_writers(self.session, self.history, self._wanted.owner)
            self._trusted = self.history

        def load() -> bytes:
            ((_, _, text),) = self.on_history(
                self.history.guarded_reading(read_down_sql(self.history, (row.id,)))
            )[0]
            return (text or "").encode()

        return Script(f"{row.version}_{row.name}.down.sql", Direction.DOWN, load)

    def applied_steps(self) -> Iterator[LogRow]:
        """All rows of the log that changed something, the newest first, read as they are asked
        for."""
        before: int | None = None
        while self.history.knows_log:
            sql = self.history.guarded_reading(
                read_steps_sql(self.history, before, STEPS_AT_A_TIME)
            )
            rows = parse_log(self.history, self.on_history(sql)[-1])
            yield from rows
            if len(rows) < STEPS_AT_A_TIME:
                return
            before = rows[-1].id

    def flush(self) -> None:
        """Make steps durable that were committed without waiting for the disk."""
        self.session.query("SELECT pg_catalog.pg_logical_emit_message(true, 'dbmigrate', '')")

    def reconnect(self, patience: float | None = None) -> None:
        """Reconnect after the connection was lost, take the locks, and read the history.

        Having the locks again proves that the old backend has ended: its work is
        committed or rolled back. Raises MigrationError when the server stays away, or
        the old backend does not release the locks in time.
        """
        self.close()
        deadline = time.monotonic() + (RECONNECT_SECONDS if patience is None else patience)
        pause = 0.1
        while True:
            try:
                self._connect()
                return
            except MigrationError as error:
                if error.reason not in {Reason.CONNECTION_REFUSED, Reason.HOST_NOT_FOUND}:
                    raise
                if time.monotonic() > deadline or self.request.stop.is_urgent:
                    raise
            except ConnectionBroken:
                if time.monotonic() > deadline or self.request.stop.is_urgent:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, 2.0)

    def reconnect_to_read(self) -> None:
        """Reconnect without the locks, only to read the state of the database."""
        self._is_locked = False
        self.reconnect(RECONNECT_TO_READ_SECONDS)

    def lock(self) -> None:
        """Take the locks of a database that was opened without them, and read the history again.

        Raises MigrationError: LockTimeout, Interrupted, PoolerUnsafe, and ConnectionRefused for a
        standby.
        """
        self._is_locked = True
        if self._is_standby:
            raise _standby(self.request.target.display, *self.session.address)
        self._lock_and_read()

    def switch_to(self, wanted: HistoryTable) -> None:
        """Change to another history; the caller takes its locks first."""
        self._wanted = wanted
        self.look_again()

    def look_again(self) -> None:
        """Look again which tables exist, and read them."""
        self._take_history(look(self.session, self._wanted).history)
        self.read()

    def close(self) -> None:
        """Close the connections; the locks are released with them."""
        if self._monitor is not None:
            self._monitor.close()
            self._monitor = None
        self.session.close()

    def release(self) -> None:
        """Release the locks before closing, so that the next run need not wait."""
        if self._is_locked and self.session.is_open:
            try:
                self.session.roll_back()
                self.session.query(UNLOCK)
            except (ServerFailure, ConnectionBroken):
                pass  # closing the connection releases them

    def _connect(self) -> None:
        self.session = self._open_session()
        self.session.on_silence = self._on_silence
        self.session.lock_seconds = self.request.options.lock_timeout
        self._is_opening = True
        self._guard = None
        try:
            facts = look(self.session, self._wanted)
            require_settings(self.request.target, facts)
            self.pid = facts.pid
            self._take_history(facts.history)
            self._database = facts.database
            self._server_version = facts.server_version
            self._looks_after_clients = facts.looks_after_clients
            self._is_standby = facts.is_standby
            if self._is_locked:
                self.lock()
            else:
                self.read()
        except BaseException:
            self.session.close()
            raise
        self._is_opening = False
        self._was_opened = True

    def _open_session(self) -> Session:
        """Connect. The first session waits for a server that does not answer yet, for
        -connect-wait."""
        request = self.request
        wait = 0.0 if self._was_opened else request.options.connect_wait
        deadline, is_told = time.monotonic() + wait, False
        while True:
            try:
                return connect(request.target, on_notice=self._on_notice)
            except MigrationError as error:
                is_over = time.monotonic() >= deadline or request.stop.is_requested
                if error.reason is not Reason.CONNECTION_REFUSED or is_over:
                    raise
                if not is_told:
                    request.observer.notice(Notice("INFO", f"{error}: retried for {wait:g} s"))
                    is_told = True
            time.sleep(CONNECT_PAUSE)

    def _take_history(self, history: History) -> None:
        if self._wanted.schema is None and not history.has_log_table:
            from dbmigrate.postgres.history.foreign.hidden import require_no_other

            require_no_other(self.session, history)
        if self._with_log:
            history.require_log()
        self.history = history
        self._wanted = replace(self._wanted, schema=history.schema)

    def _lock_and_read(self) -> None:
        if self.session.announced_pid != self.pid:
            # Before any lock is taken: with a pooler nothing could release it.
            from dbmigrate.postgres.connection import pooler

            pooler.require_own_backend(
                self.session,
                self.pid,
                lambda: connect(self.request.target, role="probe"),
            )
        taken, *rest = self.session.query(
            f"{KEEPALIVES}; "
            + self.in_transaction(f"{try_lock_sql(self._ids())}; {self._read_sql()}")
        )
        if taken[0][0] == "t" and self.history.has_version_table and self.history.has_log_table:
            self._take(rest)
            if not self.found.dirty or self.history.has_batches_table:
                return
        if taken[0][0] != "t":
            self.wait_for(self._ids())
        # Another run may have created the tables before this one had the lock.
        self.look_again()

    def wait_for(self, ids: tuple[int, ...]) -> None:
        """Take these locks, by the limit of the run and until it is stopped.

        Raises MigrationError: LockTimeout, Interrupted.
        """
        wait_for_lock(
            self.session,
            ids,
            timeout=self.request.options.lock_timeout,
            should_stop=lambda: self.request.stop.is_requested,
            on_wait=self.request.observer.waiting_for_lock,
        )

    @property
    def held_locks(self) -> tuple[int, ...]:
        """The ids of the locks that this run holds, which exclude other runs."""
        return self._ids() if self._is_locked else ()

    def _ids(self) -> tuple[int, ...]:
        return self.ids_of(self.history)

    def ids_of(self, history: History) -> tuple[int, ...]:
        """The locks of a run on that history."""
        schema, table = history.schema, history.table
        ours = lock_ids(schema, table, self._database, self.request.target.url_database)
        return (*ours, *adapter_for(history.kind).lock_ids(schema, table))

    def _read_sql(self) -> str:
        statements = []
        if self.history.has_version_table:
            statements.append(adapter_for(self.history.kind).read_sql(self.history))
        if self.reads_log:
            history = self.history
            statements += [
                read_log_sql(history),
                read_identity_sql(history),
                read_oldest_sql(history),
            ]
        if self.reads_log and self.history.knows_batches:
            from dbmigrate.postgres.batches.state import read_batches_sql

            statements.append(read_batches_sql(self.history))
        return self.history.guarded_reading("; ".join(statements)) if statements else ""

    @property
    def reads_log(self) -> bool:
        """Whether `log` is what the log table holds."""
        return self._with_log and self.history.knows_log

    def _take(self, tables: list[list[tuple[str | None, ...]]]) -> None:
        rest = list(tables)
        adapter = adapter_for(self.history.kind)
        has_table = self.history.has_version_table
        self.found = adapter.take(rest, self.history) if has_table else adapter.nothing
        self.log = self.notes = ()
        self.lost = self._others = None
        self.is_identity_behind = False
        self._newest_number = 0
        if self.reads_log:
            rows = parse_log(self.history, rest.pop(0))
            self.log = tuple(row for row in rows if row.outcome != NOTED)
            self.notes = tuple(row for row in rows if row.outcome == NOTED)
            ((last,),) = rest.pop(0)
            self.newest_id = rows[-1].id if rows else 0
            self._newest_number = int(last or 0)
            self.is_identity_behind = last is not None and int(last) < self.newest_id
            self.lost = find_lost(self.notes, rest.pop(0), self.found.version)
        self.applied = read_applied(self.found, self.log)
        self.batches = None
        if rest:
            from dbmigrate.postgres.batches.state import parse_batches

            self.batches = parse_batches(rest.pop(0))

    def _on_silence(self, seconds: float) -> None:
        """Close the connection when the server does not answer a statement of the runner.

        A peer that is gone is noticed by TCP; one that accepts packets and says nothing (a
        frozen server, a proxy) by this clock alone. Before the database was opened nothing is
        under way, so that the first request to stop ends the run.
        """
        if not self._was_opened and self.request.stop.is_requested:
            raise MigrationError(
                Reason.INTERRUPTED, "stopped while the database was opened: nothing was changed"
            )
        limit = self.request.options.lock_timeout + ANSWER_SECONDS
        if not self._is_opening:
            limit = max(limit, WORK_SECONDS)
        if self.request.stop.is_urgent:
            limit = min(limit, STOP_SECONDS)
        no_answer_within(limit)(seconds)

    def _on_notice(self, severity: str, message: str) -> None:
        self.request.observer.notice(Notice(severity, message, self.file))


def _standby(display: str, host: str, port: str) -> MigrationError:
    where, is_one_of_several = display, "," in display
    if is_one_of_several:
        where = f"{show('host', host)}:{port}, to which {display} has led,"
    return MigrationError(
        Reason.CONNECTION_REFUSED,
        f"{where} is a standby: it can't be migrated",
        hint="connect to the primary, or "
        + ("" if is_one_of_several else "name all hosts and ")
        + "add target_session_attrs=read-write"
        " (spec.database.connection.targetSessionAttrs of a resource)",
    )
