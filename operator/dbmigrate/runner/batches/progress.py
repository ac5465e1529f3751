"""The progress of a step in batches: rows, pace, size and place."""

from __future__ import annotations

import time

from dbmigrate.postgres.batches.state import BatchState, Cursor
from dbmigrate.runner.database import Database
from dbmigrate.runner.execution.statement_watch import LOOK_EVERY
from dbmigrate.runner.observer import Notice, Progress

_SHOWN_CURSOR = 80


class BatchProgress:
    """Starts with the first batch of this run."""

    def __init__(self, database: Database, file: str, state: BatchState, table: str | None) -> None:
        self._observer = database.request.observer
        self._file = file
        self._rows_before = state.rows
        self.table_rows = _estimate(database, table)
        """The planner's estimate; None: unknown."""
        self._started = self._told = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the first batch of this run began."""
        return time.monotonic() - self._started

    def show(self, state: BatchState, size: int) -> None:
        """Report the progress, if nothing was reported for a while."""
        now = time.monotonic()
        if now - self._told >= LOOK_EVERY:
            self._told = now
            phase = self.describe(state, size)
            self._observer.progress(Progress(self._file, self.seconds, phase))

    def describe(self, state: BatchState, size: int) -> str:
        """The progress in a phrase."""
        seconds = self.seconds
        rate = (state.rows - self._rows_before) / seconds if seconds > 0 else 0.0
        whole = f" of about {self.table_rows} in the table" if self.table_rows else ""
        behind = "" if state.cursor is None else f", behind {describe_cursor(state.cursor)}"
        return f"{state.rows} rows{whole}, {rate:.0f} a second, {size} a batch{behind}"


def tell(database: Database, file: str, message: str) -> None:
    """A line about the step for the observer."""
    database.request.observer.notice(Notice("INFO", message, file))


def describe_cursor(cursor: Cursor) -> str:
    """The cursor's values, shortened."""
    text = ", ".join("NULL" if value is None else value for value in cursor or ())
    return text if len(text) <= _SHOWN_CURSOR else f"{text[: _SHOWN_CURSOR - 3]}..."


def _estimate(database: Database, table: str | None) -> int | None:
    """The planner's estimate of the table's rows."""
    if table is None:
        return None
    oid = database.session.resolve([table]).get(table, 0)
    rows = database.session.query(
        f"SELECT reltuples::bigint FROM pg_catalog.pg_class WHERE oid = {oid}"
    )[0]
    count = int(rows[0][0] or 0) if rows else 0
    return count if count > 0 else None
