"""What shows that another format's files were run, where its log does not say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dbmigrate.policies import Transactions
from dbmigrate.postgres.connection.target import HistoryKind, HistoryTable
from dbmigrate.report import Outcome
from dbmigrate.runner.commands.adopt import adopt, examine
from dbmigrate.runner.commands.baseline import baseline
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.drop import drop
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.read_only.status import status
from dbmigrate.runner.commands.read_only.wait import wait
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options, Request
from tests.database import Database
from tests.runner.arrange import Witness, migration, request, source, tables
from tests.runner.test_emptied_history import LOSSES
from tests.runner.test_lost_history import INSERTS, of, refusal
from tests.runner.test_succession import Shop, refused, table_of
from tests.runner.test_takeover import PAIRS, latest, rows

pytestmark = pytest.mark.database

ONE, GOOSE, FLYWAY = HistoryKind.GOLANG_MIGRATE, HistoryKind.GOOSE, HistoryKind.FLYWAY
NO_LOG = {
    "emptied": "TRUNCATE {0}_log",
    "numbered anew": "TRUNCATE {0}_log RESTART IDENTITY",
    "with a failed try alone": "UPDATE {0}_log SET outcome = 'failed'",
}
BOTH = LOSSES | {"the table dropped": "DROP TABLE {0}; TRUNCATE {0}_log"}


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Shop:
    return Shop(database, tmp_path)


def run(database: Database, statements: str, table: str) -> None:
    for statement in statements.format(table).split(";"):
        database.execute(statement)


@pytest.mark.parametrize(("before", "after"), PAIRS)
@pytest.mark.parametrize("loss", NO_LOG)
def test_a_version_without_a_log_that_tells(
    shop: Shop, database: Database, before: HistoryKind, after: HistoryKind, loss: str
) -> None:
    old, new = shop.on(before, 3), shop.on(after)
    up(old).unwrap()
    run(database, NO_LOG[loss], table_of(old))
    refused(new, f"{table_of(old)} is at version 3", f"-format {before}", "`dbmigrate force -1`")
    assert rows(database) == [2, 3]
    baseline(shop.on(after, 3), latest(shop.on(after, 3))).unwrap()
    assert up(new).report.error is None
    assert rows(database) == [2, 3, 4]


@pytest.mark.parametrize(("before", "after"), PAIRS)
@pytest.mark.parametrize("loss", BOTH)
def test_both_tables_of_another_format_are_emptied(
    shop: Shop, database: Database, before: HistoryKind, after: HistoryKind, loss: str
) -> None:
    old, new = shop.on(before, 3), shop.on(after)
    up(old).unwrap()
    run(database, BOTH[loss], table_of(old))
    refused(new, f"the log {table_of(old)}_log had rows and is now empty")
    witness = Witness()
    status(replace(new, observer=witness)).unwrap()
    assert any("had rows" in each.message for each in witness.notices)
    assert rows(database) == [2, 3]
    force(new, None).unwrap()
    run(database, "DROP TABLE t", "")
    assert up(new).error is None
    assert rows(database) == [2, 3, 4]


@pytest.mark.parametrize(("before", "after"), [(ONE, GOOSE), (GOOSE, ONE), (GOOSE, FLYWAY)])
def test_the_other_tool_has_migrated_and_dbmigrate_has_failed_once(
    shop: Shop, database: Database, before: HistoryKind, after: HistoryKind
) -> None:
    """No table was touched by hand: the other tool keeps no log."""
    up(shop.on(before, 3)).unwrap()
    run(database, "DROP TABLE {0}_log", table_of(shop.on(before)))
    options = Options(who="tester", transactions=Transactions.ALL)
    broken = of(before, database, source(*(migration(v, "SELECT 1/0") for v in (1, 2, 3, 4))))
    assert up(replace(broken, options=options)).error is not None
    assert rows(database) == [2, 3]
    refused(shop.on(after), table_of(shop.on(before)), "at version 3")


@pytest.mark.parametrize(("failing", "other"), [(ONE, GOOSE), (GOOSE, ONE), (FLYWAY, ONE)])
def test_the_other_tool_has_migrated_since_these_files_have_failed(
    shop: Shop, database: Database, failing: HistoryKind, other: HistoryKind
) -> None:
    fails = of(failing, database, source(migration(1, "SELECT 1/0")))
    assert up(replace(fails, options=Options(who="tester"))).error is not None
    run(database, "DELETE FROM {0}", table_of(fails))
    force(shop.on(other, 3), None).unwrap()
    up(shop.on(other, 3)).unwrap()
    run(database, "DROP TABLE {0}_log", table_of(shop.on(other)))
    assert table_of(shop.on(other)) in refusal(up(shop.on(failing)))
    assert rows(database) == [2, 3]


@pytest.mark.parametrize("way", ["adopt", "baseline"])
def test_the_history_that_was_left_still_shows_it(shop: Shop, database: Database, way: str) -> None:
    up(shop.on(GOOSE, 3)).unwrap()
    if way == "adopt":
        into = HistoryTable(None, "schema_migrations", ONE)
        expected = examine(shop.on(GOOSE, 3), into, {}).unwrap()
        assert expected is not None
        adopt(shop.on(GOOSE, 3), into, {}, expected).unwrap()
    else:
        baseline(shop.on(ONE, 3), 3).unwrap()
    up(shop.on(ONE)).unwrap()
    database.execute(
        "TRUNCATE goose_db_version_log; DROP TABLE schema_migrations, schema_migrations_log"
    )
    refused(shop.on(ONE), "public.goose_db_version is at version 3")
    refused(shop.on(FLYWAY), "public.goose_db_version is at version 3")
    assert rows(database) == [2, 3, 4]


def test_a_table_of_contradicting_rows_is_a_history_too(shop: Shop, database: Database) -> None:
    up(shop.on(ONE, 3)).unwrap()
    database.execute(
        "TRUNCATE schema_migrations_log; INSERT INTO schema_migrations VALUES (2, false)"
    )
    assert "schema_migrations" in refusal(up(shop.on(GOOSE)))
    assert rows(database) == [2, 3]


AS_NEW: dict[str, Callable[[Request, Database], Any]] = {
    "taken back": lambda old, _: down(old).unwrap(),
    "said to be nothing": lambda old, _: force(old, None).unwrap(),
    "taken back, and a failed try": lambda old, database: (
        down(old).unwrap(),
        up(of(GOOSE, database, source(migration(1, "SELECT 1/0")))),
    ),
    "dropped by drop": lambda old, _: drop(old).unwrap(),
    "dropped": lambda old, database: run(database, "DROP TABLE {0}, {0}_log", table_of(old)),
    "the schema made anew": lambda _, database: run(
        database, "DROP SCHEMA public CASCADE; CREATE SCHEMA public", ""
    ),
}


@pytest.mark.parametrize("way", AS_NEW)
def test_what_is_no_history_of_another_format(shop: Shop, database: Database, way: str) -> None:
    old = shop.on(GOOSE, 3)
    up(old).unwrap()
    AS_NEW[way](old, database)
    database.execute("DROP TABLE IF EXISTS t")
    assert up(shop.on(ONE)).report.version == "4"


def test_a_first_try_of_another_format_that_has_left_nothing(
    shop: Shop, database: Database
) -> None:
    assert up(of(GOOSE, database, source(migration(1, "SELECT 1/0")))).error is not None
    assert up(shop.on(ONE, 3)).report.version == "3"
    database.execute("DROP TABLE t, schema_migrations, schema_migrations_log")
    database.execute(
        "TRUNCATE goose_db_version_log; COMMENT ON COLUMN goose_db_version_log.id IS"
        " 'dbmigrate: no row yet'"
    )
    assert up(shop.on(ONE, 3)).report.version == "3"


RENAMED = {
    "both": "ALTER TABLE {0} RENAME TO aside_old; ALTER TABLE {0}_log RENAME TO aside_log_old",
    "the log, the table dropped": "DROP TABLE {0}; ALTER TABLE {0}_log RENAME TO aside_log_old",
    "the log, the table emptied": "TRUNCATE {0}; ALTER TABLE {0}_log RENAME TO aside_log_old",
    "the log alone, like a pair's": "DROP TABLE {0}; ALTER TABLE {0}_log RENAME TO aside_log",
    "a name to quote": 'DROP TABLE {0}; ALTER TABLE {0}_log RENAME TO "Aside ""old"""',
}


