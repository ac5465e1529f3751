"""A database that another tool has migrated: nothing runs beside its history unasked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dbmigrate.postgres.connection.target import HistoryKind, HistoryTable
from dbmigrate.postgres.history.foreign.tools import TOOL_TABLES, ToolTable
from dbmigrate.postgres.history.orm_history import Orm
from dbmigrate.postgres.sqltext.quoting import identifier
from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.baseline import baseline
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.read_only.plan import preview
from dbmigrate.runner.commands.read_only.status import status
from dbmigrate.runner.commands.read_only.version import version
from dbmigrate.runner.commands.read_only.wait import OrmMigration, wait
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from tests.database import Database
from tests.runner.arrange import Witness, migration, request, source

pytestmark = pytest.mark.database

WAYS = {
    "dbmate": "-format dbmate",
    "Flyway": "-format flyway",
    "Django": "-history django",
    "Rails": "-history rails",
}
"""How some of them are waited for."""
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
        for is_probe in (False, True):
            asked = wanted(database, table)
            waited = wait(asked, 1, timeout=0, is_probe=is_probe)
            assert waited.error is not None
            assert waited.error.message.count(place) == 1
            assert waited.error.reason is Reason.FOREIGN_HISTORY
            assert WAYS.get(table.tool, "") in waited.error.message
            assert isinstance(asked.observer, Witness)
            told = [each for each in asked.observer.notices if place in each.message]
            assert len(told) == (0 if is_probe else 1)
        database.execute(f"DROP TABLE {name}")
    assert up(wanted(database)).report.outcome is Outcome.APPLIED


@pytest.mark.parametrize("orm", Orm)
def test_who_waits_for_an_orm_hears_what_is_there_instead(database: Database, orm: Orm) -> None:
    target = replace(request(database).target, history=HistoryTable(None, orm.table))
    for table in TOOL_TABLES:
        if orm.label == table.tool or table.name == orm.table:
            continue
        name = make(database, table)
        place = f"{table.schema or 'public'}.{table.name}, the history of {table.tool}"
        for is_probe in (False, True):
            asked = replace(request(database, observer=Witness()), target=target)
            waited = wait(asked, OrmMigration(orm, "x"), timeout=0, is_probe=is_probe)
            assert waited.error is not None
            assert f"there is no public.{orm.table}" in waited.error.message
            assert place in waited.error.message
        database.execute(f"DROP TABLE {name}")


@pytest.mark.parametrize("kind", [each for each in HistoryKind if each is not HistoryKind.DBMATE])
def test_who_waits_for_another_format_hears_which_one_the_database_has(
    database: Database, kind: HistoryKind
) -> None:
    """Also where dbmigrate itself has migrated it, by files of the other format."""
    up(wanted(database)).unwrap()
    asked = wanted(database)
    history = asked.target.history.of(kind)
    asked = replace(asked, target=replace(asked.target, history=history))
    for is_probe in (False, True):
        waited = wait(asked, 7, timeout=0, is_probe=is_probe)
        assert waited.error is not None
        has_named = "-format golang-migrate waits for its versions" in waited.error.message
        assert has_named is (kind is not HistoryKind.GOLANG_MIGRATE)
    orm = replace(
        asked, target=replace(asked.target, history=HistoryTable(None, "alembic_version"))
    )
    waited = wait(orm, OrmMigration(Orm.ALEMBIC, "x"), timeout=0)
    assert waited.error is not None
    assert "-format golang-migrate waits for its versions" in waited.error.message


def test_the_files_of_atlas_do_not_run_beside_the_history_of_another_tool(
    database: Database,
) -> None:
    """Atlas's table is in a schema of its own, the other tools' where the search path leads."""
    asked = wanted(database)
    atlas = replace(asked.target, history=asked.target.history.of(HistoryKind.ATLAS))
    for table in TOOL_TABLES:
        if table.kind is HistoryKind.ATLAS:
            continue
        name = make(database, table)
        assert table.tool in refusal(up(replace(asked, target=atlas)))
        database.execute(f"DROP TABLE {name}")


def test_wait_names_what_it_has_found_once_and_still_waits(database: Database) -> None:
    make(database, next(each for each in TOOL_TABLES if each.tool == "Knex"))

    class Decided(Witness):
        """Lets the files begin as a second history once it is told of the first one."""

        def notice(self, notice: Notice) -> None:
            super().notice(notice)
            if len(self.notices) == 1:
                force(wanted(database), None).unwrap()
                up(wanted(database)).unwrap()

    witness = Decided()
    asked = replace(wanted(database), observer=witness)
    assert wait(asked, 1, timeout=60).error is None
    assert [each.message for each in witness.notices] == [
        "waiting: the database has no version, 1 is wanted; it has public.knex_migrations,"
        " the history of Knex: `dbmigrate wait` does not read it",
        "the database is at version 1",
    ]


def test_the_remedy_is_the_tools_own(database: Database) -> None:
    remedies = {
        "goose_db_version": "-format goose",
        "alembic_version": "`dbmigrate adopt -from alembic -as V`",
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
