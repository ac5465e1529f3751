"""A version table that is gone or empty while a log says that migrations are applied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dbmigrate.postgres.connection.target import HistoryKind
from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.baseline import baseline
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.drop import drop
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.read_only.plan import preview
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from dbmigrate.sources.migration import Migration, Source
from dbmigrate.versions import are_numbers, reader_of
from tests.database import Database
from tests.runner.arrange import log, migration, request, source, tables, version_row

pytestmark = pytest.mark.database

INSERTS = source(
    migration(1, "CREATE TABLE IF NOT EXISTS t (n int)"),
    migration(2, "INSERT INTO t VALUES (1)", "DELETE FROM t"),
)
COMMANDS: tuple[Callable[[Request], Result[object]], ...] = (up, goto, preview)  # type: ignore[assignment]


def of(kind: HistoryKind, database: Database, files: Source = INSERTS) -> Request:
    """With the same migrations as versions of that format."""
    plain = request(database, source(*(_as(kind, each) for each in files.migrations)))
    return replace(plain, target=replace(plain.target, history=plain.target.history.of(kind)))


def _as(kind: HistoryKind, each: Migration) -> Migration:
    if are_numbers(kind):
        return each
    return replace(each, version=reader_of(kind)(str(each.version)))


def refusal(result: Result[Any]) -> str:
    assert result.error is not None
    assert result.error.reason is Reason.FOREIGN_HISTORY
    return f"{result.error.message}; {result.error.hint}"


MOVED = "CREATE SCHEMA moved; ALTER TABLE {0} SET SCHEMA moved"
ONE = HistoryKind.GOLANG_MIGRATE
OTHERS = [kind for kind in HistoryKind if kind is not ONE]


@pytest.mark.parametrize(
    ("kind", "accident"),
    [
        *((kind, "DROP TABLE {0}") for kind in OTHERS),
        *((kind, "TRUNCATE {0}") for kind in HistoryKind),
        (HistoryKind.GOOSE, "DELETE FROM {0} WHERE version_id <> 0"),
        (ONE, MOVED),
    ],
)
def test_a_table_that_forgot_what_the_log_knows(
    database: Database, kind: HistoryKind, accident: str
) -> None:
    wanted = of(kind, database)
    up(wanted).unwrap()
    history = wanted.target.history
    table = f"{history.schema or 'public'}.{history.name}"
    database.execute(accident.format(table))
    for command in COMMANDS:
        text = refusal(command(wanted))
        assert f"{table}_log ends at version 2" in text
        assert "`dbmigrate force 2`" in text
    assert database.query("SELECT count(*) FROM t") == [(1,)]
    assert wanted.source is not None
    force(wanted, wanted.source.latest).unwrap()
    assert up(wanted).report.steps == ()
    assert database.query("SELECT count(*) FROM t") == [(1,)]


@pytest.mark.parametrize(
    ("before", "after"),
    [*((ONE, kind) for kind in OTHERS), *((kind, ONE) for kind in OTHERS)],
)
def test_the_same_steps_as_files_of_another_format(
    database: Database, before: HistoryKind, after: HistoryKind
) -> None:
    up(of(before, database)).unwrap()
    for command in COMMANDS:
        text = refusal(command(of(after, database)))
        assert before.default_table in text
    assert database.query("SELECT count(*) FROM t") == [(1,)]
    if before.default_table == after.default_table:
        return  # the columns differ
    theirs = of(after, database)
    assert theirs.source is not None
    assert theirs.source.latest is not None
    baseline(theirs, theirs.source.latest).unwrap()
    assert up(of(after, database)).report.steps == ()
    assert up(of(before, database)).report.steps == ()
    assert database.query("SELECT count(*) FROM t") == [(1,)]


def test_a_second_history_on_purpose(database: Database) -> None:
    up(of(HistoryKind.GOLANG_MIGRATE, database)).unwrap()
    named = request(f"{database.url}&x-migrations-table=second", tables(1))
    assert up(named).report.outcome is Outcome.APPLIED
    theirs = of(HistoryKind.GOOSE, database, tables(5))
    refusal(up(theirs))
    force(theirs, None).unwrap()
    assert up(theirs).report.version == "5"


def test_nothing_is_applied_and_the_log_agrees(database: Database) -> None:
    files = tables(1, 2)
    up(request(database, files)).unwrap()
    down(request(database, files)).unwrap()
    assert version_row(database) == []
    up(request(database, files)).unwrap()
    drop(request(database, files)).unwrap()
    up(request(database, files)).unwrap()
    down(request(database, files)).unwrap()
    goose = of(HistoryKind.GOOSE, database, files)
    assert up(goose).report.version == "2"


def test_another_tool_took_everything_back_and_a_person_says_so(database: Database) -> None:
    up(request(database, tables(1, 2))).unwrap()
    database.execute("DROP TABLE t1, t2; TRUNCATE schema_migrations")
    assert "`dbmigrate force -1`" in refusal(up(request(database, tables(1, 2))))
    force(request(database), None).unwrap()
    assert up(request(database, tables(1, 2))).report.version == "2"
    assert log(database, "direction, from_version, to_version")[2:4] == [
        ("gap", 2, None),
        ("force", None, None),
    ]


@pytest.mark.parametrize("move", ["RESTART WITH 1", "RESTART WITH 2", "SET START WITH 1 RESTART"])
def test_the_logs_identity_behind_its_rows(database: Database, move: str) -> None:
    """As on a logical replica that was promoted: rows are replicated, sequences are not."""
    up(request(database, tables(1, 2))).unwrap()
    database.execute(f"ALTER TABLE schema_migrations_log ALTER id {move}")
    assert up(request(database, tables(1, 2))).report.outcome is Outcome.UP_TO_DATE
    assert up(request(database, tables(1, 2, 3))).unwrap() is None
    assert log(database, "id, version") == [(1, 1), (2, 2), (3, 3)]


def test_the_same_where_a_version_is_forced_and_a_gap_recorded(database: Database) -> None:
    up(request(database, tables(1, 2))).unwrap()
    database.execute("UPDATE schema_migrations SET version = 1")
    database.execute("ALTER TABLE schema_migrations_log ALTER id RESTART")
    force(request(database), 2).unwrap()
    assert log(database, "id, direction")[2:] == [(3, "gap"), (4, "force")]
