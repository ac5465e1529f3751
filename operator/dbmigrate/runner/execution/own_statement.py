"""A statement of the runner on the application's tables: it waits as a migration's does.

Each attempt waits for a lock for -statement-lock-timeout at most, so that the application
does not queue behind it for longer; attempts end with -lock-timeout. The blocking session is
named, and an urgent stop cancels the statement.
"""

from __future__ import annotations

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import (
    LOCK_NOT_AVAILABLE,
    ServerFailure,
    history_failure,
)
from dbmigrate.report import Reason
from dbmigrate.runner.database import Database
from dbmigrate.runner.execution.statement_watch import StatementWatch
from dbmigrate.runner.lock_retry import Patience


def run_own(database: Database, sql: str, problem: str) -> None:
    """Run it, repeated from its start when a lock is not available.

    `problem` begins the message of an error. Raises MigrationError: BlockedByQuery,
    Interrupted, StatementFailed.
    """
    session = database.session
    patience = Patience(database.request)
    session.query("; ".join(database.settings.session_statements()))
    while True:
        watch = StatementWatch.of(database, "", phase=sql)
        try:
            session.execute(sql.encode(), on_tick=watch)
            return
        except ServerFailure as failure:
            session.roll_back()
            if failure.sqlstate != LOCK_NOT_AVAILABLE:
                raise history_failure(failure, problem) from None
            if not patience.has_time:
                raise _blocked(failure, problem, watch) from None
        patience.pause()


def _blocked(failure: ServerFailure, problem: str, watch: StatementWatch) -> MigrationError:
    return MigrationError(
        Reason.BLOCKED_BY_QUERY,
        f"{problem}: {failure.error.message}",
        sqlstate=failure.sqlstate,
        detail="; ".join(f"blocked by {session}" for session in watch.blockers) or None,
        hint="end the blocking session, or raise -lock-timeout",
    )
