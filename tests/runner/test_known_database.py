"""A run that reaches another database than before: by its identifier, and by its log."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dbmigrate.policies import Rollback
from dbmigrate.postgres.history.log.notes import Owner
from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options
from dbmigrate.runner.result import Result
from tests.cli.program import run as run_program
from tests.database import Database, Server
from tests.runner.arrange import Witness, request, tables, version_row

pytestmark = pytest.mark.database

OURS = "here/shop/users#1"
BEFORE = "7412345678901234567-16384"
"""Of a database that is no longer there."""


def run(
    database: Database | str,
    expected: str | None = BEFORE,
    *,
    owner: str | None = OURS,
    target: int | None = None,
    intent: str = "a",
    order: str | None = None,
    observer: Witness | None = None,
) -> Result[None]:
    options = Options(
        who="job",
        owner=Owner.parse(owner) if owner else None,
        expected_database=expected,
        intent=intent,
        order=order,
        rollback=Rollback.ALLOW,
    )
    files = tables(1, 2)
    return goto(request(database, files, options=options, observer=observer or Witness()), target)


def test_the_report_names_the_database_by_server_and_oid(database: Database) -> None:
    ((system, oid),) = database.query(
        "SELECT system_identifier, d.oid FROM pg_control_system(), pg_database d"
        " WHERE datname = current_database()"
    )
    done = run(database, None)
    assert done.report.database == f"{system}-{oid}"
    assert run(database, done.report.database).report.outcome is Outcome.UP_TO_DATE
    assert up(request(database, tables(1, 2))).report.database is None  # nobody's run


OTHERS: dict[str, Callable[[Database], object]] = {
    "an empty one": lambda _: None,
    "one that has objects": lambda database: database.execute("CREATE TABLE t (id int)"),
    "one that a person has migrated": lambda database: up(request(database, tables(1))).unwrap(),
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_database_is_refused_before_anything_is_changed(
    database: Database, other: str
) -> None:
    OTHERS[other](database)
    before = database.dump_schema()
    refused = run(database)
    assert refused.error is not None
    assert refused.error.reason is Reason.DATABASE_CONFLICT
    assert f"{BEFORE} before" in refused.error.message
    assert "here/shop/users" in refused.error.message
    assert database.dump_schema() == before


def test_a_copy_whose_log_names_the_owner_is_the_same_one(
    database: Database, server: Server
) -> None:
    """As after a restore, or an upgrade of the server."""
    first = run(database, None).report.database
    copy = f"copy_of_{database.name}"
    database.server.create_database().execute(f"CREATE DATABASE {copy} TEMPLATE {database.name}")
    try:
        moved = run(server.url(copy), first)
        assert moved.error is None
        assert moved.report.database != first
        refused = run(server.url(copy), first, owner="here/shop/other#2")
        assert refused.error is not None
        assert refused.error.reason is Reason.DATABASE_CONFLICT
    finally:
        server.drop_database(copy)


def test_who_may_not_know_the_identifier_is_told_so(database: Database) -> None:
    role = database.create_role(password="p")
    database.execute(f"GRANT ALL ON SCHEMA public TO {role}")
    database.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM public")
    witness = Witness()
    done = run(database.url_for(role, "p"), observer=witness)
    assert done.error is None
    assert done.report.database is None
    (told,) = [each.message for each in witness.notices if "not known" in each.message]
    assert "pg_control_system()" in told


def test_another_way_to_the_database_does_not_end_a_hold(database: Database) -> None:
    known = run(database, None).report.database
    assert run(database, None, target=1, order="MigrationAction back").error is None
    held = run(database, known, intent="another connection")
    assert held.error is not None
    assert held.error.reason is Reason.ROLLED_BACK
    assert version_row(database) == [(1, False)]


def test_the_option_needs_an_owner_and_an_identifier(database: Database) -> None:
    words = ("-database", database.url, "-expect-database")
    assert "needs -owner" in run_program(*words, BEFORE, "version").stderr
    refused = run_program(*words, "shop", "-owner", "ci", "version")
    assert refused.code == 2
    assert "system identifier and an oid" in refused.stderr