@pytest.mark.parametrize("kind", HistoryKind)
@pytest.mark.parametrize("change", RENAMED)
def test_a_log_is_found_under_whatever_name(
    database: Database, kind: HistoryKind, change: str
) -> None:
    wanted = of(kind, database)
    up(wanted).unwrap()
    run(database, RENAMED[change], table_of(wanted))
    refused(wanted, "which was its log under another name, ends at version 2", "their names back")
    if change != "both":
        assert "-history-table" not in refusal(up(wanted))
    assert database.query("SELECT count(*) FROM t") == [(1,)]
    if kind is FLYWAY and change == "both":
        return  # the key of the table that was renamed has the name that Flyway gives
    force(wanted, None).unwrap()
    assert len(up(wanted).report.steps) == 2


def test_a_log_under_another_name_that_ends_at_nothing(database: Database) -> None:
    up(request(database, tables(1))).unwrap()
    down(request(database, tables(1))).unwrap()
    run(database, RENAMED["both"], "schema_migrations")
    assert up(request(database, tables(1))).report.outcome is Outcome.APPLIED


def test_a_renamed_log_of_another_role_says_nothing(database: Database) -> None:
    """One that a stranger has made could stop every run, or run code of theirs."""
    role = database.create_role(password="p")
    up(of(ONE, database, INSERTS)).unwrap()
    database.execute(
        f"GRANT CREATE ON SCHEMA public TO {role};"
        f"GRANT SELECT ON schema_migrations_log TO {role}; SET ROLE {role};"
        "CREATE TABLE theirs (LIKE schema_migrations_log INCLUDING ALL);"
        "INSERT INTO theirs OVERRIDING SYSTEM VALUE TABLE schema_migrations_log; RESET ROLE;"
        "DROP TABLE t, schema_migrations, schema_migrations_log"
    )
    assert up(of(ONE, database, INSERTS)).report.version == "2"


@pytest.mark.parametrize("kind", HistoryKind)
def test_wait_says_that_a_history_was_emptied(database: Database, kind: HistoryKind) -> None:
    wanted = of(kind, database)
    up(wanted).unwrap()
    run(database, LOSSES["emptied"], table_of(wanted))
    error = wait(wanted, latest(wanted), timeout=0).error
    assert error is not None
    assert f"its log {table_of(wanted)}_log had rows and is now empty" in error.message
    force(wanted, None).unwrap()
    error = wait(wanted, latest(wanted), timeout=0).error
    assert error is not None
    assert "had rows" not in error.message
