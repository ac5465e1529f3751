"""A backup is put in the place of a database that has got another history since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dbmigrate.postgres.connection.target import HistoryKind
from dbmigrate.report import Outcome, Reason
from dbmigrate.report.preparation import Backup
from dbmigrate.runner.commands.adopt import adopt, examine
from dbmigrate.runner.commands.backup import backup
from dbmigrate.runner.commands.baseline import baseline
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.restore import RestoreOrder, restore
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from tests.database import Database
from tests.runner.arrange import Witness
from tests.runner.test_lost_history import of, refusal
from tests.runner.test_succession import Shop, table_of
from tests.runner.test_takeover import PAIRS, latest

pytestmark = pytest.mark.database

ONE, GOOSE, FLYWAY = HistoryKind.GOLANG_MIGRATE, HistoryKind.GOOSE, HistoryKind.FLYWAY
HISTORIES = (
    "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r'"
    " AND n.nspname !~ '^pg_|^information' AND c.relname ~ 'migrat|version|history|revision'"
    " ORDER BY 1"
)


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Shop:
    return Shop(database, tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "shop.dump")


def put_back(wanted: Request, file: str, *, keeps: bool = False) -> tuple[Result[Backup], str]:
    """The result, and the warnings."""
    witness = Witness()
    order = RestoreOrder(file, may_replace=True, keeps_histories=keeps)
    done = restore(replace(wanted, observer=witness), order)
    return done, "; ".join(notice.message for notice in witness.notices)


def histories(database: Database) -> dict[str, object]:
    """The rows of each history table, without the note of the restore."""
    return {
        name: [
            row
            for row in database.query(f"SELECT t::text FROM {name} t ORDER BY 1")
            if ",restore," not in row[0]
        ]
        for (name,) in database.query(HISTORIES)
    }


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_the_history_that_took_over_since_goes_with_the_restore(
    shop: Shop, database: Database, file: str, before: HistoryKind, after: HistoryKind
) -> None:
    old, new = shop.on(before, 3), shop.on(after, 3)
    up(old).unwrap()
    backup(old, file).unwrap()
    saved = histories(database)
    baseline(new, latest(new)).unwrap()
    up(shop.on(after)).unwrap()
    done, said = put_back(new, file)
    done.unwrap()
    assert histories(database) == saved
    assert f"{table_of(new)}, {table_of(new)}_log" in said
    # The old files go on, and the new ones are refused as they were then.
    assert up(old).report.outcome is Outcome.UP_TO_DATE
    assert str(before) in refusal(up(new))
    baseline(new, latest(new)).unwrap()
    assert up(new).report.outcome is Outcome.UP_TO_DATE
    refusal(up(shop.on(before)))


def test_so_do_one_that_has_adopted_and_the_next_one(
    shop: Shop, database: Database, file: str
) -> None:
    theirs, ours, last = shop.on(GOOSE, 3), shop.on(ONE, 3), shop.on(FLYWAY, 3)
    up(theirs).unwrap()
    backup(theirs, file).unwrap()
    saved = histories(database)
    into = of(ONE, database).target.history
    found = examine(theirs, into, {}).unwrap()
    assert found is not None
    adopt(theirs, into, {}, found).unwrap()
    up(shop.on(ONE)).unwrap()
    database.execute("DELETE FROM schema_migrations_log WHERE direction = 'baseline'")
    baseline(last, latest(last)).unwrap()
    # The last one knows of the one before it alone.
    database.execute(
        "DELETE FROM flyway_schema_history_log WHERE name = 'goose public.goose_db_version'"
    )
    put_back(ours, file)[0].unwrap()
    assert histories(database) == saved


def test_a_log_that_the_backup_does_not_have(shop: Shop, database: Database, file: str) -> None:
    ours = shop.on(ONE, 3)
    up(ours).unwrap()
    database.execute("DROP TABLE schema_migrations_log")  # golang-migrate has made this one
    backup(ours, file).unwrap()
    saved = histories(database)
    up(shop.on(ONE)).unwrap()
    put_back(ours, file)[0].unwrap()
    assert histories(database) == saved


def in_an_empty_history(shop: Shop, file: str) -> Request:
    shop.database.execute("CREATE TABLE changes (n int)")
    backup(shop.on(ONE), file).unwrap()
    up(shop.on(ONE, 3)).unwrap()
    return shop.on(ONE, 3)


def of_another_schema(shop: Shop, file: str) -> Request:
    """The backup has no table of the history's schema, which has nothing but the history."""
    shop.database.execute("CREATE SCHEMA app; CREATE TABLE app.t (n int)")
    backup(shop.on(ONE), file).unwrap()
    force(shop.on(ONE, 3), 3).unwrap()
    return shop.on(ONE, 3)


def as_a_second_one(shop: Shop, file: str) -> Request:
    up(shop.on(ONE, 2)).unwrap()
    backup(shop.on(ONE), file).unwrap()
    second = shop.on(GOOSE, 3)
    force(second, None).unwrap()
    baseline(second, 2).unwrap()
    return second


