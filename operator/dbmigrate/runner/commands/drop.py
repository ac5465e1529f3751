"""`drop`: empty the current schema, the history with it, in one transaction.

Tables go as in golang-migrate's Drop, with what depends on them (CASCADE). Views,
sequences, types, functions and the like, which golang-migrate leaves, go where nothing
outside the schema needs them: the next `up` would fail on them. What stays is named.
"""

from __future__ import annotations

from dbmigrate.postgres.connection.search_path import KEEP_SCHEMA, SAFE
from dbmigrate.postgres.schema.contents import DROP_OTHERS, OTHERS, TABLES
from dbmigrate.runner.execution.own_statement import run_own
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.perform import perform
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run

_SHOWN = 10
"""Objects that are named in the warning."""


def drop(request: Request) -> Result[None]:
    """Drop what the current schema holds."""

    def work(run: Run) -> None:
        session = run.database.session
        tables = [name or "" for _, name in session.query(TABLES, before=KEEP_SCHEMA)[1]]
        others = session.query(OTHERS, before=KEEP_SCHEMA)[1]
        if not tables and not others:
            return
        dropping = [KEEP_SCHEMA, SAFE]
        if tables:
            dropping.append(f"DROP TABLE IF EXISTS {', '.join(tables)} CASCADE")
        dropping.append(DROP_OTHERS)
        run_own(run.database, "; ".join(dropping), "can't empty the schema")
        run.has_changed = True
        run.database.look_again()
        left = session.query(OTHERS, before=KEEP_SCHEMA)[1]
        if left:
            run.request.observer.notice(Notice("WARNING", _describe(left)))

    return perform(request, work, with_log=False)


def _describe(left: list[tuple[str | None, ...]]) -> str:
    names = [name or "" for _, name in left[:_SHOWN]]
    if len(left) > _SHOWN:
        names.append(f"{len(left) - _SHOWN} more")
    return (
        f"not dropped in the schema {left[0][0]}: {', '.join(names)}: something outside the schema"
        " needs them, another role owns them, or they are extensions; drop them yourself if the"
        " next `up` makes them again"
    )
