"""A version table in which nothing is applied, while a log ends at a version.

The table was dropped, emptied, or moved to another schema, with its log or without it; or the files
have another format than before, whose table is a new one. All migrations would run again.
"""

from __future__ import annotations

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import ServerFailure
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import ATLAS_SCHEMA, HistoryKind, HistoryTable
from dbmigrate.postgres.history.foreign.formats import (
    end_of_log,
    has_begun_since,
    has_lost_rows,
    taken_over_by,
    version_in_table,
    version_of,
)
from dbmigrate.postgres.history.foreign.renamed import end_of_renamed, schemas_of_history
from dbmigrate.postgres.history.formats.registry import adapter_for
from dbmigrate.postgres.history.log.notes import NoteKind
from dbmigrate.postgres.history.relations import History, log_name
from dbmigrate.postgres.history.tables import look
from dbmigrate.postgres.sqltext.quoting import identifier
from dbmigrate.report import Reason
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.ownership import find_left, require_live
from dbmigrate.runner.preparation.fresh_schema import is_fresh
from dbmigrate.runner.run import Run
from dbmigrate.versions import Version


def require_history(run: Run) -> None:
    """Raise MigrationError (ForeignHistory) if nothing is applied by the table, and something by
    its log, or by the log of another history where this one's has no row that tells.

    A version that a person sets (`force`, `baseline`) is a row of the log, and explains both.
    """
    error = find_loss(run)
    if error is not None:
        raise error


def find_loss(run: Run) -> MigrationError | None:
    """That error; None: nothing was lost."""
    database = run.database
    if database.found.stored is not None:
        return None
    log = [row for row in database.log if row.outcome == "applied"]
    if log:
        version = log[-1].to_version
        if version is None:
            return _begun_since(run, log[-1].finished_at)
        return _lost(run, version)
    # Of a log whose steps were removed, notes may be left that say where the database was.
    noted = [row.to_version for row in database.notes if row.to_version is not None]
    if noted:
        return _lost(run, noted[-1])
    for note in database.others.notes:
        if note.kind is NoteKind.TAKEOVER:
            return _lost_successor(run, note.history, note.version)
    left = find_left(run)
    if left is not None:
        return left
    if database.has_lost_all:
        return _lost_all(run)
    return _renamed(run) or _renamed_schema(run) or _other_format(run)


def warn_of_history(run: Run) -> None:
    """Tell the observer what would stop a run, for a command that only reads."""
    try:
        require_history(run)
        require_live(run)
    except MigrationError as error:
        text = f"{error.message}; {error.hint}" if error.hint else error.message
        run.request.observer.notice(Notice("WARNING", text))


def _state(run: Run) -> str:
    history = run.database.history
    return f"{history.name} {'is empty' if history.has_version_table else 'does not exist'}"


def _log_of(history: History) -> str:
    return f"{history.schema}.{log_name(history.table)}"


def _lost(run: Run, version: Version) -> MigrationError:
    history = run.database.history
    return MigrationError(
        Reason.FOREIGN_HISTORY,
        f"{_state(run)}, and its log {_log_of(history)} ends at version {version}:"
        " all migrations would run again",
        hint=f"restore the table; or `dbmigrate force {version}` if the database has"
        f" version {version}; or `dbmigrate force -1` if nothing is applied any more, as after"
        f" {adapter_for(history.kind).tool}'s own way down",
    )


_WAYS_ON = (
    "`dbmigrate baseline V` with the version of these files that the database has; or `dbmigrate"
    " force -1` if nothing is applied any more"
)


def _lost_successor(run: Run, other: History, version: Version | None) -> MigrationError:
    """The other one's log says that this history counts from that version on."""
    history = run.database.history
    log = "its log has no rows" if history.has_log_table else "it has no log"
    at = "" if version is None else f" at version {version}"
    return MigrationError(
        Reason.FOREIGN_HISTORY,
        f"{_state(run)}, {log}, and {_log_of(other)} says that it has replaced"
        f" {other.name}{at}: all migrations would run again",
        hint=f"put back the table and its log; or {_WAYS_ON}; or, to continue with the files of"
        f" {other.kind}, `dbmigrate -format {other.kind} force V`",
    )


def _lost_all(run: Run) -> MigrationError:
    history = run.database.history
    return MigrationError(
        Reason.FOREIGN_HISTORY,
        f"{_state(run)}, and its log {_log_of(history)} had rows and is now empty: all"
        " migrations would run again",
        hint=f"put back the rows of both from a backup; or {_WAYS_ON}; or `dbmigrate adopt` where"
        " another tool's table has the version",
    )


def _renamed(run: Run) -> MigrationError | None:
    """A log in the same schema that had the name of this one's when it got its first row."""
    session, history = run.database.session, run.database.history
    others = run.database.others
    for log in others.renamed_logs:
        version = end_of_renamed(session, history, log)
        if version is None:
            continue
        tables = (each for each in others.all if each.has_version_table)
        names = [each.name for each in tables if _log_of(each) == f"{history.schema}.{log}"]
        named = f"; or name them: -history-table {names[0]}" if names else ""
        return MigrationError(
            Reason.FOREIGN_HISTORY,
            f"{_state(run)}, and {history.schema}.{log}, which was its log under another name, ends"
            f" at version {version}: all migrations would run again",
            hint=f"give the table and its log their names back{named}; or {_WAYS_ON}",
        )
    return None


