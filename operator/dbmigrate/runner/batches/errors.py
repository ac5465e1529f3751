"""Why a step in batches ended before its last batch."""

from __future__ import annotations

from dbmigrate.errors import Location, MigrationError
from dbmigrate.postgres.batches.query import NOT_OURS, NOT_UNIQUE
from dbmigrate.postgres.batches.state import BatchState
from dbmigrate.postgres.connection.errors import ConnectionBroken
from dbmigrate.report import Reason
from dbmigrate.runner.execution.errors import label
from dbmigrate.runner.planning.step import PlannedStep


def stopped(step: PlannedStep, state: BatchState, file: str) -> MigrationError:
    """A stop was requested, and the running batch is committed."""
    return MigrationError(
        Reason.INTERRUPTED,
        f"stopped in {label(step)}: {state.rows} rows are done in {state.batches} batches,"
        " the next run continues after them",
        location=Location(file),
    )


def lost(what: str, broken: ConnectionBroken, why: str) -> MigrationError:
    """The connection is lost, and could not be made again."""
    return MigrationError(
        Reason.CONNECTION_LOST,
        f"connection lost during {what} ({broken}): {why}",
        hint="run it again: it continues after the last committed batch",
    )


def overtaken(what: str) -> MigrationError:
    """The history is not as this run left it."""
    return MigrationError(
        Reason.LOCK_TIMEOUT,
        f"another session interfered, despite the lock: {what} was not done",
        hint="look at `dbmigrate status`, then run it again",
    )


def edited(step: PlannedStep, state: BatchState, location: Location) -> MigrationError:
    """The statement is not the one that the first batches ran."""
    return MigrationError(
        Reason.CHECKSUM_MISMATCH,
        f"the statement of {location.file} was edited after {state.rows} rows were done with it",
        location=location,
        hint="put it back as it was (size, pause and the like may be changed); or"
        f" `dbmigrate force {step.version}` abandons the step and keeps what is done; put the"
        " new statement into a new migration",
    )


def refused(marker: str, what: str, cursor: str, location: Location) -> MigrationError:
    """The runner's own part of the batch's statement has raised an error."""
    if marker == NOT_OURS:
        return overtaken(what)
    if marker == NOT_UNIQUE:
        return MigrationError(
            Reason.STATEMENT_FAILED,
            f"{what} has several rows with one cursor value: the next batch would start after"
            " others of them; it was rolled back",
            location=location,
            hint="the cursor needs a key that no two rows share: add the primary key as its last"
            " column; if they must share it, use another `size` for this batch",
        )
    return MigrationError(
        Reason.STATEMENT_FAILED,
        f"{what} returned rows that do not follow its first cursor ({cursor}): it was rolled back",
        location=location,
        hint="RETURNING must return the columns that :cursor is compared with, in that"
        " order and none of them NULL; from high to low it is order=desc",
    )
