"""Each command that changes a database asks its log for the owner, and may take another's place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dbmigrate.postgres.connection.target import HistoryKind
from dbmigrate.postgres.history.log.notes import Owner
from dbmigrate.report import Reason
from dbmigrate.runner.commands.apply import ApplyOrder, apply
from dbmigrate.runner.commands.backup import backup
from dbmigrate.runner.commands.baseline import baseline
from dbmigrate.runner.commands.down import down
from dbmigrate.runner.commands.drop import drop
from dbmigrate.runner.commands.force import force
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.prune import prune
from dbmigrate.runner.commands.redo import redo
from dbmigrate.runner.commands.repair import repair
from dbmigrate.runner.commands.restore import RestoreOrder, restore
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import Result
from tests.database import Database
from tests.runner.test_lost_history import of
from tests.runner.test_takeover import INSERTS, PAIRS, latest, rows, write

pytestmark = pytest.mark.database

OURS, OTHER = Owner("shop"), Owner("people")
CHANGING: dict[str, Callable[[Request], Result[Any]]] = {
    "up": up,
    "up 1": lambda wanted: up(wanted, 1),
    "goto": lambda wanted: goto(wanted, latest(wanted)),
    "apply": lambda wanted: apply(wanted, ApplyOrder()),
    "down 0": lambda wanted: down(wanted, 0),
    "down 1": lambda wanted: down(wanted, 1),
    "redo": redo,
    "force": lambda wanted: force(wanted, latest(wanted)),
    "baseline": lambda wanted: baseline(wanted, latest(wanted)),
    "repair": repair,
    "prune": lambda wanted: prune(wanted, 0),
    "drop": drop,
}
TAKING = [name for name in CHANGING if name not in ("up 1", "drop")]
"""Those that succeed on a database that is current, and leave a log."""


def of_owner(wanted: Request, owner: Owner | None, *, takes: Owner | None = None) -> Request:
    return replace(wanted, options=replace(wanted.options, owner=owner, take_over=takes))


def reason(result: Result[Any]) -> Reason | None:
    return result.error.reason if result.error else None


@pytest.mark.parametrize("name", CHANGING)
def test_a_command_of_another_owner_changes_nothing(database: Database, name: str) -> None:
    wanted = of(PAIRS[0][0], database, INSERTS)
    up(of_owner(wanted, OURS)).unwrap()
    done = CHANGING[name](of_owner(wanted, OTHER))
    assert reason(done) is Reason.DATABASE_CONFLICT
    assert rows(database) == [2, 3]
    assert up(of_owner(wanted, OURS)).error is None


@pytest.mark.parametrize("name", TAKING)
def test_a_place_is_taken_by_any_command_also_if_it_has_nothing_to_do(
    database: Database, name: str
) -> None:
    wanted = of(PAIRS[0][0], database, INSERTS)
    up(of_owner(wanted, OURS)).unwrap()
    CHANGING[name](of_owner(wanted, OTHER, takes=OURS)).unwrap()
    assert reason(up(of_owner(wanted, OURS))) is Reason.DATABASE_CONFLICT
    assert up(of_owner(wanted, OTHER)).error is None


def test_a_look_without_the_locks_does_not_pass_over_the_new_owner(database: Database) -> None:
    wanted = of(PAIRS[0][0], database, INSERTS)
    up(of_owner(wanted, OURS)).unwrap()
    up(of_owner(wanted, OTHER, takes=OURS), looks_first=True).unwrap()
    assert reason(up(of_owner(wanted, OURS))) is Reason.DATABASE_CONFLICT


def test_a_database_of_another_owner_is_not_replaced(database: Database, tmp_path: Path) -> None:
    wanted, file = of(PAIRS[0][0], database, INSERTS), str(tmp_path / "shop.dump")
    up(of_owner(wanted, OURS), 2).unwrap()
    backup(wanted, file).unwrap()
    up(of_owner(wanted, OURS)).unwrap()
    order = RestoreOrder(file, may_replace=True)
    assert reason(restore(of_owner(wanted, OTHER), order)) is Reason.DATABASE_CONFLICT
    assert rows(database) == [2, 3]
    restore(of_owner(wanted, OTHER, takes=OURS), order).unwrap()
    assert rows(database) == [2]
    assert reason(up(of_owner(wanted, OURS))) is Reason.DATABASE_CONFLICT
    assert up(of_owner(wanted, OTHER)).error is None


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_the_history_of_another_owner_is_not_replaced(
    database: Database, before: HistoryKind, after: HistoryKind, tmp_path: Path
) -> None:
    old, new = (
        replace(of(kind, database), source=write(kind, tmp_path, 3)) for kind in (before, after)
    )
    up(of_owner(old, OURS)).unwrap()
    refused = baseline(of_owner(new, OTHER), latest(new))
    assert reason(refused) is Reason.DATABASE_CONFLICT
    assert up(of_owner(old, OURS)).error is None
    baseline(of_owner(new, OTHER, takes=OURS), latest(new)).unwrap()
    later = replace(old, source=write(before, tmp_path, 4))
    assert reason(up(of_owner(later, OURS))) is Reason.FOREIGN_HISTORY
    assert up(of_owner(new, OTHER)).error is None
