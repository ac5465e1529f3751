"""A log that has grown for years: a command reads what explains the present, and no more."""

from __future__ import annotations

import random
import re
import time
from dataclasses import replace

import pytest

from dbmigrate.postgres.connection.connect import connect
from dbmigrate.postgres.connection.target import HistoryKind, parse_target
from dbmigrate.postgres.history.log.reading import parse_log, read_log_sql
from dbmigrate.postgres.history.log_shape import CURRENT
from dbmigrate.postgres.history.relations import History
from dbmigrate.report import Outcome
from dbmigrate.runner.answers import StatusRow
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.read_only.status import status
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Request
from tests.database import Database
from tests.runner.arrange import request, tables
from tests.unit.runner.planning.logs import newest_rows, random_log

pytestmark = pytest.mark.database

FILES = tables(1, 2, 3)
GROW = """
INSERT INTO {log} (version, name, direction, from_version, to_version, started_at,
  executed_from, tool_version, outcome, error)
SELECT {values}, now(), 'tester', '0', '{outcome}', NULL FROM generate_series(1, {count}) n
"""
KINDS = {
    "steps up and down": (
        "3, 'm3', CASE n % 2 WHEN 1 THEN 'down' ELSE 'up' END,"
        " CASE n % 2 WHEN 1 THEN 3 ELSE 2 END, CASE n % 2 WHEN 1 THEN 2 ELSE 3 END",
        "applied",
    ),
    "tries that failed": ("4, 'm4', 'up', 3, 3", "failed"),
    "another tool's moves": (
        "NULL, '', 'gap', CASE n % 2 WHEN 1 THEN 3 ELSE 5 END, CASE n % 2 WHEN 1 THEN 5 ELSE 3 END",
        "applied",
    ),
}
COUNT = 20_000
ENOUGH = 200
"""Rows and index entries that a command may read of the log."""


@pytest.mark.parametrize("format", [HistoryKind.GOLANG_MIGRATE, HistoryKind.GOOSE])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_does_not_grow_with_the_rows(
    database: Database, kind: str, format: HistoryKind
) -> None:
    wanted = request(database, FILES)
    wanted = replace(
        wanted, target=replace(wanted.target, history=wanted.target.history.of(format))
    )
    up(wanted).unwrap()
    before = [row.state for row in _status(wanted)]
    values, outcome = KINDS[kind]
    log = f"{format.default_table}_log"
    database.execute(GROW.format(log=log, values=values, outcome=outcome, count=COUNT))

    start = _tuples_read(database, log)
    assert [row.state for row in _status(wanted)] == before
    assert up(wanted).report.outcome is Outcome.UP_TO_DATE
    assert 0 < _read_since(database, log, start) < ENOUGH
    assert down(wanted, 1).report.version == "2"
    assert up(wanted).report.version == "3"


def _status(wanted: Request) -> tuple[StatusRow, ...]:
    table = status(wanted).unwrap()
    assert table is not None
    return table.rows


def _tuples_read(database: Database, log: str) -> int:
    ((read,),) = database.query(
        "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) +"
        " (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = %s)::bigint"
        " FROM pg_stat_user_tables WHERE relname = %s",
        log,
        log,
    )
    return int(read)


def _read_since(database: Database, log: str, start: int) -> int:
    """A session tells the statistics when it ends, a moment after its client."""
    deadline = time.monotonic() + 10
    while (read := _tuples_read(database, log) - start) == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    return read


def test_the_server_finds_those_rows_by_index(database: Database) -> None:
    """The plan, as docs/architecture.md states it: no table scan, and nothing is sorted but the
    result."""
    up(request(database, FILES)).unwrap()
    for values, outcome in KINDS.values():
        text = GROW.format(log="schema_migrations_log", values=values, outcome=outcome, count=COUNT)
        database.execute(text)
    lines = database.query(f"EXPLAIN (COSTS OFF) {read_log_sql(_history())}")
    plan = "\n".join(line for (line,) in lines)
    scans = set(re.findall(r"(\w+(?: Only)? Scan(?: Backward)? using|Seq Scan|Bitmap)", plan))
    assert scans <= {"Index Scan using", "Index Only Scan using", "Index Only Scan Backward using"}
    assert "Index Scan using" in scans, plan
    assert re.findall(r"Sort Key: (.*)", plan) == ["log.id"], plan


@pytest.mark.parametrize("seed", range(3))
def test_with_and_without_the_indexes_the_same_rows_are_read(database: Database, seed: int) -> None:
    up(request(database, FILES)).unwrap()
    rows = random_log(random.Random(seed), steps=120)
    values = ", ".join(
        f"({row.id}, {_sql(row.version)}, '{row.name}', '{row.direction}',"
        f" {_sql(row.from_version)}, {_sql(row.to_version)}, now(), 't', '0', '{row.outcome}')"
        for row in rows
    )
    database.execute(
        "TRUNCATE schema_migrations_log; INSERT INTO schema_migrations_log (id, version, name,"
        " direction, from_version, to_version, started_at, executed_from, tool_version, outcome)"
        f" OVERRIDING SYSTEM VALUE VALUES {values}"
    )
    session = connect(parse_target(database.url, {}))
    expected = [row.id for row in newest_rows(rows)]
    for is_indexed in (True, False):
        history = replace(_history(), log_shape=replace(CURRENT, is_indexed=is_indexed))
        (found,) = session.query(read_log_sql(history))
        assert [row.id for row in parse_log(history, found)] == expected
    session.close()


def _sql(version: object) -> str:
    return "NULL" if version is None else str(version)


def _history() -> History:
    return History("public", "schema_migrations", has_log_table=True)
