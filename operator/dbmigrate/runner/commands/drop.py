"""`drop`: remove all tables of the current schema, the history with them.

golang-migrate's Drop, table by table, in one transaction: only tables of the
schema; its types, functions, sequences and views without a table remain.
"""

from __future__ import annotations

from dbmigrate.postgres.connection.search_path import CURRENT_SCHEMA, KEEP_SCHEMA, SAFE
from dbmigrate.postgres.history.emptiness import first_in_schema
from dbmigrate.postgres.sqltext.quoting import identifier
from dbmigrate.runner.execution.own_statement import run_own
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.perform import perform
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.runner.run import Run

_TABLES = f"""
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = {CURRENT_SCHEMA} AND c.relkind IN ('r', 'p')
ORDER BY 2"""


def drop(request: Request) -> Result[None]:
    """Drop every table of the current schema, with all that depends on them."""

    def work(run: Run) -> None:
        session = run.database.session
        tables = [
            f"{identifier(schema or '')}.{identifier(name or '')}"
            for schema, name in session.query(_TABLES, before=KEEP_SCHEMA)[1]
        ]
        if not tables:
            return
        dropping = f"{SAFE}; DROP TABLE IF EXISTS {', '.join(tables)} CASCADE"
        run_own(run.database, dropping, "can't drop the tables")
        run.has_changed = True
        run.database.look_again()
        left = first_in_schema(session, run.database.history)
        if left is not None:
            schema = run.database.history.schema
            text = f"the schema {schema} still holds the {left}, and perhaps more: only tables are"
            run.request.observer.notice(Notice("WARNING", f"{text} dropped, as by golang-migrate"))

    return perform(request, work, with_log=False)
