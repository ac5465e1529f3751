"""The beginning of a history: in a database that has none yet, by its tables and its logs.

Flyway has one more rule, for a database that holds something already.
Flyway refuses it: it can't know what the tables that are there came from, and would run
scripts that have been run. Unless baselineOnMigrate says which version they amount to.
"""

from __future__ import annotations

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.target import HistoryKind
from dbmigrate.report import Reason
from dbmigrate.runner.planning.applied_number import read_applied
from dbmigrate.runner.run import Run


def begin(run: Run, *, is_preview: bool = False) -> None:
    """Begin the history where Flyway would; a preview writes nothing.

    Raises MigrationError (ForeignHistory) where Flyway would refuse, and where a log says that
    the history has begun already.
    """
    database = run.database
    if database.found.stored is None:
        from dbmigrate.runner.preparation.lost_history import require_history
        from dbmigrate.runner.preparation.other_history import require_no_other_tool

        require_history(run)
        require_no_other_tool(run)
    history = database.history
    if run.request.target.history.kind is not HistoryKind.FLYWAY or history.has_version_table:
        return
    from dbmigrate.postgres.history.emptiness import first_in_schema

    found = first_in_schema(database.session, history)
    if found is None:
        return
    baseline = run.request.options.baseline
    if baseline is None:
        raise MigrationError(
            Reason.FOREIGN_HISTORY,
            f'Found non-empty schema(s) "{history.schema}" but no schema history table:'
            f" it has the {found}",
            hint="`dbmigrate baseline V` says which version it has (0: none), as baselineOnMigrate"
            " with baselineVersion does in Flyway's settings",
        )
    if is_preview:
        database.found = database.found.baselined(baseline, None)
        database.applied = read_applied(database.found, database.log)
        return
    from dbmigrate.runner.preparation.forced_version import set_version

    set_version(run, "baseline", baseline)
    database.read()
