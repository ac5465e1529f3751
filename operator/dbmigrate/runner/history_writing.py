"""Writing to the history outside of steps: its tables, and notes in the log.

Imported only by a run that writes: most runs find nothing to do.
"""

from __future__ import annotations

from dataclasses import replace

from dbmigrate import __version__
from dbmigrate.postgres.connection.errors import ServerFailure, history_failure
from dbmigrate.postgres.connection.session import Row
from dbmigrate.postgres.history import tables as history_tables
from dbmigrate.postgres.history.log.lost_rows import written
from dbmigrate.postgres.history.log.notes import (
    NOTE_VERSION,
    NOTED,
    NoteKind,
    find_owner,
    noted_row,
)
from dbmigrate.postgres.history.log.rows import NewLogRow, advance_identity_sql, insert_log_sql
from dbmigrate.postgres.history.log_shape import require_writable
from dbmigrate.postgres.history.relations import History, log_name
from dbmigrate.postgres.sqltext.quoting import literal
from dbmigrate.runner.database import Database
from dbmigrate.versions import Version, reader_of


def prepare_to_write(database: Database) -> None:
    """Create the tables where they are missing, bring the log's shape up to date, correct its
    identity column where that is below the log's rows, and record changes that other tools
    made.

    Raises MigrationError (StatementFailed) when the role may not.
    """
    _create(database, history_tables.create_sql(database.history))
    log = log_name(database.history.table)
    require_writable(database.history.schema, log, database.history.log_shape)
    if database.is_identity_behind:
        # Logical replication copies rows, but not the state of sequences.
        _prepare(database, advance_identity_sql(database.history, database.newest_id))
        database.is_identity_behind = False
    _record_gap(database)
    _note_lost(database)
    note_owner(database)


def note_owner(database: Database) -> None:
    """Record the owner of the run, if the log or its table names another one."""
    owner = database.request.options.owner
    if owner is None or not database.reads_log:
        return
    comment = database.history.owner_sql(str(owner))
    if find_owner(database.notes) != owner:
        _note_lost(database)  # the first row after the loss may be this one
        note(database, NoteKind.OWNER, str(owner), also=comment)
    elif comment:
        _prepare(database, database.history.guarded_shape(comment))
    database.history = database.history.with_owner(str(owner))


def note(
    database: Database, kind: NoteKind, text: str, *, checksum: str | None = None, also: str = ""
) -> None:
    """Append a note to the log, and read it back, in one transaction with a further statement.
    Raises MigrationError."""
    row = new_note(database, kind, text, checksum=checksum)
    first = f"{also}; " if also else ""
    sql = f"{first}{insert_log_sql(database.history, row)} RETURNING id"
    ((number,),) = _prepare(database, database.history.guarded(sql))[-1]
    database.notes += (noted_row(int(number or 0), row),)


def new_note(
    database: Database, kind: NoteKind, text: str, *, checksum: str | None = None
) -> NewLogRow:
    """The row of a note."""
    row = note_for(database, database.history, kind, text, database.found.version)
    return replace(row, checksum=checksum)


def note_for(
    database: Database, history: History, kind: NoteKind, text: str, found: Version | None
) -> NewLogRow:
    """The row of a note in the log of this or another history, which is at version `found`."""
    version = reader_of(history.kind)(str(NOTE_VERSION))
    row = new_row(database, kind.value, version=version, name=text, found=found)
    return replace(row, outcome=NOTED)


def _record_gap(database: Database) -> None:
    gap = database.applied.gap
    if gap is None:
        return
    row = new_row(database, "gap", version=None, name="", found=gap.from_version)
    row = replace(row, to_version=gap.to_version)
    _prepare(database, database.history.guarded(insert_log_sql(database.history, row)))
    database.applied.gap = None


def _note_lost(database: Database) -> None:
    """Record, with the first row after the loss, what the files show of the lost ones."""
    here = database.found.version
    if database.lost is None or database.applied.is_exact or here is None:
        return
    source = database.request.source
    noted = [row for row in database.notes if row.direction == NoteKind.LOST]
    if noted and (noted[-1].checksum or source is None):
        return  # a run without the files may have noted it
    versions = {v for v in source.versions if v <= here} if source is not None else set()
    database.lost = frozenset(versions - set(database.applied.recorded))
    if database.lost or not noted:
        note(database, NoteKind.LOST, "rows", checksum=written(database.lost))


def prepare_batches(database: Database) -> None:
    """Create the table of batches where it is missing. Raises MigrationError."""
    if not database.history.has_batches_table:
        from dbmigrate.postgres.batches.state import create_sql

        _create(database, create_sql(database.history))
    log = log_name(database.history.table)
    require_writable(database.history.schema, log, database.history.log_shape)


def _create(database: Database, sql: str) -> None:
    """Create tables, and check them: another role may have created them first."""
    if not sql:
        return
    history = database.history
    looked = history_tables.tables_sql(literal(history.schema), history.table)
    (columns,) = _prepare(database, f"{sql}; {looked}")
    wanted = replace(database.request.target.history, name=history.table, kind=history.kind)
    database.history = history_tables.read_tables(database.session, columns, history.schema, wanted)
    database.history.require_log()


def _prepare(database: Database, sql: str) -> list[list[Row]]:
    try:
        return database.on_history(sql)
    except ServerFailure as failure:
        table = f"{database.history.schema}.{database.history.table}"
        raise history_failure(failure, f"can't prepare the history {table}") from None


def new_row(
    database: Database, direction: str, *, version: Version | None, name: str, found: Version | None
) -> NewLogRow:
    """A row for the log, with this run's identity."""
    return NewLogRow(
        version=version,
        name=name,
        direction=direction,
        from_version=found,
        to_version=found,
        executed_from=database.request.options.who,
        tool_version=__version__,
    )
