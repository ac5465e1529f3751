"""Which finished Jobs and ended orders are kept, and which are deleted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dbmigrate.api.action import Action, ActionKind, ActionPhase
from dbmigrate.api.spec import HistoryLimits
from dbmigrate.api.status import LastRun, MigrationStatus, PlanStatus
from dbmigrate.controller.decisions.action_history import choose_adopted, choose_expired
from dbmigrate.controller.decisions.job_history import choose_discarded
from dbmigrate.controller.decisions.runs import LINGER, JobRun, RunCommand, RunState
from dbmigrate.controller.decisions.view import ResourceView
from dbmigrate.report import Outcome
from tests.unit.controller.resources import FILES, NOW, make_migration, make_run

pytestmark = pytest.mark.quick

MIGRATION = make_migration(history={"successful": 3, "failed": 2, "actions": 2})
LIMITS = HistoryLimits(successful=3, failed=2)
SECOND = timedelta(seconds=1)


def run(name: str, state: RunState, *, age: int = 0, **more: Any) -> JobRun:
    """A Job that was created so many seconds ago."""
    return make_run(MIGRATION, name=name, state=state, created_at=NOW - age * SECOND, **more)


def discarded(*runs: JobRun, last: LastRun | None = None) -> set[str]:
    return set(choose_discarded(runs, last, LIMITS, NOW))


GROUPS = {
    "good": (RunState.SUCCEEDED, RunCommand.GOTO, 3),
    "bad": (RunState.FAILED, RunCommand.GOTO, 2),
    "asked": (RunState.SUCCEEDED, RunCommand.STATUS, 1),
}


def test_each_kind_of_finished_job_has_a_limit_of_its_own() -> None:
    runs = [
        run(f"{kind}-{age}", state, age=age, command=command)
        for kind, (state, command, _) in GROUPS.items()
        for age in (3, 1, 5, 2, 4)
    ]
    over = {f"{kind}-{n}" for kind, (_, _, limit) in GROUPS.items() for n in range(limit + 1, 6)}
    assert discarded(*runs) == over


def test_of_questions_the_newest_answer_stays_whatever_came_of_it() -> None:
    asked = [
        run("plan", RunState.FAILED, age=1, command=RunCommand.PLAN),
        run("status", RunState.SUCCEEDED, age=2, command=RunCommand.STATUS),
        run("older", RunState.FAILED, age=3, command=RunCommand.STATUS),
    ]
    assert discarded(*asked) == {"status", "older"}


def test_a_job_that_works_or_is_not_recorded_or_goes_is_left_and_does_not_count() -> None:
    good = [run(f"good-{age}", RunState.SUCCEEDED, age=age) for age in range(1, 5)]
    more = [
        run("at-work", RunState.ACTIVE),
        run("going", RunState.SUCCEEDED, is_deleting=True),
        run("not-recorded", RunState.SUCCEEDED),
    ]
    last = LastRun("not-recorded")
    assert discarded(*good, *more, last=last) == {"good-4"}
    recorded = replace(last, outcome=Outcome.APPLIED)
    assert discarded(*good, *more, last=recorded) == {"good-3", "good-4"}


def test_of_jobs_of_one_second_the_last_run_is_the_newest_and_then_the_attempt_counts() -> None:
    runs = [run(f"good-{n}", RunState.SUCCEEDED, attempt=n) for n in range(1, 6)]
    assert discarded(*runs) == {"good-1", "good-2"}
    last = LastRun("good-1", outcome=Outcome.APPLIED)
    assert discarded(*runs, last=last) == {"good-2", "good-3"}


@pytest.mark.parametrize(
    ("since", "goes"),
    [(None, False), (0 * SECOND, False), (LINGER - SECOND, False), (LINGER, True), (-SECOND, True)],
)
def test_a_job_that_other_containers_keep_up_goes_in_time(
    since: timedelta | None, goes: bool
) -> None:
    lingers = None if since is None else NOW - since
    assert discarded(run("a", RunState.SUCCEEDED, lingers_since=lingers)) == (
        {"a"} if goes else set()
    )


def order(name: str, *, age: int = 0, phase: ActionPhase = ActionPhase.SUCCEEDED) -> Action:
    made = Action("team", name, f"uid-{name}", NOW - age * SECOND, "shop", ActionKind.APPROVE)
    return replace(made, phase=phase)


def test_ended_orders_beyond_the_limit_go_unless_their_approval_is_in_use() -> None:
    waiting = [order("waits", phase=ActionPhase.PENDING), order("runs", phase=ActionPhase.RUNNING)]
    ended = [
        order("newest", age=1),
        order("b-same", age=2, phase=ActionPhase.REFUSED),
        order("a-same", age=2, phase=ActionPhase.FAILED),
        replace(order("waits-for", age=3), plan_hash="p1"),
        replace(order("worked-on", age=4), plan_hash="p2"),
        replace(order("of-old", age=5), plan_hash="p3"),
    ]
    view = ResourceView(MIGRATION, FILES, actions=tuple(reversed([*waiting, *ended])))
    status = MigrationStatus(
        plan=PlanStatus("p1", "intent", (), None), last_run=LastRun("job", plan="p2")
    )
    assert {each.name for each in choose_expired(view, status)} == {"a-same", "of-old"}
    names = {each.name for each in choose_expired(view, MigrationStatus())}
    assert names == {"a-same", "waits-for", "worked-on", "of-old"}


def test_an_order_without_an_owner_is_taken_over() -> None:
    owned = replace(order("owned"), is_owned=True)
    view = ResourceView(MIGRATION, FILES, actions=(owned, order("free")))
    assert [each.name for each in choose_adopted(view)] == ["free"]