def under_a_name_of_its_own(shop: Shop, file: str) -> Request:
    up(shop.on(ONE, 2)).unwrap()
    backup(shop.on(ONE), file).unwrap()
    wanted = shop.on(ONE, 3)
    target = replace(wanted.target, history=replace(wanted.target.history, name="team_migrations"))
    second = replace(wanted, target=target)
    baseline(second, 2).unwrap()
    return second


def by_another_tool(shop: Shop, file: str) -> Request:
    up(shop.on(ONE, 2)).unwrap()
    backup(shop.on(ONE), file).unwrap()
    second = shop.on(GOOSE, 3)
    baseline(second, 2).unwrap()
    shop.database.execute("DROP TABLE goose_db_version_log")
    return second


UNKNOWN = [
    in_an_empty_history,
    of_another_schema,
    as_a_second_one,
    under_a_name_of_its_own,
    by_another_tool,
]


@pytest.mark.parametrize("begin", UNKNOWN)
def test_where_it_is_not_known_what_counts_nothing_is_restored(
    shop: Shop, database: Database, file: str, begin: Callable[[Shop, str], Request]
) -> None:
    wanted = begin(shop, file)
    before, schema = histories(database), database.dump_schema()
    done, _ = put_back(wanted, file)
    assert done.error is not None
    assert done.error.reason is Reason.BACKUP_FAILED
    assert table_of(wanted) in done.error.message
    assert (histories(database), database.dump_schema()) == (before, schema)
    # Both ways on that the hint names lead on.
    kept, said = put_back(wanted, file, keeps=True)
    kept.unwrap()
    assert table_of(wanted) in said
    assert histories(database)[table_of(wanted)] == before[table_of(wanted)]
    statement = (done.error.hint or "").split("`")[1]
    database.execute(statement)
    put_back(wanted, file)[0].unwrap()
    assert table_of(wanted) not in histories(database)


def test_a_schema_that_the_backup_does_not_touch_keeps_its_history(
    shop: Shop, database: Database, file: str
) -> None:
    up(shop.on(ONE, 2)).unwrap()
    backup(shop.on(ONE), file).unwrap()
    database.execute("CREATE SCHEMA tenant")
    wanted = shop.on(ONE, 3)
    history = replace(wanted.target.history, schema="tenant")
    tenant = replace(wanted, target=replace(wanted.target, history=history))
    up(shop.on(ONE, 3)).unwrap()
    force(tenant, 3).unwrap()
    refused, _ = put_back(shop.on(ONE), file)
    assert refused.error is not None
    assert "tenant.schema_migrations" in refused.error.message
    database.execute("CREATE TABLE tenant.orders (id int)")
    done, said = put_back(shop.on(ONE), file)
    done.unwrap()
    assert database.query("SELECT version FROM tenant.schema_migrations") == [(3,)]
    assert database.query("SELECT version FROM schema_migrations") == [(2,)]
    assert "these tables, which stay: tenant.orders, tenant.schema_migrations," in said


@pytest.mark.parametrize(
    "hindrance",
    [
        "CREATE VIEW watch AS SELECT version_id FROM goose_db_version",
        "CREATE MATERIALIZED VIEW watch AS SELECT name FROM goose_db_version_log",
    ],
)
def test_one_that_cannot_be_dropped_is_known_before_anything_is_changed(
    shop: Shop, database: Database, file: str, hindrance: str
) -> None:
    old, new = shop.on(ONE, 3), shop.on(GOOSE, 3)
    up(old).unwrap()
    backup(old, file).unwrap()
    baseline(new, 3).unwrap()
    database.execute(hindrance)
    before = histories(database)
    done, _ = put_back(old, file)
    assert done.error is not None
    assert "nothing was restored" in done.error.message
    assert "watch" in (done.error.detail or "")
    assert histories(database) == before
    database.execute("DROP " + hindrance.removeprefix("CREATE ").split(" AS ")[0])
    put_back(old, file)[0].unwrap()


def test_what_stands_in_the_way_of_pg_restore(shop: Shop, database: Database, file: str) -> None:
    """The sequence of a renamed log keeps its name."""
    up(shop.on(ONE, 3)).unwrap()
    backup(shop.on(ONE), file).unwrap()
    database.execute("ALTER TABLE schema_migrations_log RENAME TO put_aside")
    up(shop.on(ONE)).unwrap()
    done, _ = put_back(shop.on(ONE), file)
    assert done.error is not None
    assert "schema_migrations_log_id_seq" in done.error.message
    assert "drop what is in the way" in (done.error.hint or "")
    database.execute("DROP TABLE put_aside")
    put_back(shop.on(ONE), file)[0].unwrap()
    assert database.query("SELECT version FROM schema_migrations") == [(3,)]


def test_the_note_of_a_restore_hides_no_loss(shop: Shop, database: Database, file: str) -> None:
    ours = shop.on(ONE, 3)
    up(ours).unwrap()
    database.execute("TRUNCATE schema_migrations, schema_migrations_log")
    lost = refusal(up(ours))
    backup(ours, file).unwrap()
    put_back(ours, file)[0].unwrap()
    assert refusal(up(ours)) == lost
    database.execute("DROP TABLE schema_migrations")
    assert "had rows and is now empty" in refusal(up(ours))
