"""`drop`: empty the current schema, the history with it, in one transaction.

Tables go as in golang-migrate's Drop, with what depends on them (CASCADE). Views,
sequences, types, functions and the like, which golang-migrate leaves, go where nothing
outside the schema needs them: the next `up` would fail on them. What stays is named. What
would be dropped in other schemas, or is another role's, is named and refused unless the caller
has agreed.
"""

from __future__ import annotations

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.search_path import KEEP_SCHEMA, SAFE
from dbmigrate.postgres.schema.contents import DROP_OTHERS, OTHERS, TABLES
from dbmigrate.postgres.schema.dependents import ENTAILED, entailed_sql, guard_sql
from dbmigrate.report import Reason
from dbmigrate.runner.execution.own_statement import run_own
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.perform import perform
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run

_SHOWN = 10
"""Objects that are named in the warning."""


def drop(request: Request, *, cascade: bool = False) -> Result[None]:
    """Drop what the current schema holds; with `cascade` also what is not its own."""

    def work(run: Run) -> None:
        session, history = run.database.session, run.database.history.table
        tables = [name or "" for _, name in session.query(TABLES, before=KEEP_SCHEMA)[1]]
        others = session.query(OTHERS, before=KEEP_SCHEMA)[1]
        if not tables and not others:
            return
        entailed = session.query(entailed_sql(history), before=KEEP_SCHEMA)[1]
        if entailed and not cascade:
            raise _refused(_shorten([name or "" for (name,) in entailed]))
        dropping = [KEEP_SCHEMA, SAFE]
        if not cascade:
            # A lock was perhaps waited for: what depends on the tables may be new.
            lock = f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE"
            dropping += [*([lock] if tables else []), guard_sql(history)]
        if tables:
            dropping.append(f"DROP TABLE IF EXISTS {', '.join(tables)} CASCADE")
        dropping.append(DROP_OTHERS)
        try:
            run_own(run.database, "; ".join(dropping), "can't empty the schema")
        except MigrationError as error:
            _, is_entailed, name = error.message.partition(ENTAILED)
            raise _refused(name.strip(': "')) if is_entailed else error from None
        run.has_changed = True
        run.database.look_again()
        left = session.query(OTHERS, before=KEEP_SCHEMA)[1]
        if left:
            run.request.observer.notice(Notice("WARNING", _describe(left)))
        if entailed:
            names = _shorten([name or "" for (name,) in entailed])
            run.request.observer.notice(Notice("WARNING", f"also dropped: {names}"))

    # The log is read for the owner alone.
    return perform(request, work, with_log=request.options.owner is not None)


def _refused(names: str) -> MigrationError:
    return MigrationError(
        Reason.STATEMENT_FAILED,
        f"nothing was dropped: objects that do not belong to the schema would be dropped: {names}",
        hint="move or drop these first, or add -cascade, which also drops them",
    )


def _shorten(names: list[str]) -> str:
    if len(names) > _SHOWN:
        names = [*names[:_SHOWN], f"{len(names) - _SHOWN} more"]
    return ", ".join(names)


def _describe(left: list[tuple[str | None, ...]]) -> str:
    names = _shorten([name or "" for _, name in left])
    return (
        f"not dropped in the schema {left[0][0]}: {names}: something outside the schema"
        " needs them, another role owns them, or they are extensions; drop them yourself if the"
        " next `up` creates them again"
    )
