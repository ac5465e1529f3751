"""What an active run is said to do, by its age, its Pod and its events, and when to look again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dbmigrate.api.spec import Retry
from dbmigrate.api.status import PlanStatus, PlanStepStatus
from dbmigrate.api.trial import Trial
from dbmigrate.controller.decisions.approval import seek_approval
from dbmigrate.controller.decisions.backoff import JITTER, hash_fraction, retry_delay
from dbmigrate.controller.decisions.pods import NEEDS_CP, OVERDUE, Pod, Waiting
from dbmigrate.controller.decisions.progress import (
    LOOK_INTERVAL,
    SLOW_START,
    describe_progress,
    needs_events,
    next_look,
)
from dbmigrate.report.preparation import RehearsalSummary
from tests.unit.controller.resources import NOW, look, make_migration, make_pod, make_run

pytestmark = pytest.mark.quick

RUN = replace(make_run(make_migration()), started_at=NOW, created_at=NOW)
LABEL = "Job shop-1 (attempt 1)"
MOMENT = timedelta(seconds=1)


def waiting(reason: str, message: str = "", container: str = "dbmigrate", **changes: Any) -> Pod:
    return make_pod(RUN, phase="Pending", waiting=Waiting(reason, message, container), **changes)


def describe(pod: Pod | None, age: timedelta, trouble: str | None = None) -> tuple[str, str]:
    troubles = {} if trouble is None else {RUN.name: trouble}
    verdict = describe_progress(RUN, [pod] if pod else [], troubles, NOW + age)
    assert verdict.message.startswith(LABEL)
    return verdict.reason, verdict.message.removeprefix(f"{LABEL} ")


AT_WORK = ("Running", "is at work")
HELD = make_pod(RUN, phase="Pending", held_by="container a is not done")


@pytest.mark.parametrize(
    ("pod", "trouble", "soon", "later"),
    [
        (None, None, AT_WORK, ("PodNotStarting", "has no Pod yet: see its events")),
        (None, "quota", *[("PodNotStarting", "has no Pod: quota")] * 2),
        (make_pod(RUN), None, AT_WORK, AT_WORK),
        (make_pod(RUN), "quota", AT_WORK, AT_WORK),
        (make_pod(RUN, phase="Pending"), None, AT_WORK, AT_WORK),
        (HELD, None, AT_WORK, ("PodNotStarting", "waits: container a is not done")),
        (replace(HELD, held_by=None), "quota", AT_WORK, AT_WORK),
        (make_pod(RUN, is_gone=True), None, AT_WORK,
         ("PodNotStarting", "has no Pod yet: see its events")),
        (make_pod(RUN, job="other"), "quota", *[("PodNotStarting", "has no Pod: quota")] * 2),
        (waiting("ErrImagePull"), None, *[("ImagePullFailed", "waits: ErrImagePull")] * 2),
        (waiting("InvalidImageName", "why"), None, *[("ImagePullFailed", "waits: why")] * 2),
        (waiting("CreateContainerConfigError", 'Secret "a" not found'), None,
         *[("SecretMissing", 'waits: Secret "a" not found')] * 2),
        (waiting("CreateContainerConfigError", "configmap a"), None,
         *[("PodNotStarting", "waits: configmap a")] * 2),
        (waiting("RunContainerError", "no cp"), None, *[("PodNotStarting", "waits: no cp")] * 2),
        (waiting("RunContainerError", "no cp", "copy-migrations"), None,
         *[("PodNotStarting", f"waits: no cp{NEEDS_CP}")] * 2),
        (waiting("CreateContainerError", "no cp", "copy-migrations"), None,
         *[("PodNotStarting", f"waits: no cp{NEEDS_CP}")] * 2),
        (waiting("CrashLoopBackOff", "no cp", "copy-migrations"), None,
         *[("PodNotStarting", "waits: no cp")] * 2),
        (waiting("ContainerCreating"), None, AT_WORK,
         ("PodNotStarting",
          "waits for its volumes or network: see kubectl describe pod shop-1-x")),
        (waiting("ContainerCreating"), "no volume",
         *[("PodNotStarting", "waits for its volumes or network: no volume")] * 2),
        (make_pod(RUN, waiting=Waiting("ErrImagePull", "", "proxy")), None, AT_WORK, AT_WORK),
        (make_pod(RUN, waiting=Waiting("ErrImagePull", "", "rehearsal")), None,
         *[("ImagePullFailed", "waits: ErrImagePull")] * 2),
    ],
)  # fmt: skip
def test_what_keeps_a_run_from_starting_is_told(
    pod: Pod | None, trouble: str | None, soon: tuple[str, str], later: tuple[str, str]
) -> None:
    assert describe(pod, SLOW_START, trouble) == soon
    assert describe(pod, SLOW_START + MOMENT, trouble) == later


def test_a_run_that_goes_or_is_suspended_is_said_to() -> None:
    deleting = replace(RUN, is_deleting=True)
    assert describe_progress(deleting, [], {}, NOW).message == f"{LABEL} is being deleted"


@pytest.mark.parametrize("late", [False, True])
def test_a_pod_whose_node_does_not_answer_is_neither_at_work_nor_over(late: bool) -> None:
    pod = make_pod(RUN, node="n", gone_by=NOW)
    moment = NOW + OVERDUE + (MOMENT if late else timedelta(0))
    assert pod.has_lost_node(moment) is late
    verdict = describe_progress(RUN, [pod], {}, moment)
    assert (verdict.reason == "NodeLost") is late
    assert make_pod(RUN, is_cut_off=True).has_lost_node(NOW)
    assert not make_pod(RUN).has_lost_node(NOW)
    for over in ({"is_gone": True}, {"phase": "Succeeded"}, {"phase": "Failed"}):
        assert not make_pod(RUN, is_cut_off=True, **over).has_lost_node(NOW)


def test_of_a_lost_node_the_deadline_of_the_run_is_told() -> None:
    pod = make_pod(RUN, node="n", is_cut_off=True)
    run = replace(RUN, deadline_at=NOW)
    said = [describe_progress(run, [pod], {}, NOW + age).message for age in (-MOMENT, 0 * MOMENT)]
    assert said[0].endswith("(the run's deadline is 2026-11-24T12:00:00Z)")
    assert said[1].endswith("(the run's deadline was 2026-11-24T12:00:00Z)")
    assert "deadline" not in describe_progress(RUN, [pod], {}, NOW).message
    assert said[0].startswith("node n does not answer, so whether Pod shop-1-x on it is still")


CREATING = waiting("ContainerCreating")


@pytest.mark.parametrize(
    ("pod", "age", "looked_up", "look_in"),
    [
        (None, 0, None, 5),
        (None, 4, None, 1),
        (None, 5, "job-1", 15),
        (None, 19, "job-1", 1),
        (None, 20, "job-1", 60),
        (CREATING, 0, None, 20),
        (CREATING, 19, None, 1),
        (CREATING, 20, "pod-of-shop-1", 60),
        (replace(CREATING, has_started=True), 20, None, 60),
        (waiting("ErrImagePull"), 20, None, 60),
        (make_pod(RUN), 20, None, 60),
    ],
)
def test_events_are_looked_up_at_the_ages_at_which_they_tell_something(
    pod: Pod | None, age: int, looked_up: str | None, look_in: int
) -> None:
    pods, now = [pod] if pod else [], NOW + timedelta(seconds=age)
    assert needs_events(RUN, pods, now) == looked_up
    assert next_look(RUN, pods, now) == now + timedelta(seconds=look_in)


def test_no_events_are_looked_up_of_what_is_not_to_start() -> None:
    late = NOW + timedelta(minutes=9)
    assert needs_events(RUN, [], late) is not None
    for changes in ({"is_deleting": True}, {"started_at": None}):
        assert needs_events(replace(RUN, **changes), [], late) is None
    assert next_look(replace(RUN, started_at=None), [], NOW) == NOW + LOOK_INTERVAL


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 5), (2, 10), (3, 20), (6, 160), (7, 300), (34, 300), (2**31, 300)]
)
def test_the_delay_is_the_doubled_one_less_its_jitter(attempt: int, seconds: int) -> None:
    retry = Retry(initial_delay=timedelta(seconds=5), max_delay=timedelta(minutes=5))
    part = 1 - JITTER * hash_fraction(f"seed/{attempt}")
    found = retry_delay(retry, attempt=attempt, seed="seed")
    assert found == timedelta(seconds=seconds) * part
    assert 0 <= hash_fraction("seed") < 1
    assert len({hash_fraction(str(n)) for n in range(100)}) == 100


STEP = PlanStepStatus("1", "a", "up")


@pytest.mark.parametrize(
    ("steps", "changes", "words"),
    [
        (1, {}, "1 step"),
        (2, {}, "2 steps"),
        (1, {"steps_total": 3}, "3 steps (1 are shown; `dbmigrate plan` shows all)"),
        (2, {"steps": (STEP, replace(STEP, destructive=True))}, "2 steps, 1 of them destructive"),
        (1, {"trial": Trial(findings_total=1)}, "1 step, 1 finding of lint"),
        (1, {"trial": Trial(findings_total=2)}, "1 step, 2 findings of lint"),
        (1, {"trial": Trial(rehearsal=RehearsalSummary(1, 0, 5))}, "1 step, rehearsed"),
    ],
)
def test_a_plan_that_waits_is_described(steps: int, changes: dict[str, Any], words: str) -> None:
    migration = make_migration(approval="Manual")
    intent = migration.spec.intent("one")
    plan = PlanStatus("hash", intent, (STEP,) * steps, NOW, steps)
    status = replace(migration.status, plan=replace(plan, **changes))
    found = seek_approval(look(migration), status, intent, NOW)
    assert found is not None
    assert found.verdict.message == (
        f"plan hash with {words} waits for a MigrationAction that approves it for shop"
    )
