"""A database that another tool has migrated, and that has no history of this format yet."""

from __future__ import annotations

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.history.foreign.tools import OtherHistory, find_other_histories
from dbmigrate.report import Reason
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.preparation.fresh_schema import is_fresh
from dbmigrate.runner.run import Run


def require_no_other_tool(run: Run) -> None:
    """Raise MigrationError (ForeignHistory) if the first step would run in addition to the history
    of another tool. A row of the log, as `force -1` writes one, allows it; a failed try does
    not."""
    found = _find(run)
    if not found:
        return
    history = run.database.history
    names = " and ".join(_describe(each) for each in found)
    raise MigrationError(
        Reason.FOREIGN_HISTORY,
        f"{history.schema}.{history.table} has no version, and the database has {names}:"
        " these files would all run in addition to that history",
        hint=f"{found[0].remedy}; or `dbmigrate baseline V` with the version of these files that"
        " the database has; or `dbmigrate force -1` if these files are a second history, which"
        " starts with its first file",
    )


def warn_of_other_tools(run: Run) -> None:
    """Tell the observer, for a command that only reads."""
    for each in _find(run):
        run.request.observer.notice(
            Notice("WARNING", f"the database has {_describe(each)}: {each.remedy}")
        )


def _find(run: Run) -> tuple[OtherHistory, ...]:
    database = run.database
    history = database.history
    if database.found.stored is not None or any(row.outcome != "failed" for row in database.log):
        return ()
    if history.has_log_table and not database.reads_log:
        return ()  # `version` does not read the log, which may explain it
    if history.has_own_name:
        return ()
    found = find_other_histories(database.session, history)
    elsewhere = [each for each in found if each.schema != history.schema]
    if elsewhere and is_fresh(run):
        return tuple(each for each in found if each not in elsewhere)
    return found


def _describe(other: OtherHistory) -> str:
    return f"{other.place}, the history of {other.table.tool}"
