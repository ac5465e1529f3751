"""Whose database it is, by its log: others are refused, and what a person had undone stays so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dbmigrate.policies import Rollback
from dbmigrate.postgres.history.log.notes import Owner
from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.prune import prune
from dbmigrate.runner.commands.read_only.status import status
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options, Request
from dbmigrate.runner.result import Result
from dbmigrate.sources.migration import Source
from tests.database import Database
from tests.runner.arrange import log, migration, request, source, table, tables, version_row

pytestmark = pytest.mark.database

OURS = "here/shop/users#1"
MADE_AGAIN = "here/shop/users#2"
RENAMED = "here/shop/people#3"
ELSEWHERE = "there/shop/users#1"


def run(
    database: Database,
    files: Source,
    target: int | None = None,
    *,
    owner: str | None = OURS,
    take_over: str | None = None,
    intent: str | None = "a",
    order: str | None = None,
    order_id: str | None = None,
) -> Result[None]:
    """A run as the operator makes it."""
    options = Options(
        who="job",
        owner=Owner.parse(owner) if owner else None,
        take_over=Owner.parse(take_over) if take_over else None,
        intent=intent,
        order=order,
        order_id=order_id,
        rollback=Rollback.ALLOW,
    )
    return goto(request(database, files, options=options), target)


def reason(result: Result[None]) -> Reason | None:
    return result.error.reason if result.error else None


@pytest.mark.parametrize("other", [ELSEWHERE, RENAMED, "here/other/users#1", "ci"])
def test_a_run_of_another_owner_is_refused_until_it_takes_over(
    database: Database, other: str
) -> None:
    files = tables(1, 2, 3)
    assert run(database, files).report.owner == OURS
    refused = run(database, files, 1, owner=other)
    assert reason(refused) is Reason.DATABASE_CONFLICT
    assert "is migrated by here/shop/users" in str(refused.error)
    assert version_row(database) == [(3, False)]
    assert reason(run(database, files, owner=other)) is Reason.DATABASE_CONFLICT
    wrong = run(database, files, owner=other, take_over="here/shop/orders")
    assert reason(wrong) is Reason.DATABASE_CONFLICT
    taken = run(database, files, 2, owner=other, take_over="here/shop/users", order="x")
    assert (taken.report.outcome, taken.report.owner) == (Outcome.ROLLED_BACK, other)
    assert reason(run(database, files)) is Reason.DATABASE_CONFLICT


def test_who_is_made_again_and_who_has_no_name_are_not_refused(database: Database) -> None:
    run(database, tables(1))
    again = run(database, tables(1, 2), owner=MADE_AGAIN)
    assert again.report.owner == MADE_AGAIN
    assert up(request(database, tables(1, 2, 3))).error is None
    assert down(request(database, tables(1, 2, 3)), 1).error is None
    assert status(request(database, tables(1))).report.owner == MADE_AGAIN
    unknown = run(database, tables(1, 2), owner="unknown-0f0f/shop/users#9")
    assert unknown.error is None


def test_a_database_that_is_current_is_claimed_all_the_same(database: Database) -> None:
    up(request(database, tables(1)))
    assert run(database, tables(1)).report.owner == OURS
    assert reason(run(database, tables(1), owner=ELSEWHERE)) is Reason.DATABASE_CONFLICT
    found = log(database, "direction, outcome, name, version")
    assert found[1:] == [("owner", "noted", OURS, 0)]


EMPTIED = [
    "TRUNCATE schema_migrations_log",
    "TRUNCATE schema_migrations_log RESTART IDENTITY",
    "DELETE FROM schema_migrations_log",
    "DELETE FROM schema_migrations_log WHERE outcome = 'noted'",
]


@pytest.mark.parametrize("loss", EMPTIED)
def test_a_log_that_was_emptied_still_knows_the_owner(database: Database, loss: str) -> None:
    files = tables(1, 2, 3)
    run(database, files)
    database.execute(loss)
    assert status(request(database, files)).report.owner == OURS
    for again in (files, tables(1, 2, 3, 4)):
        refused = run(database, again, owner=ELSEWHERE)
        assert reason(refused) is Reason.DATABASE_CONFLICT
        assert "is migrated by here/shop/users" in str(refused.error)
    assert run(database, tables(1, 2, 3, 4)).error is None
    database.execute(loss)
    taken = run(database, tables(1, 2, 3, 4), owner=ELSEWHERE, take_over="here/shop/users")
    assert taken.report.owner == ELSEWHERE
    database.execute(loss)
    assert reason(run(database, files)) is Reason.DATABASE_CONFLICT


@pytest.mark.parametrize(("comment", "is_known"), [("NULL", True), ("'ask Ann first'", False)])
def test_an_older_log_says_so_from_the_next_run_on(
    database: Database, comment: str, is_known: bool
) -> None:
    run(database, tables(1))
    database.execute(f"COMMENT ON COLUMN schema_migrations_log.executed_by IS {comment}")
    rows = log(database, "id")
    assert run(database, tables(1)).error is None
    assert log(database, "id") == rows
    database.execute("TRUNCATE schema_migrations_log")
    refused = reason(run(database, tables(1), owner=ELSEWHERE))
    assert (refused is Reason.DATABASE_CONFLICT) == is_known


def test_a_set_version_is_the_owners_too(database: Database) -> None:
    run(database, tables(1, 2))
    options = Options(who="job", owner=Owner.parse(ELSEWHERE))
    assert force(request(database, options=options), 1).report.error is not None
    assert version_row(database) == [(2, False)]


def roll_back(database: Database, target: int = 1) -> None:
    files = tables(1, 2, 3)
    run(database, files)
    ordered = run(database, files, target, order="MigrationAction back")
    assert ordered.report.outcome is Outcome.ROLLED_BACK


@pytest.mark.parametrize(
    ("owner", "intent"),
    [(OURS, "a"), (MADE_AGAIN, "a"), (MADE_AGAIN, "b"), ("unknown/shop/users#1", "b")],
)
def test_what_was_undone_is_not_done_again_by_a_resource_that_is_made_again(
    database: Database, owner: str, intent: str
) -> None:
    roll_back(database)
    for _ in range(2):
        held = run(database, tables(1, 2, 3), owner=owner, intent=intent)
        assert reason(held) is Reason.ROLLED_BACK
        assert "from version 3 to 1 by MigrationAction back" in str(held.error)
    assert version_row(database) == [(1, False)]


def test_one_of_another_name_that_takes_over_is_held_as_well(database: Database) -> None:
    roll_back(database)
    held = run(database, tables(1, 2, 3), owner=RENAMED, take_over="here/shop/users", intent="b")
    assert reason(held) is Reason.ROLLED_BACK
    assert reason(run(database, tables(1, 2, 3), owner=RENAMED, intent="b")) is Reason.ROLLED_BACK
    assert reason(run(database, tables(1, 2, 3))) is Reason.DATABASE_CONFLICT
    ordered = run(database, tables(1, 2, 3), owner=RENAMED, intent=None)
    assert ordered.report.outcome is Outcome.APPLIED


CORRECTED = source(table(1), migration(2, "CREATE TABLE other (id int);"), table(3))
RELEASES: dict[str, Callable[[Database], Result[None]]] = {
    "the resource itself wants something else": lambda d: run(d, tables(1, 2, 3), intent="b"),
    "a new file": lambda d: run(d, tables(1, 2, 3, 4), owner=MADE_AGAIN, intent="b"),
    "another target": lambda d: run(d, tables(1, 2, 3), 2, owner=MADE_AGAIN, intent="b"),
    "a corrected file": lambda d: run(d, CORRECTED, owner=MADE_AGAIN, intent="b"),
    "an order": lambda d: run(d, tables(1, 2, 3), intent=None),
}


@pytest.mark.parametrize("release", RELEASES)
def test_a_target_that_says_otherwise_leads_on(database: Database, release: str) -> None:
    roll_back(database)
    assert RELEASES[release](database).report.outcome is Outcome.APPLIED
    again = run(database, tables(1, 2, 3, 4), owner=MADE_AGAIN, intent="a")
    assert again.error is None or reason(again) is not Reason.ROLLED_BACK


@pytest.mark.parametrize("move", ["up", "force"])
def test_a_person_at_the_command_line_ends_the_hold(database: Database, move: str) -> None:
    roll_back(database)
    if move == "up":
        up(request(database, tables(1, 2, 3)), 1)
    else:
        force(request(database), 1)
    assert run(database, tables(1, 2, 3)).error is None


def test_an_order_that_undid_nothing_holds_nothing(database: Database) -> None:
    files = source(table(1), migration(2, "CREATE TABLE t2 ();", "DROP TABLE nothing;"))
    run(database, files)
    assert run(database, files, 1, order="MigrationAction back").error is not None
    assert run(database, source(*files.migrations, table(3)), intent="a").error is None


def test_a_pruned_log_still_knows_the_owner_and_the_hold(database: Database) -> None:
    roll_back(database)
    assert prune(request(database), 0).error is None
    assert reason(run(database, tables(1, 2, 3))) is Reason.ROLLED_BACK
    assert reason(run(database, tables(1, 2, 3), owner=ELSEWHERE)) is Reason.DATABASE_CONFLICT


def ordered(database: Database, files: Source, order_id: str) -> Request:
    options = Options(who="job", owner=Owner.parse(OURS), order_id=order_id)
    return request(database, files, options=options)


def test_an_order_is_carried_out_once(database: Database) -> None:
    files, back = tables(1, 2, 3), "MigrationAction team/back: rollback 1"
    assert run(database, tables(1, 2)).error is None
    done = run(database, tables(1, 2), 1, order="back", order_id=back)
    assert done.report.outcome is Outcome.ROLLED_BACK
    assert run(database, files, intent="b").error is None
    # Whoever has made the resource again, from Git or from a backup.
    for owner in (OURS, MADE_AGAIN):
        again = run(database, files, 1, owner=owner, order="back", order_id=back)
        assert reason(again) is Reason.ALREADY_DONE
        assert f"{back} has been carried out at 2" in str(again.error)
        assert (again.report.version, again.report.dirty) == ("3", False)
    other = back.replace("back", "back-2")
    assert run(database, files, 1, order="back", order_id=other).error is None
    assert version_row(database) == [(1, False)]


def test_an_order_that_failed_or_changed_nothing_is_told_by_its_end(database: Database) -> None:
    files = tables(1, 2)
    assert run(database, files).error is None
    lost = run(database, files, 7, order="back", order_id="to 7")
    assert lost.error is not None
    again = run(database, files, 7, order="back", order_id="to 7")
    assert reason(again) == reason(lost)
    # There was nothing to do: it is done all the same.
    assert run(database, files, 2, order="back", order_id="to 2").error is None
    assert reason(run(database, files, 2, order="back", order_id="to 2")) is Reason.ALREADY_DONE


@pytest.mark.parametrize("prunes", [False, True])
def test_a_force_and_a_repair_are_remembered_too(database: Database, prunes: bool) -> None:
    files = tables(1, 2)
    assert run(database, files).error is None
    assert force(ordered(database, files, "force 1"), 1).error is None
    database.execute("UPDATE schema_migrations SET version = 2")
    if prunes:
        assert prune(request(database, files), 0).error is None
    again = force(ordered(database, files, "force 1"), 1)
    assert reason(again) is Reason.ALREADY_DONE
    assert version_row(database) == [(2, False)]
    assert force(ordered(database, files, "force 1 again"), 1).error is None


def test_an_order_is_noted_in_a_log_that_was_lost(database: Database) -> None:
    files = tables(1, 2)
    assert run(database, files, 2, order_id="to 2").error is None
    database.execute("DROP TABLE schema_migrations_log")
    assert run(database, files, 1, order="back", order_id="to 1").error is None
    assert reason(run(database, files, 1, order="back", order_id="to 1")) is Reason.ALREADY_DONE
