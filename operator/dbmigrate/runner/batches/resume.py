"""A step in batches that was begun and not finished: the database is whole, the step is not.

The dirty mark keeps every other tool away from it. A run continues it if it is the
first step of what was asked for: `up` with an up step, `down` with a down step, `goto`
with the one that leads there, `repair` with it alone. Anything else is refused, because
it would leave some rows changed and others not.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.batches.state import BatchState
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.report import Reason
from dbmigrate.report.preparation import ReportedUnfinished
from dbmigrate.runner.database import Database
from dbmigrate.runner.planning.step import PlannedStep
from dbmigrate.versions import Version


@dataclass(frozen=True, slots=True)
class UnfinishedBatches:
    """A step in batches that is not finished."""

    version: Version
    row: LogRow
    state: BatchState

    def __str__(self) -> str:
        row, state = self.row, self.state
        return (
            f"version {self.version} ({row.name}) {row.direction} is not finished:"
            f" {state.rows} rows are done in {state.batches} batches, since {state.started_at}"
        )

    def is_step(self, step: PlannedStep) -> bool:
        """Whether a planned step is this one."""
        row = self.row
        return (step.version, step.direction.value, step.before, step.after) == (
            self.version,
            row.direction,
            row.from_version,
            row.to_version,
        )

    def to_report(self) -> ReportedUnfinished:
        """The step as the report shows it."""
        row, state = self.row, self.state
        return ReportedUnfinished(
            str(self.version), row.name, row.direction, state.rows, state.batches, state.started_at
        )


def find_unfinished(database: Database) -> UnfinishedBatches | None:
    """The step that has left the database dirty, if it runs in batches. No query."""
    found, state = database.found, database.batches
    if not found.dirty or state is None:
        return None
    for row in reversed(database.log):
        if row.outcome in {"applied", "dirty"}:
            return None
        if row.statements is None:
            continue  # an attempt that failed as a whole
        is_it = row.id == state.log_id and found.was_left_by(row)
        return (
            UnfinishedBatches(row.version, row, state)
            if is_it and row.version is not None
            else None
        )
    return None


def refuse(unfinished: UnfinishedBatches) -> MigrationError:
    """The error (Dirty) for a run that would do something else first."""
    row = unfinished.row
    command = "up" if row.direction == "up" else "down 1"
    return MigrationError(
        Reason.DIRTY,
        f"Dirty database version {row.to_version if row.to_version is not None else -1}."
        f" {unfinished}",
        hint=f"`dbmigrate {command}` or `dbmigrate repair` continues it; `dbmigrate force V`"
        " abandons it and keeps what is done",
    )
