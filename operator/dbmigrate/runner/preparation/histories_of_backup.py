"""The histories that a database has and a backup has not, before the backup is put in its place.

They record what was done after the backup was made. One that has replaced a history of the backup,
as `adopt` and `baseline` note, would count together with it and describe tables that are gone: it
is dropped, and so is a log or a table without its other half. Of any other history it is not known
whether the backup replaces its tables: the user decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.backup_contents import BackupContents
from dbmigrate.postgres.connection.errors import ServerFailure
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.history.emptiness import has_only_history
from dbmigrate.postgres.history.foreign.formats import find_all, succeeded_by, version_of
from dbmigrate.postgres.history.foreign.succession import name_in_notes
from dbmigrate.postgres.history.relations import History, batches_name, log_name
from dbmigrate.postgres.sqltext.quoting import identifier
from dbmigrate.report import Reason
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.run import Run


@dataclass(frozen=True, slots=True)
class NewerHistories:
    """What the backup has not."""

    dropped: tuple[tuple[str, str], ...]
    """The tables that go with the restore, by schema and name."""

    @property
    def names(self) -> str:
        """Them in a sentence."""
        return ", ".join(map(".".join, self.dropped))


def find_newer(run: Run, contents: BackupContents, *, keeps: bool) -> NewerHistories:
    """Find them, lock those that are dropped, and try whether they can be.

    `keeps`: those of which it is not known stay. Raises MigrationError: BackupFailed where it is
    for a person to say, LockTimeout while a run is at work in one.
    """
    session = run.database.session

    def is_wanted(schema: str, table: str) -> bool:
        return not all(contents.has_table(schema, each) for each in (table, log_name(table)))

    found = [each for each in find_all(session, is_wanted) if _missing(each, contents)]
    going = [each for each in found if len(_missing(each, contents)) < len(_tables(each))]
    going += _successors(session, [each for each in found if each not in going], contents)
    left = [each for each in found if each not in going]
    unknown = [each for each in left if _may_be_replaced(session, each, contents)]
    if unknown and not keeps:
        raise _unknown(unknown[0])
    for each in unknown:
        text = f"{each.name}, which the backup does not have, stays as it is"
        run.request.observer.notice(Notice("WARNING", text))
    newer = NewerHistories(
        tuple((each.schema, name) for each in going for name in _missing(each, contents))
    )
    for each in going:
        run.database.wait_for(run.database.ids_of(each))
    if newer.dropped:
        _try(run, newer)
    return newer


def drop_newer(run: Run, newer: NewerHistories) -> None:
    """Drop them once the backup is restored. Raises MigrationError (BackupFailed)."""
    if not newer.dropped:
        return
    try:
        run.database.on_history(_drop_sql(newer.dropped))
    except ServerFailure as failure:
        raise _undroppable(failure, "the backup was restored, but", newer) from None
    text = f"dropped, because they are newer than the backup: {newer.names}"
    run.request.observer.notice(Notice("WARNING", text))


def _try(run: Run, newer: NewerHistories) -> None:
    session = run.database.session
    try:
        session.query(f"{run.database.begun(_drop_sql(newer.dropped))}; ROLLBACK")
    except ServerFailure as failure:
        session.roll_back()
        raise _undroppable(failure, "nothing was restored:", newer) from None


def _drop_sql(tables: Iterable[tuple[str, str]]) -> str:
    names = (f"{identifier(schema)}.{identifier(name)}" for schema, name in tables)
    return f"DROP TABLE {', '.join(names)}"


def _tables(history: History) -> list[str]:
    """The names of those that there are."""
    exist = {
        history.table: history.has_version_table,
        log_name(history.table): history.has_log_table,
        batches_name(history.table): history.has_batches_table,
    }
    return [name for name, is_there in exist.items() if is_there]


def _missing(history: History, contents: BackupContents) -> list[str]:
    names = _tables(history)
    return [name for name in names if not contents.has_table(history.schema, name)]


def _successors(
    session: Session, found: Sequence[History], contents: BackupContents
) -> Iterator[History]:
    """Those that say that they count in the place of one that the backup has, or of one of
    these."""
    notes = {each: succeeded_by(session, each) for each in found}
    replaced: set[str] = set()
    while True:
        more = [
            each
            for each, names in notes.items()
            if name_in_notes(each) not in replaced
            and any(name in replaced or _has(contents, name) for name in names)
        ]
        if not more:
            return
        yield from more
        replaced |= {name_in_notes(each) for each in more}


def _has(contents: BackupContents, name: str) -> bool:
    """By the name in a note: its format, its schema and its table."""
    schema, _, table = name.partition(" ")[2].partition(".")
    return contents.has_table(schema, table)


def _may_be_replaced(session: Session, history: History, contents: BackupContents) -> bool:
    """Whether it has a version, and its files may have made tables of the backup: those of its
    schema, or, if that has nothing but the history, any."""
    is_elsewhere = not contents.has_schema(history.schema)
    if is_elsewhere and not has_only_history(session, history):
        return False
    try:
        return version_of(session, history) is not None
    except ServerFailure:
        session.roll_back()
    except MigrationError:
        pass  # its rows contradict each other: it has some
    return True


def _unknown(history: History) -> MigrationError:
    drop = _drop_sql((history.schema, name) for name in _tables(history))
    return MigrationError(
        Reason.BACKUP_FAILED,
        f"the backup does not have the history {history.name}, which would go on to say which"
        " files were applied to tables that the backup replaces: nothing was restored",
        hint="restore into a new database; or, if the backup is to count in its place,"
        f" `{drop}` first; or, if its files concern other tables only, add -keep-histories",
    )


def _undroppable(failure: ServerFailure, what: str, newer: NewerHistories) -> MigrationError:
    return MigrationError(
        Reason.BACKUP_FAILED,
        f"{what} the history tables that the backup does not have can't be dropped:"
        f" {failure.error.message}",
        sqlstate=failure.sqlstate,
        detail=failure.error.detail,
        hint=f"remove what prevents it; or, as their owner: {_drop_sql(newer.dropped)}",
    )
