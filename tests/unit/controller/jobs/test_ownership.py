"""For whom a run is: what its Pod is told, so that the database's log knows it."""

from __future__ import annotations

from typing import Any

import pytest

from dbmigrate.controller.decisions.runs import RunCommand
from dbmigrate.controller.jobs.body import Images, RunOrder, build_job
from tests.unit.controller.resources import UID, make_migration

OWNER = f"here/team/shop#{UID}"


def tell(
    command: RunCommand, *, spec: dict[str, Any] | None = None, **order: Any
) -> dict[str, str]:
    """The variables of ours that the runner of such an order has."""
    job = build_job(
        make_migration(**(spec or {})),
        RunOrder(command, "abc", 1, 3, **order),
        images=Images("runner:1"),
        server_version=(1, 36),
        cluster="here",
    )
    (runner,) = job["spec"]["template"]["spec"]["containers"]
    names = {
        f"DBMIGRATE_{word}": word for word in ("OWNER", "TAKE_OVER", "INTENT", "ORDER", "ORDER_ID")
    }
    return {names[e["name"]]: e["value"] for e in runner["env"] if e["name"] in names}


@pytest.mark.parametrize(
    ("command", "order", "told"),
    [
        (RunCommand.GOTO, {}, {"OWNER": OWNER, "INTENT": "abc"}),
        (RunCommand.GOTO, {"ordered_by": "MigrationAction again"}, {"OWNER": OWNER}),
        (
            RunCommand.ROLLBACK,
            {"ordered_by": "MigrationAction back"},
            {"OWNER": OWNER, "INTENT": "abc", "ORDER": "MigrationAction back"},
        ),
        (RunCommand.FORCE, {"ordered_by": "MigrationAction force"}, {"OWNER": OWNER}),
        (RunCommand.REPAIR, {}, {"OWNER": OWNER}),
        (RunCommand.REPAIR, {"order_id": "x y"}, {"OWNER": OWNER, "ORDER_ID": "x y"}),
        (RunCommand.STATUS, {}, {}),
        (RunCommand.PLAN, {}, {}),
        (
            RunCommand.GOTO,
            {"take_over": "here/team/old"},
            {"OWNER": OWNER, "INTENT": "abc", "TAKE_OVER": "here/team/old"},
        ),
    ],
)
def test_a_run_that_changes_the_database_says_for_whom(
    command: RunCommand, order: dict[str, Any], told: dict[str, str]
) -> None:
    assert tell(command, **order) == told


def test_a_resource_takes_over_whom_it_names() -> None:
    spec = {"takeOver": "there/$(HOME)/shop"}
    assert tell(RunCommand.GOTO, spec=spec)["TAKE_OVER"] == "there/$$(HOME)/shop"
    asked = tell(RunCommand.GOTO, spec=spec, take_over="here/team/old")
    assert asked["TAKE_OVER"] == "here/team/old"
