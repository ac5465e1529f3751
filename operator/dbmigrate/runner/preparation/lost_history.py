"""A version table that says that nothing is applied, while a log says otherwise.

The table was dropped, emptied, or moved to another schema; or the files have another format
than before, whose table is a new one. All migrations would run again.
"""

from __future__ import annotations

from dataclasses import replace

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.search_path import CURRENT_SCHEMA, KEEP_SCHEMA
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import ATLAS_SCHEMA, HistoryKind, HistoryTable
from dbmigrate.postgres.history.registry import adapter_for
from dbmigrate.postgres.history.relations import History, log_name
from dbmigrate.postgres.history.tables import look
from dbmigrate.postgres.sqltext.quoting import literal
from dbmigrate.report import Reason
from dbmigrate.runner.run import Run
from dbmigrate.versions import Version


def require_history(run: Run) -> None:
    """Raise MigrationError (ForeignHistory) if nothing is applied by the table, and something by
    its log, or by the log of another format's table where this history has no log yet.

    A version that a person sets (`force`, `baseline`) is a row of the log, and explains both.
    """
    database = run.database
    if database.found.stored is not None:
        return
    log = [row for row in database.log if row.outcome == "applied"]
    if not log:
        _require_no_other_format(run)
    elif log[-1].to_version is not None:
        raise _lost(run, log[-1].to_version)


def _lost(run: Run, version: Version) -> MigrationError:
    history = run.database.history
    name = f"{history.schema}.{history.table}"
    state = "is empty" if history.has_version_table else "does not exist"
    return MigrationError(
        Reason.FOREIGN_HISTORY,
        f"{name} {state}, and its log {history.schema}.{log_name(history.table)} ends at version"
        f" {version}: all migrations would run again",
        hint=f"put the table back where it was; or `dbmigrate force {version}` if the database has"
        f" version {version}; or `dbmigrate force -1` if nothing is applied any more, as after"
        f" {adapter_for(history.kind).tool}'s own way down",
    )


def _require_no_other_format(run: Run) -> None:
    history = run.database.history
    if history.has_own_name:
        return
    for other in _other_logs(run.database.session, history):
        version = _end_of_log(run.database.session, other)
        if version is None:
            continue
        tool = adapter_for(other.kind).tool
        raise MigrationError(
            Reason.FOREIGN_HISTORY,
            f"{history.schema}.{history.table} has no version, and the log"
            f" {other.schema}.{log_name(other.table)} ends at version {version}:"
            f" the database was migrated with {tool}'s files before",
            hint=f"go on with those files (-format {other.kind}); or `dbmigrate baseline V` with"
            " the version of these files that the database has (`dbmigrate adopt` finds it where"
            " it can); or `dbmigrate force -1` if these files are a second history, which begins"
            " with its first file",
        )


def _other_logs(session: Session, history: History) -> list[History]:
    """The logs of other formats' tables under their default names, in the history's schema and
    in Atlas's; for Atlas's own, where the search path leads. Tables that may not be trusted, or
    not be read, do not count."""
    # dbmate's table has the name of golang-migrate's.
    kinds = {kind.default_table: kind for kind in HistoryKind if kind is not HistoryKind.DBMATE}
    kinds.pop(history.table, None)
    names = {log_name(table): HistoryTable(None, table, kind) for table, kind in kinds.items()}
    is_atlas = history.schema == ATLAS_SCHEMA
    elsewhere = CURRENT_SCHEMA if is_atlas else literal(ATLAS_SCHEMA)
    _, rows = session.query(
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname IN ({literal(history.schema)}, {elsewhere}) AND c.relkind = 'r'"
        f" AND c.relname IN ({', '.join(map(literal, names))}) ORDER BY 1, 2",
        before=KEEP_SCHEMA,
    )
    found = []
    for schema, log in rows:
        try:
            other = look(session, replace(names[log or ""], schema=schema)).history
        except MigrationError:
            continue
        if other.knows_log:
            found.append(other)
    return found


def _end_of_log(session: Session, history: History) -> Version | None:
    *_, rows = session.query(
        history.guarded_reading(
            f"SELECT to_version FROM {history.log_table} WHERE outcome = 'applied'"
            " ORDER BY id DESC LIMIT 1"
        )
    )
    return history.read_version(rows[0][0]) if rows else None
