"""Takes the place of the histories that other formats have in the same database.

Files of a new format begin at the version that a person names. The old files stay: an older image,
or another branch, has them, and their table still ends where it was. So the old history's log says
which one counts from here on, and a run of the old files is refused (dbmigrate.runner.ownership).
The new one's log says the same, so that both know where either loses its log.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import ServerFailure
from dbmigrate.postgres.connection.target import HistoryTable
from dbmigrate.postgres.history.foreign.formats import owner_of, taken_over_by, version_of
from dbmigrate.postgres.history.foreign.succession import name_in_notes
from dbmigrate.postgres.history.log.notes import NoteKind, Successor
from dbmigrate.postgres.history.log.rows import NewLogRow, insert_log_sql
from dbmigrate.postgres.history.relations import History
from dbmigrate.postgres.history.tables import create_sql, look
from dbmigrate.runner.history_writing import new_note, note_for
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.ownership import require_owner_of
from dbmigrate.runner.run import Run
from dbmigrate.versions import Version


def take_over(run: Run, adopted: Iterable[History] = ()) -> tuple[NewLogRow, ...]:
    """Mark the histories of other formats, and those that are adopted. The notes for the log of
    this one, which names them.

    Raises MigrationError: DatabaseConflict where another owner migrates one of them, LockTimeout
    while another run is at work in it. One that can't be marked is reported: the old tool's tables
    may belong to another role.
    """
    database, name = run.database, name_in_notes(run.database.history)
    session, history = database.session, database.history
    others = () if history.has_own_name else database.others.named
    if not history.has_own_name:
        for error in database.others.refused:
            text = f"no log says that {history.name} has taken its place: {error.message}"
            run.request.observer.notice(Notice("WARNING", text))
    newest = {row.name: row.direction for row in database.notes}
    notes = []
    replaced = {each.name: each for each in (*others, *adopted)}.values()
    _require_owner(run, replaced)
    for other in replaced:
        try:
            version = version_of(session, other)
            is_marked = taken_over_by(session, other) == name
        except (MigrationError, ServerFailure):
            session.roll_back()
            continue  # it can't be read, so no run can continue with it either
        if version is None:
            continue
        if not is_marked:
            database.wait_for(database.ids_of(other))  # a run there would go on after the mark
            _mark(run, other, version)
        if newest.get(name_in_notes(other)) != NoteKind.SUCCESSION:
            note = new_note(database, NoteKind.SUCCESSION, name_in_notes(other))
            notes.append(replace(note, checksum=str(version)))
    return tuple(notes)


def _require_owner(run: Run, replaced: Iterable[History]) -> None:
    if run.request.options.owner is None:
        return
    session = run.database.session
    for other in replaced:
        try:
            found = owner_of(session, other)
        except (MigrationError, ServerFailure):
            session.roll_back()
            continue  # no run can continue with it either
        require_owner_of(run, other, found)


def count_beside(run: Run, successor: Successor) -> None:
    """Let the log of the history that has taken this one's place say that this one counts as well.
    Where it can't be written, the log of this one says so alone."""
    database = run.database
    for other in database.others.all:
        if other.knows_log and name_in_notes(other) == str(successor):
            name = name_in_notes(database.history)
            row = note_for(database, other, NoteKind.BESIDE, name, None)
            try:
                sql = other.guarded(insert_log_sql(other, row))
                database.on_history(sql)
            except ServerFailure:
                database.session.roll_back()


def _mark(run: Run, other: History, version: Version | None) -> None:
    database, history = run.database, run.database.history
    session = database.session
    try:
        making = create_sql(replace(other, has_version_table=True))
        if making:
            database.on_history(making)
            wanted = HistoryTable(other.schema, other.table, other.kind)
            other = look(session, wanted).history
        row = note_for(database, other, NoteKind.TAKEOVER, name_in_notes(history), version)
        sql = other.guarded(insert_log_sql(other, row))
        database.on_history(sql)
    except (MigrationError, ServerFailure) as error:
        session.roll_back()
        text = (
            f"the log of {other.name} does not say that {history.name} has taken its place:"
            f" {error}; do not run the files of {other.kind} on this database any more"
        )
        run.request.observer.notice(Notice("WARNING", text))
