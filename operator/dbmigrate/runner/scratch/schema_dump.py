"""The schema of a database as pg_dump's SQL, without rows; in memory, because a Pod has
no place for a file."""

from __future__ import annotations

from collections.abc import Sequence

from dbmigrate.child_process import Stopped, Until
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.target import ConnectionTarget
from dbmigrate.postgres.pg_tools import ClientProgram, run_program
from dbmigrate.report import Reason
from dbmigrate.runner.stop import Stop


def dump_schema(
    program: ClientProgram,
    words: Sequence[str],
    database: ConnectionTarget,
    *,
    stop: Stop,
    stopped: str,
) -> bytes:
    """The output of pg_dump with these arguments; `stopped` is the message after a stop.

    Raises MigrationError: BackupFailed with what it said, Interrupted.
    """
    try:
        return run_program(
            program,
            ["--schema-only", *words],
            database,
            Until(lambda: stop.is_requested),
        )
    except Stopped:
        raise MigrationError(Reason.INTERRUPTED, stopped) from None
