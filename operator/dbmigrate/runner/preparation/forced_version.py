"""Sets the version by order of a person, without running anything."""

from __future__ import annotations

from dataclasses import replace

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.history.adapter import Found
from dbmigrate.postgres.history.log.notes import NoteKind
from dbmigrate.postgres.history.log.rows import NewLogRow, insert_log_sql
from dbmigrate.postgres.history.relations import History
from dbmigrate.runner.history_writing import new_note, new_row, prepare_to_write
from dbmigrate.runner.planning.plan import no_migration
from dbmigrate.runner.planning.squashed import counted
from dbmigrate.runner.planning.step import moves_up
from dbmigrate.runner.run import Run
from dbmigrate.versions import Version


def set_version(
    run: Run, direction: str, version: Version | None, adopted: tuple[History, ...] = ()
) -> None:
    """Write the version row by order of a person, and record this in the log.

    A version in the place of none takes the place of the histories of other formats as well: those
    that are `adopted`, and those under the names of their tools. So does one in a history whose
    place was taken. Version 0 does not: it is a second history, in addition to the others.
    """
    database = run.database
    successor = database.successor
    is_new = database.found.stored is None and not any(
        row.outcome == "applied" for row in database.log
    )
    run.target = version
    source = run.request.source
    moves = moves_up(counted(source)) if source else None
    try:
        if direction == "baseline" and version is not None:
            wanted = database.found.baselined(version, moves)
        else:
            wanted = database.found.forced(version, moves)
    except MigrationError as error:
        if version is not None and source is not None and source.stands_for(version):
            raise no_migration(version, source=source) from error
        raise
    is_second = version is None or says_nothing(run, version)
    notes: tuple[NewLogRow, ...] = ()
    if not is_second and (is_new or successor is not None):
        from dbmigrate.runner.preparation.takeover import take_over

        notes = take_over(run, adopted)
    elif is_second and successor is not None:
        from dbmigrate.runner.preparation.takeover import count_beside

        count_beside(run, successor)
    if successor is not None:
        notes = (*notes, new_note(database, NoteKind.TAKEOVER, ""))
    write_history(run, direction, wanted, notes)


def says_nothing(run: Run, version: Version) -> bool:
    """Whether a version says that the database has none of the files: 0, where no file has it."""
    source = run.request.source
    has_file = source is not None and source.knows(version)
    return not has_file and not str(version).strip("0.")


def write_history(
    run: Run, direction: str, wanted: Found, notes: tuple[NewLogRow, ...] = ()
) -> None:
    """Set the tool's table to the expected content, and record this and these rows in the log."""
    database = run.database
    prepare_to_write(database)
    row = new_row(database, direction, version=None, name="", found=database.applied.version)
    row = replace(row, to_version=wanted.version)
    history = database.history
    statements = [
        database.found.set_sql(history.version_table, wanted),
        *(insert_log_sql(history, each) for each in (row, *notes)),
    ]
    database.on_history(history.guarded("; ".join(statements)))
    database.history = history.with_rows
    run.has_changed = database.found != wanted
    database.found = wanted
