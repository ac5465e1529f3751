"""A column of the tool's own table has got another type: the table is the tool's all the same."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from dbmigrate.postgres.connection.target import HistoryKind, parse_target
from dbmigrate.postgres.history.formats.registry import adapter_for
from dbmigrate.report import Outcome
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.read_only.plan import preview
from dbmigrate.runner.commands.read_only.status import status
from dbmigrate.runner.commands.up import up
from tests.database import Database
from tests.runner.test_lost_history import of, refusal
from tests.runner.test_takeover import PAIRS

pytestmark = pytest.mark.database

TYPES = {
    "bigint": ("numeric", "text", "integer", "character varying"),
    "integer": ("numeric", "text", "bigint"),
    "boolean": ("text", "integer"),
    "character varying": ("text", "name"),
    "jsonb": ("json", "text"),
}
CHANGES = [
    (kind, column, other)
    for kind in HistoryKind
    for column, wanted in adapter_for(kind).types.items()
    for other in TYPES[wanted]
]


def table_of(kind: HistoryKind) -> str:
    return f"{kind.default_schema or 'public'}.{kind.default_table}"


def change(database: Database, kind: HistoryKind, column: str, other: str) -> None:
    database.execute(
        f"ALTER TABLE {table_of(kind)} ALTER {column} DROP DEFAULT,"
        f" ALTER {column} TYPE {other} USING {column}::{other}"
    )


@pytest.mark.parametrize(("kind", "column", "other"), CHANGES)
def test_the_column_both_types_and_the_statement_are_named(
    database: Database, kind: HistoryKind, column: str, other: str
) -> None:
    wanted = of(kind, database)
    up(wanted).unwrap()
    try:
        change(database, kind, column, other)
    except psycopg.errors.UndefinedFunction:
        pytest.skip("Flyway's index has a condition on it")
    type_ = adapter_for(kind).types[column]
    said = (refusal(up(wanted)), refusal(goto(wanted)), refusal(status(wanted)))
    for text in said:
        assert table_of(kind) in text
        assert f"its column {column} has the type {other}, not {type_}" in text
    database.execute(refusal(up(wanted)).split("type back: ")[1])
    assert status(wanted).report.version == "2"
    force(wanted, wanted.source.versions[0] if wanted.source else None).unwrap()


def test_a_default_of_the_other_type_goes_with_it(database: Database) -> None:
    wanted = of(HistoryKind.GOLANG_MIGRATE, database)
    up(wanted).unwrap()
    change(database, HistoryKind.GOLANG_MIGRATE, "dirty", "integer")
    database.execute("ALTER TABLE schema_migrations ALTER dirty SET DEFAULT 0")
    database.execute(refusal(up(wanted)).split("type back: ")[1])
    assert up(wanted).report.outcome is Outcome.UP_TO_DATE


@pytest.mark.parametrize(("before", "after"), PAIRS)
@pytest.mark.parametrize("has_log", [True, False])
def test_the_files_of_another_format_stop_at_it_as_well(
    database: Database, before: HistoryKind, after: HistoryKind, has_log: bool
) -> None:
    up(of(before, database)).unwrap()
    column, wanted = next(iter(adapter_for(before).types.items()))
    change(database, before, column, TYPES[wanted][0])
    if not has_log:
        database.execute(f"DROP TABLE {table_of(before)}_log")
    new = of(after, database)
    for text in (refusal(up(new)), refusal(goto(new)), refusal(preview(new))):
        assert f"{table_of(before)}{' was changed by another hand' if has_log else ','}" in text
    if has_log:
        database.execute(refusal(up(new)).split("type back: ")[1].split("; or ")[0])
        assert f"continue with those files (-format {before})" in refusal(up(new))
    force(new, None).unwrap()
    assert up(new).report.outcome is Outcome.APPLIED
    assert database.query("SELECT count(*) FROM t") == [(2,)]


def test_so_they_do_at_a_history_of_a_role_that_is_not_trusted(database: Database) -> None:
    """With a log of dbmigrate's: without one its table alone tells (test_other_tools)."""
    up(of(HistoryKind.GOLANG_MIGRATE, database)).unwrap()
    role, stranger = database.create_role(), database.create_role()
    database.execute(
        f"GRANT ALL ON SCHEMA public TO {role}, {stranger}; ALTER TABLE t OWNER TO {role};"
        f" ALTER TABLE schema_migrations OWNER TO {stranger};"
        f" ALTER TABLE schema_migrations_log OWNER TO {stranger}"
    )
    new = of(HistoryKind.GOOSE, database)
    target = replace(parse_target(database.url_for(role, role), {}), history=new.target.history)
    new = replace(new, target=target)
    assert f"belongs to role {stranger}" in refusal(up(new))
    assert database.query("SELECT count(*) FROM t") == [(1,)]
    force(new, None).unwrap()
    assert up(new).report.outcome is Outcome.APPLIED
