"""A database that another tool has migrated: nothing runs beside its history unasked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dbmigrate.postgres.connection.target import HistoryKind
from dbmigrate.postgres.history.foreign.tools import TOOL_TABLES, ToolTable
from dbmigrate.postgres.sqltext.quoting import identifier
from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.baseline import baseline
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.read_only.plan import preview
from dbmigrate.runner.commands.read_only.status import status
from dbmigrate.runner.commands.read_only.version import version
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from tests.database import Database
from tests.runner.arrange import Witness, migration, request, source

pytestmark = pytest.mark.database

FILES = source(migration(1, "CREATE TABLE t (n int)"))


def wanted(database: Database, table: ToolTable | None = None) -> Request:
    """With golang-migrate's files; with goose's where the table is golang-migrate's own name."""
    plain = request(database, FILES, observer=Witness())
    if table is not None and table.name == "schema_migrations" and table.schema is None:
        goose = plain.target.history.of(HistoryKind.GOOSE)
        return replace(plain, target=replace(plain.target, history=goose))
    return plain


def make(database: Database, table: ToolTable) -> str:
    """Create the tool's table; its name as messages show it."""
    schema = table.schema or "public"
    columns = ", ".join(f"{identifier(name)} text" for name in sorted(table.columns))
    name = f"{schema}.{identifier(table.name)}"
    database.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}; CREATE TABLE {name} ({columns})")
    return name


def refusal(result: Result[Any]) -> str:
    assert result.error is not None
    assert result.error.reason is Reason.FOREIGN_HISTORY
    assert result.report.steps == ()
    return f"{result.error.message}; {result.error.hint}"


def test_the_table_of_each_tool_stops_the_first_run(database: Database) -> None:
    for table in TOOL_TABLES:
        name = make(database, table)
        place = f"{table.schema or 'public'}.{table.name}, the history of {table.tool}"
        for command in (up, goto, preview):
            text = refusal(command(wanted(database, table)))
            assert place in text
            assert "`dbmigrate force -1`" in text
        for look in (status, version):
            asked = wanted(database, table)
            assert look(asked).error is None
            assert isinstance(asked.observer, Witness)
            (notice,) = asked.observer.notices
            assert place in notice.message
        database.execute(f"DROP TABLE {name}")
    assert up(wanted(database)).report.outcome is Outcome.APPLIED


def test_the_remedy_is_the_tools_own(database: Database) -> None:
    remedies = {
        "goose_db_version": "-format goose",
        "alembic_version": "`dbmigrate adopt -from alembic`",
        "knex_migrations": "`dbmigrate baseline V`",
    }
    for table in TOOL_TABLES:
        if table.name in remedies:
            name = make(database, table)
            assert remedies[table.name] in refusal(up(wanted(database)))
            database.execute(f"DROP TABLE {name}")


@pytest.mark.parametrize("decide", [force, baseline])
def test_a_person_decides(database: Database, decide: Any) -> None:
    make(database, next(each for each in TOOL_TABLES if each.tool == "Django"))
    number = None if decide is force else 1
    decide(wanted(database), number).unwrap()
    done = up(wanted(database))
    assert done.error is None
    assert len(done.report.steps) == (1 if number is None else 0)


def test_a_table_of_that_name_alone_is_no_history(database: Database) -> None:
    database.execute("CREATE TABLE migrations (birds text); CREATE TABLE changes (id int)")
    database.execute("CREATE VIEW alembic_version AS SELECT 'x'::text AS version_num")
    assert up(wanted(database)).report.outcome is Outcome.APPLIED


def test_a_history_with_a_name_of_its_own_is_a_second_one(database: Database) -> None:
    make(database, next(each for each in TOOL_TABLES if each.tool == "Django"))
    plain = wanted(database)
    named = replace(plain.target.history, name="shop_versions")
    assert up(replace(plain, target=replace(plain.target, history=named))).error is None