def _begun_since(run: Run, time: str | None) -> MigrationError | None:
    """A history of another format that began after this one had said that nothing is applied: then
    it was not yet there for a person to call this one a second history."""
    session, history = run.database.session, run.database.history
    if history.has_own_name or time is None:
        return None
    for other in run.database.others.named:
        if not has_begun_since(session, other, time):
            continue
        remains = _remains(session, other)
        if not remains:
            continue
        tool = adapter_for(other.kind).tool
        return MigrationError(
            Reason.FOREIGN_HISTORY,
            f"{history.name} has no version, and {remains}, which began after that: the database"
            f" was migrated with {tool}'s files since",
            hint=f"continue with those files (-format {other.kind}); or {_WAYS_ON}, or if these"
            " files are a second history",
        )
    return None


def _renamed_schema(run: Run) -> MigrationError | None:
    """Atlas's history alone in another schema than Atlas's own, which it was before a renaming."""
    session, history = run.database.session, run.database.history
    kind = HistoryKind.ATLAS
    is_its_own = history.kind is kind
    if history.has_own_name or (is_its_own and history.schema != kind.default_schema):
        return None
    found: list[tuple[Version | None, str, str]] = []
    for schema in schemas_of_history(session, kind.default_table, history.schema):
        try:
            other = look(session, HistoryTable(schema, kind.default_table, kind)).history
            version = version_of(session, other)
        except (MigrationError, ServerFailure) as error:
            session.roll_back()
            found.append((None, schema, f"can't be read ({error})"))
        else:
            if version is not None:
                found.append((version, schema, f"is at version {version}"))
            elif has_lost_rows(session, other):
                found.append((None, schema, "had rows in its log, which is now empty"))
    if not found or is_fresh(run):
        return None
    # Of several the newest is the one to continue with.
    _, schema, state = max(found, key=lambda each: (each[0] is not None, str(each[0])))
    name = f"{schema}.{kind.default_table}"
    more = f" (and {len(found) - 1} like it, no newer)" if len(found) > 1 else ""
    files = "" if is_its_own else f" -format {kind}"
    return MigrationError(
        Reason.FOREIGN_HISTORY,
        f"{_state(run)}, and {name}, a history of Atlas in a schema of its own{more}, {state}: what"
        " it has applied would run again",
        hint=f"if the schema was renamed, give it its name back: ALTER SCHEMA"
        f" {identifier(schema)} RENAME TO {identifier(ATLAS_SCHEMA)}; or continue with that"
        f" history:{files} -history-table {name}; or {_WAYS_ON}, or if these files are a second"
        " history",
    )


def _other_format(run: Run) -> MigrationError | None:
    session, history = run.database.session, run.database.history
    if history.has_own_name:
        return None
    found = [(each, _remains(session, each)) for each in run.database.others.named]
    found = [(each, remains) for each, remains in found if remains]
    if any(each.schema != history.schema for each, _ in found) and is_fresh(run):
        found = [(each, remains) for each, remains in found if each.schema == history.schema]
    # The one that counts is named, if there is one.
    found.sort(key=lambda pair: taken_over_by(session, pair[0]) != "")
    for other, remains in found:
        tool = adapter_for(other.kind).tool
        return MigrationError(
            Reason.FOREIGN_HISTORY,
            f"{history.name} has no version, and {remains}: the database was migrated with"
            f" {tool}'s files before",
            hint=f"continue with those files (-format {other.kind}); or `dbmigrate baseline V` with"
            " the version of these files that the database has (`dbmigrate adopt` finds it where"
            " it can); or `dbmigrate force -1` if these files are a second history, which"
            " starts with its first file",
        )
    for error in run.database.others.refused:
        return MigrationError(
            Reason.FOREIGN_HISTORY,
            f"{history.name} has no version, and another history can't be read, which may say that"
            f" these files were applied: {error.message}",
            hint=f"{error.hint}; or {_WAYS_ON}, or if these files are a second history",
        )
    return None


def _remains(session: Session, other: History) -> str:
    """What shows that something was applied by another format's history; empty: nothing does.

    A table without a log is known by itself (other_history.py beside this module).
    """
    if not other.has_log_table:
        return ""
    version = end_of_log(session, other)
    if version is not None:
        return f"the log {_log_of(other)} ends at version {version}"
    try:
        version = version_in_table(session, other)
    except ServerFailure:
        session.roll_back()  # what may not be read says nothing
    except MigrationError as error:
        return error.message  # its rows contradict each other
    if version is not None:
        return f"{other.name} is at version {version}"
    if has_lost_rows(session, other):
        return f"the log {_log_of(other)} had rows and is now empty"
    return ""
