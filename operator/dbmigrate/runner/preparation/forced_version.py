"""Sets the version by order of a person, without running anything."""

from __future__ import annotations

from dataclasses import replace

from dbmigrate.postgres.history.adapter import Found
from dbmigrate.postgres.history.log import insert_log_sql
from dbmigrate.runner.planning.step import moves_up
from dbmigrate.runner.run import Run
from dbmigrate.versions import Version


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
                f"{insert_log_sql(database.history, row)}"
            )
        )
    )
    run.has_changed = database.found != wanted
    database.found = wanted
