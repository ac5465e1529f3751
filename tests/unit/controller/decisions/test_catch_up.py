"""What ended runs have told, and what the database is asked when they told nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from dbmigrate.api.migration import MigrationResource
from dbmigrate.controller.decisions.pods import Pod
from dbmigrate.controller.decisions.runs import JobRun, RunCommand, RunState
from dbmigrate.controller.decisions.view import Decision
from dbmigrate.report import Outcome, Reason
from tests.unit.controller.resources import (
    NOW,
    failure,
    finished,
    look,
    make_migration,
    make_pod,
    make_report,
    make_run,
    reconcile,
)

pytestmark = pytest.mark.quick


def ready_reason(decision: Decision) -> str:
    return decision.status.conditions[0].reason


def is_stalled(decision: Decision) -> bool:
    return any(c.type == "Stalled" and c.status == "True" for c in decision.status.conditions)


@pytest.mark.parametrize("seen", ["no Pod", "a Pod that still runs", "a Pod without an end"])
def test_a_failed_job_whose_pods_end_is_not_seen_yet_is_looked_up_before_it_is_written(
    seen: str,
) -> None:
    """The Job's stream may be ahead of the Pod's, which has the real error."""
    migration = make_migration()
    run = make_run(migration)
    pods = {
        "no Pod": (),
        "a Pod that still runs": (make_pod(run, phase="Running"),),
        "a Pod without an end": (make_pod(run, phase="Failed"),),
    }[seen]
    run = finished(run, RunState.FAILED)
    assert reconcile(look(migration, runs=(run,), pods=pods), NOW).rests_on_absence
    told = (make_pod(run, failure(Reason.STATEMENT_FAILED)),)
    decision = reconcile(look(migration, runs=(run,), pods=told), NOW)
    assert not decision.rests_on_absence
    assert ready_reason(decision) == "StatementFailed"


def test_a_pod_that_was_seen_does_not_make_up_for_one_that_was_not() -> None:
    migration = make_migration()
    unseen = make_run(migration, name="shop-1", created_at=NOW - timedelta(minutes=2))
    seen = make_run(migration, name="shop-2", attempt=2)
    runs = (finished(unseen, RunState.FAILED), finished(seen, RunState.FAILED))
    pods = (make_pod(runs[1], failure(Reason.STATEMENT_FAILED)),)
    assert reconcile(look(migration, runs=runs, pods=pods), NOW).rests_on_absence


@pytest.mark.parametrize("command", [RunCommand.FORCE, RunCommand.REPAIR])
@pytest.mark.parametrize("has_failed", [True, False])
def test_only_an_order_that_has_succeeded_starts_the_target_again(
    command: RunCommand, has_failed: bool
) -> None:
    migration = make_migration()
    run = finished(make_run(migration), RunState.FAILED)
    pod = make_pod(run, failure(Reason.DIRTY))
    first = reconcile(look(migration, runs=(run,), pods=(pod,)), NOW)
    migration = replace(migration, status=first.status)
    order = make_run(migration, name="order", command=command, created_at=NOW)
    order = finished(order, RunState.FAILED if has_failed else RunState.SUCCEEDED)
    report = failure(Reason.CHECKSUM_MISMATCH) if has_failed else make_report(command=command)
    view = look(migration, runs=(run, order), pods=(pod, make_pod(order, report)))
    decision = reconcile(view, NOW)
    last = decision.status.last_run
    assert last is not None
    assert (last.cleared_by, decision.order is None) == (
        None if has_failed else "order",
        has_failed,
    )


def unread(limit: int) -> tuple[MigrationResource, JobRun]:
    """A resource whose run has succeeded without a report."""
    migration = make_migration(retry={"limit": limit})
    return migration, finished(make_run(migration))


def asked(migration: MigrationResource, attempt: int) -> JobRun:
    """A `status` run after it that has ended."""
    name = f"ask-{attempt}"
    run = make_run(migration, name=name, command=RunCommand.STATUS, created_at=NOW, attempt=attempt)
    return finished(run)


def ask_in_vain(migration: MigrationResource, run: JobRun, attempt: int, now: datetime) -> Decision:
    question = asked(migration, attempt)
    silent: tuple[Pod, ...] = (make_pod(question),)
    return reconcile(look(migration, runs=(run, question), pods=silent), now)


def test_a_question_that_was_not_answered_is_asked_again_after_a_pause_up_to_the_limit() -> None:
    migration, run = unread(limit=2)
    assert reconcile(look(migration, runs=(run,)), NOW).order is not None
    for attempt in (1, 2, 3):
        paused = ask_in_vain(migration, run, attempt, NOW)
        due = paused.look_at
        assert due is not None
        assert due > NOW
        assert (paused.order, paused.status.next_retry_at) == (None, due)
        assert ready_reason(paused) == "ReadingDatabase"
        assert is_stalled(paused) is (attempt > 2)
        waiting = replace(migration, status=paused.status)
        early = ask_in_vain(waiting, run, attempt, due - timedelta(milliseconds=1))
        assert (early.order, early.look_at) == (None, due)
        again = ask_in_vain(waiting, run, attempt, due)
        assert again.order is not None
        assert (again.order.command, again.order.attempt) == (RunCommand.STATUS, attempt + 1)
        assert again.look_at == due + timedelta(seconds=60)


def test_an_older_question_does_not_answer_for_a_later_run() -> None:
    migration, run = unread(limit=2)
    early = replace(asked(migration, 1), created_at=run.created_at - timedelta(minutes=1))
    answer = make_pod(early, make_report(command="status", outcome=Outcome.UP_TO_DATE, steps=()))
    decision = reconcile(look(migration, runs=(early, run), pods=(answer,)), NOW)
    assert decision.order is not None
    assert (decision.order.command, decision.order.attempt) == (RunCommand.STATUS, 2)


def test_a_question_that_is_under_way_is_waited_for_and_nothing_is_looked_at_in_the_past() -> None:
    migration, run = unread(limit=2)
    status = reconcile(look(migration, runs=(run,)), NOW).status
    migration = replace(migration, status=status)
    for age in (0, 1, 6, 29, 31, 59, 3600):
        now = NOW + timedelta(seconds=age)
        question = make_run(migration, name="ask", command=RunCommand.STATUS, created_at=NOW)
        decision = reconcile(look(migration, runs=(run, question)), now)
        assert decision.order is None
        assert decision.look_at is not None
        assert now < decision.look_at <= now + timedelta(seconds=60)


@pytest.mark.parametrize("age", [0, 4, 7, 20, 45, 600])
def test_a_routine_question_is_looked_at_again_in_the_future(age: int) -> None:
    migration = make_migration()
    run = finished(make_run(migration))
    done = reconcile(look(migration, runs=(run,), pods=(make_pod(run, make_report()),)), NOW)
    migration = replace(migration, status=done.status)
    now = NOW + timedelta(seconds=age)
    question = make_run(migration, name="ask", command=RunCommand.STATUS, created_at=NOW)
    decision = reconcile(look(migration, runs=(run, question)), now)
    assert ready_reason(decision) == "Applied"
    assert decision.look_at is not None
    assert now < decision.look_at <= now + timedelta(seconds=60)
