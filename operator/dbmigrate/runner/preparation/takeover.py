"""Takes the place of the histories that other formats have in the same database.

Files of a new format begin at the version that a person names. The old files stay: an older image,
or another branch, has them, and their table still ends where it was. So the old history's log says
which one counts from here on, and a run of the old files is refused (dbmigrate.runner.ownership).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import ServerFailure
from dbmigrate.postgres.connection.target import HistoryTable
from dbmigrate.postgres.history.advisory_locks import wait_for_lock
from dbmigrate.postgres.history.foreign.formats import (
    find_other_formats,
    is_taken_over,
    version_of,
)
from dbmigrate.postgres.history.log.notes import NoteKind
from dbmigrate.postgres.history.log.rows import insert_log_sql
from dbmigrate.postgres.history.relations import History
from dbmigrate.postgres.history.tables import create_sql, look
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.run import Run
from dbmigrate.versions import Version


def take_over(run: Run, adopted: Iterable[History] = ()) -> None:
    """Mark the histories of other formats, and those that are adopted.

    Raises MigrationError (LockTimeout) while another run is at work in one of them. One that can't
    be marked is reported: the old tool's tables may belong to another role.
    """
    session, history = run.database.session, run.database.history
    others = [] if history.has_own_name else find_other_formats(session, history)
    for other in {each.name: each for each in (*others, *adopted)}.values():
        try:
            version = version_of(session, other)
            is_live = version is not None and not is_taken_over(session, other)
        except (MigrationError, ServerFailure):
            session.roll_back()
            continue  # it can't be read, so no run can continue with it either
        if is_live:
            _lock(run, other)
            _mark(run, other, version)


def _lock(run: Run, other: History) -> None:
    """A run that is under way there would go on after the mark."""
    wait_for_lock(
        run.database.session,
        run.database.ids_of(other),
        timeout=run.request.options.lock_timeout,
        should_stop=lambda: run.request.stop.is_requested,
        on_wait=run.request.observer.waiting_for_lock,
    )


def _mark(run: Run, other: History, version: Version | None) -> None:
    database, history = run.database, run.database.history
    session = database.session
    try:
        making = create_sql(replace(other, has_version_table=True))
        if making:
            database.on_history(making)
            wanted = HistoryTable(other.schema, other.table, other.kind)
            other = look(session, wanted).history
        name = f"{history.kind} {history.name}"
        row = database.note_for(other, NoteKind.TAKEOVER, name, version)
        sql = other.guarded(insert_log_sql(other, row))
        database.on_history(sql)
    except (MigrationError, ServerFailure) as error:
        session.roll_back()
        text = (
            f"the log of {other.name} does not say that {history.name} has taken its place:"
            f" {error}; do not run the files of {other.kind} on this database any more"
        )
        run.request.observer.notice(Notice("WARNING", text))
