"""Histories in schemas of their own: one that was renamed, and one next to a new tenant's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbmigrate.postgres.connection.target import HistoryKind, parse_target
from dbmigrate.report import Outcome
from dbmigrate.runner.commands.apply import ApplyOrder, apply
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.read_only.plan import preview
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Request
from tests.database import Database
from tests.runner.arrange import migration, source
from tests.runner.test_lost_history import INSERTS, of, refusal

pytestmark = pytest.mark.database

ATLAS = HistoryKind.ATLAS
OTHERS = [kind for kind in HistoryKind if kind is not ATLAS]
RENAME = "ALTER SCHEMA atlas_schema_revisions RENAME TO put_aside"
DROP_LOG = "DROP TABLE atlas_schema_revisions.atlas_schema_revisions_log"


def rows(database: Database) -> int:
    return int(database.query("SELECT count(*) FROM public.t")[0][0])


@pytest.mark.parametrize("has_log", [True, False])
@pytest.mark.parametrize("kind", HistoryKind)
def test_the_schema_of_atlas_was_renamed(
    database: Database, kind: HistoryKind, has_log: bool
) -> None:
    old, wanted = of(ATLAS, database), of(kind, database)
    up(old).unwrap()
    database.execute(RENAME if has_log else f"{DROP_LOG}; {RENAME}")
    results = [refusal(up(wanted)), refusal(goto(wanted)), refusal(preview(wanted))]
    if kind is ATLAS:
        results.append(refusal(apply(wanted, ApplyOrder(may_hold_something=True))))
    for text in results:
        assert "put_aside.atlas_schema_revisions, a history of Atlas" in text
        assert "is at version 2" in text
    assert rows(database) == 1
    # Each way on that is named: the table, a second history, and the schema's name.
    name = replace(old.target.history, schema="put_aside")
    there = replace(old, target=replace(old.target, history=name))
    assert up(there).report.outcome is Outcome.UP_TO_DATE
    if kind is ATLAS:
        statement = refusal(up(wanted)).split("name back: ")[1].split(";")[0]
        database.execute(statement)
        assert up(wanted).report.outcome is Outcome.UP_TO_DATE
        assert rows(database) == 1
        return
    force(wanted, None).unwrap()
    assert up(wanted).report.outcome is Outcome.APPLIED
    assert rows(database) == 2


@pytest.mark.parametrize("kind", HistoryKind)
@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ("TRUNCATE {0}, {0}_log", "had rows in its log, which is now empty"),
        ("ALTER TABLE {0}_log RENAME TO aside", "is at version 2"),
        ("DROP TABLE {0}", "is at version 2"),
    ],
)
def test_so_it_was_after_another_accident(
    database: Database, kind: HistoryKind, loss: str, said: str
) -> None:
    up(of(ATLAS, database)).unwrap()
    database.execute(loss.format("atlas_schema_revisions.atlas_schema_revisions"))
    database.execute(RENAME)
    text = refusal(up(of(kind, database)))
    assert (
        f"put_aside.atlas_schema_revisions, a history of Atlas in a schema of its own, {said}"
        in text
    )
    assert rows(database) == 1


def test_of_several_the_newest_is_named(database: Database) -> None:
    files = INSERTS.migrations
    up(of(ATLAS, database, source(files[0]))).unwrap()
    database.execute(RENAME)
    wanted = of(ATLAS, database)
    force(wanted, None).unwrap()
    up(wanted).unwrap()
    database.execute("ALTER SCHEMA atlas_schema_revisions RENAME TO a_newer_one")
    text = refusal(up(wanted))
    assert "a_newer_one.atlas_schema_revisions" in text
    assert "is at version 2" in text


@pytest.fixture
def tenant(database: Database) -> str:
    """The URL of a tenant in a database that Atlas has migrated."""
    up(of(ATLAS, database)).unwrap()
    database.execute("CREATE SCHEMA tenant")
    return f"{database.url}&search_path=tenant"


def at(url: str, kind: HistoryKind, database: Database, last: int = 2) -> Request:
    target = parse_target(url, {})
    wanted = of(kind, database, source(*INSERTS.migrations[:last]))
    return replace(wanted, target=replace(target, history=target.history.of(kind, "tenant")))


@pytest.mark.parametrize("has_log", [True, False])
@pytest.mark.parametrize("kind", OTHERS)
def test_a_tenant_begins_beside_it(
    database: Database, tenant: str, kind: HistoryKind, has_log: bool
) -> None:
    if not has_log:
        database.execute(DROP_LOG)
    failing = of(kind, database, source(migration(1, "SELECT 1 / 0"))).source
    wanted = at(tenant, kind, database)
    assert up(replace(wanted, source=failing)).error is not None
    assert up(wanted).report.outcome is Outcome.APPLIED
    assert database.query("SELECT count(*) FROM tenant.t") == [(1,)]
    assert rows(database) == 1


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("what", ["TABLE tenant.t (n int)", "VIEW tenant.v AS SELECT 1"])
def test_a_schema_that_has_something_does_not(
    database: Database, tenant: str, kind: HistoryKind, what: str
) -> None:
    database.execute(f"CREATE {what}")
    assert "`dbmigrate force -1`" in refusal(up(at(tenant, kind, database)))


@pytest.mark.parametrize("kind", OTHERS)
def test_nor_does_one_that_the_connection_does_not_name(
    database: Database, kind: HistoryKind
) -> None:
    """Files that name their schemas may be those that Atlas has applied."""
    up(of(ATLAS, database)).unwrap()
    database.execute("CREATE SCHEMA app; ALTER TABLE t SET SCHEMA app")
    refusal(up(of(kind, database)))
