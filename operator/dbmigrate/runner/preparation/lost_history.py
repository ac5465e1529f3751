"""A version table that says that nothing is applied, while a log says otherwise.

The table was dropped, emptied, or moved to another schema; or the files have another format
than before, whose table is a new one. All migrations would run again.
"""

from __future__ import annotations

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.history.foreign.formats import end_of_log, find_other_formats
from dbmigrate.postgres.history.formats.registry import adapter_for
from dbmigrate.postgres.history.relations import log_name
from dbmigrate.report import Reason
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.ownership import require_live
from dbmigrate.runner.run import Run
from dbmigrate.versions import Version


def require_history(run: Run) -> None:
    """Raise MigrationError (ForeignHistory) if nothing is applied by the table, and something by
    its log, or by the log of another format's table where this history has no log yet.

    A version that a person sets (`force`, `baseline`) is a row of the log, and explains both.
    """
    database = run.database
    if database.found.stored is not None:
        return
    log = [row for row in database.log if row.outcome == "applied"]
    if not log:
        _require_no_other_format(run)
    elif log[-1].to_version is not None:
        raise _lost(run, log[-1].to_version)


def warn_of_history(run: Run) -> None:
    """Tell the observer what would stop a run, for a command that only reads."""
    try:
        require_history(run)
        require_live(run)
    except MigrationError as error:
        text = f"{error.message}; {error.hint}" if error.hint else error.message
        run.request.observer.notice(Notice("WARNING", text))


def _lost(run: Run, version: Version) -> MigrationError:
    history = run.database.history
    log = f"{history.schema}.{log_name(history.table)}"
    state = "is empty" if history.has_version_table else "does not exist"
    return MigrationError(
        Reason.FOREIGN_HISTORY,
        f"{history.name} {state}, and its log {log} ends at version {version}:"
        " all migrations would run again",
        hint=f"put the table back where it was; or `dbmigrate force {version}` if the database has"
        f" version {version}; or `dbmigrate force -1` if nothing is applied any more, as after"
        f" {adapter_for(history.kind).tool}'s own way down",
    )


def _require_no_other_format(run: Run) -> None:
    session, history = run.database.session, run.database.history
    if history.has_own_name:
        return
    for other in find_other_formats(session, history):
        version = end_of_log(session, other)
        if version is None:
            continue
        tool = adapter_for(other.kind).tool
        raise MigrationError(
            Reason.FOREIGN_HISTORY,
            f"{history.name} has no version, and the log"
            f" {other.schema}.{log_name(other.table)} ends at version {version}:"
            f" the database was migrated with {tool}'s files before",
            hint=f"go on with those files (-format {other.kind}); or `dbmigrate baseline V` with"
            " the version of these files that the database has (`dbmigrate adopt` finds it where"
            " it can); or `dbmigrate force -1` if these files are a second history, which begins"
            " with its first file",
        )
