"""`force V`: set the version and clear the dirty mark, without running anything."""

from __future__ import annotations

from dataclasses import replace

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.history import log as history_rows
from dbmigrate.postgres.history.adapter import Found
from dbmigrate.report import Reason
from dbmigrate.runner.planning.plan import moves_up
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run, perform
from dbmigrate.versions import LARGEST_NUMBER, Version


def force(request: Request, version: Version | None) -> Result[None]:
    """Set the version; None means that nothing is applied (`force -1`).

    As with golang-migrate there need not be a file of that version. A history
    that has a row for each version gets those of the files up to it.
    """

    def work(run: Run) -> None:
        if isinstance(version, int) and not 0 <= version <= LARGEST_NUMBER:
            raise MigrationError(Reason.MISSING_VERSION, f"version {version} is out of range")
        set_version(run, "force", version)

    return perform(request, work)


def set_version(run: Run, direction: str, version: Version | None) -> None:
    """Write the version row by order of a person, and a row in the log that says so."""
    database = run.database
    run.target = version
    source = run.request.source
    moves = moves_up(source.migrations) if source else None
    if direction == "baseline" and version is not None:
        wanted = database.found.baselined(version, moves)
    else:
        wanted = database.found.forced(version, moves)
    write_history(run, direction, wanted)


def write_history(run: Run, direction: str, wanted: Found) -> None:
    """Make the tool's table what is wanted, with a row in the log that says so."""
    database = run.database
    database.prepare_to_write()
    row = database.new_row(direction, version=None, name="", found=database.applied.version)
    row = replace(row, to_version=wanted.version)
    database.session.query(
        database.in_transaction(
            database.history.guarded(
                f"{database.found.set_sql(database.history.version_table, wanted)}; "
                f"{history_rows.insert_log_sql(database.history, row)}"
            )
        )
    )
    run.has_changed = database.found != wanted
    database.found = wanted
