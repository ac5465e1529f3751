"""The decision as a table: what is there, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from dbmigrate.api.conditions import ConditionType, Truth
from dbmigrate.api.migration import MigrationResource
from dbmigrate.api.status import parse_status
from dbmigrate.controller.decisions.attempts import MOST_RUNS
from dbmigrate.controller.decisions.files import SourceFiles
from dbmigrate.controller.decisions.pods import Waiting
from dbmigrate.controller.decisions.retrying import ENVIRONMENTAL
from dbmigrate.controller.decisions.runs import JobRun, RunCommand, RunState
from dbmigrate.controller.decisions.view import Decision, Rejection, ResourceView, Resync
from dbmigrate.report import RETRYABLE, Outcome, Reason, Report, ReportError, Step
from dbmigrate.report.preparation import ReportedUnfinished
from tests.unit.controller.resources import (
    NOW,
    UID,
    ended,
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


def standing(decision: Decision) -> tuple[str, str, str, str]:
    """Ready, Reconciling, Stalled and Ready's reason."""
    found = {c.type: c for c in decision.status.conditions}
    kinds = (ConditionType.READY, ConditionType.RECONCILING, ConditionType.STALLED)
    truths = [found[kind].status.value for kind in kinds]
    return truths[0], truths[1], truths[2], found[ConditionType.READY].reason


def after(decision: Decision, migration: MigrationResource) -> MigrationResource:
    """The resource once the decision's status has been written."""
    return replace(migration, status=decision.status)


def settled(**spec: Any) -> tuple[MigrationResource, JobRun]:
    """A resource whose run has succeeded and is recorded."""
    migration = make_migration(**spec)
    run = finished(make_run(migration))
    decision = reconcile(look(migration, runs=(run,), pods=(make_pod(run, make_report()),)), NOW)
    return after(decision, migration), run


def failed(reason: Reason, **spec: Any) -> tuple[MigrationResource, JobRun, Decision]:
    migration = make_migration(**spec)
    run = finished(make_run(migration), RunState.FAILED)
    pod = make_pod(run, failure(reason))
    decision = reconcile(look(migration, runs=(run,), pods=(pod,)), NOW)
    return after(decision, migration), run, decision


def test_a_new_resource_gets_its_first_run() -> None:
    decision = reconcile(look(make_migration()), NOW)
    assert decision.order is not None
    assert (decision.order.command, decision.order.attempt) == (RunCommand.GOTO, 1)
    assert decision.rests_on_absence


def test_a_run_under_way_is_recorded_and_waited_for() -> None:
    migration = make_migration()
    run = make_run(migration)
    decision = reconcile(look(migration, runs=(run,), pods=(make_pod(run),)), NOW)
    assert standing(decision) == ("False", "True", "False", "Running")
    assert decision.order is None
    assert decision.look_at == NOW + timedelta(seconds=60)
    assert decision.status.last_run is not None
    assert decision.status.last_run.job == run.name
    assert decision.status.observed_generation == 1


def test_the_report_of_a_finished_run_becomes_the_status() -> None:
    migration, run = settled()
    status = migration.status
    assert (status.version, status.dirty, status.target, status.pending) == ("2", False, "2", 0)
    assert [entry.version for entry in status.history] == ["2", "1"]
    last = status.last_run
    assert last is not None
    assert (last.job, last.outcome) == (run.name, Outcome.APPLIED)
    decision = reconcile(look(migration, runs=(run,)), NOW)
    assert standing(decision) == ("True", "False", "False", "Applied")


def test_a_run_that_is_taken_in_again_adds_no_steps_to_the_history() -> None:
    migration, run = settled()
    wiped = replace(migration, status=replace(migration.status, last_run=None))
    decision = reconcile(look(wiped, runs=(run,), pods=(make_pod(run, make_report()),)), NOW)
    assert decision.status == migration.status


def test_looking_again_at_a_settled_resource_changes_nothing() -> None:
    migration, run = settled()
    for runs in ((run,), ()):
        decision = reconcile(look(migration, runs=runs), NOW + timedelta(days=30))
        assert decision.status == migration.status
        assert decision.order is None
        assert not decision.rests_on_absence


@pytest.mark.parametrize(
    ("spec", "generation"),
    [({"target": "1", "rollback": "Allow"}, 2), ({"outOfOrder": "Apply"}, 2)],
)
def test_a_change_of_what_is_wanted_starts_a_run(spec: dict[str, Any], generation: int) -> None:
    migration, run = settled()
    changed = replace(make_migration(generation=generation, **spec), status=migration.status)
    decision = reconcile(look(changed, runs=(run,)), NOW)
    assert decision.order is not None
    assert (decision.order.generation, decision.order.attempt) == (2, 1)


@pytest.mark.parametrize(
    "spec",
    [{"suspend": True}, {"retry": {"limit": 1}}, {"timeouts": {"deadline": "2h"}}],
)
def test_a_change_of_how_runs_are_made_starts_none_when_all_is_done(
    spec: dict[str, Any],
) -> None:
    migration, run = settled()
    changed = replace(make_migration(generation=2, **spec), status=migration.status)
    decision = reconcile(look(changed, runs=(run,)), NOW)
    assert decision.order is None
    assert standing(decision)[0] == "True"
    assert decision.status.observed_generation == 2
    assert all(c.observed_generation == 2 for c in decision.status.conditions)


def test_changed_files_start_a_run() -> None:
    migration, run = settled()
    decision = reconcile(look(migration, runs=(run,), files=SourceFiles(digest="two")), NOW)
    assert decision.order is not None


def test_a_spec_change_waits_for_the_run_that_is_under_way() -> None:
    migration = make_migration()
    run = make_run(migration)
    changed = make_migration(generation=2, target="1")
    decision = reconcile(look(changed, runs=(run,), pods=(make_pod(run),)), NOW)
    assert decision.order is None
    assert standing(decision) == ("False", "True", "False", "WaitingForRun")
    message = decision.status.conditions[0].message
    assert run.name in message
    assert "generation 1" in message


@pytest.mark.parametrize("reason", [Reason.CONNECTION_REFUSED, Reason.LOCK_TIMEOUT])
def test_a_passing_failure_is_tried_again_and_never_stalls(reason: Reason) -> None:
    migration, run, decision = failed(reason)
    assert standing(decision) == ("False", "True", "False", reason.value)
    due = decision.look_at
    assert due is not None
    assert decision.status.next_retry_at == due
    assert NOW < due <= NOW + timedelta(seconds=5)
    early = reconcile(look(migration, runs=(run,)), due - timedelta(milliseconds=1))
    assert early.order is None
    assert early.status == migration.status
    again = reconcile(look(migration, runs=(run,)), due)
    assert again.order is not None
    assert again.order.attempt == 2


@pytest.mark.parametrize("skew", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_clock_that_is_an_hour_off_does_not_delay_or_hurry_a_retry(skew: timedelta) -> None:
    migration = make_migration()
    run = finished(make_run(migration), RunState.FAILED)
    pods = (make_pod(run, failure(Reason.CONNECTION_REFUSED)),)
    mine = NOW + skew
    decision = reconcile(look(migration, runs=(run,), pods=pods), mine)
    due = decision.status.next_retry_at
    assert due is not None
    assert mine + timedelta(seconds=3) < due <= mine + timedelta(seconds=5)
    later = reconcile(look(after(decision, migration), runs=(run,)), due)
    assert later.order is not None


@pytest.mark.parametrize(
    "reason", [Reason.STATEMENT_FAILED, Reason.DIRTY, Reason.CHECKSUM_MISMATCH]
)
def test_a_lasting_failure_stalls_and_is_not_tried_again(reason: Reason) -> None:
    migration, run, decision = failed(reason)
    assert standing(decision) == ("False", "False", "True", reason.value)
    later = reconcile(look(migration, runs=(run,)), NOW + timedelta(days=1))
    assert later.order is None
    assert later.look_at is None


@pytest.mark.parametrize("reason", Reason)
def test_a_message_does_not_repeat_its_reason(reason: Reason) -> None:
    """`kubectl get` and every event show the two next to each other."""
    migration = make_migration()
    run = finished(make_run(migration), RunState.FAILED)
    error = ReportError(reason, "so it is", retryable=reason in RETRYABLE)
    report = replace(failure(reason), error=error)
    decision = reconcile(look(migration, runs=(run,), pods=(make_pod(run, report),)), NOW)
    for condition in decision.status.conditions:
        assert reason.value not in condition.message, condition


def test_the_reason_stays_visible_when_retries_are_exhausted() -> None:
    migration, _, _ = failed(Reason.CONNECTION_REFUSED, retry={"limit": 0})
    decision = reconcile(look(migration), NOW + timedelta(hours=1))
    assert standing(decision) == ("False", "False", "True", "ConnectionRefused")
    stalled = decision.status.condition(ConditionType.STALLED)
    assert stalled is not None
    assert stalled.reason == "RetriesExhausted"
    assert decision.order is None


def test_any_spec_change_gives_a_failed_resource_a_fresh_start() -> None:
    migration, run, _ = failed(Reason.AUTHENTICATION_FAILED)
    changed = replace(make_migration(generation=2, retry={"limit": 3}), status=migration.status)
    decision = reconcile(look(changed, runs=(run,)), NOW)
    assert decision.order is not None
    assert decision.order.attempt == 1


def test_suspend_starts_nothing_and_says_so() -> None:
    decision = reconcile(look(make_migration(suspend=True)), NOW)
    assert decision.order is None
    assert standing(decision) == ("False", "False", "False", "Suspended")


def test_a_missing_config_map_is_named_and_waited_for() -> None:
    decision = reconcile(look(make_migration(), files=SourceFiles(missing="shop-migrations")), NOW)
    assert standing(decision) == ("False", "True", "False", "SourceMissing")
    assert "shop-migrations" in decision.status.conditions[0].message
    assert decision.order is None


def test_a_file_in_two_config_maps_needs_a_person() -> None:
    decision = reconcile(
        look(make_migration(), files=SourceFiles(invalid="file 1_a.up.sql twice")), NOW
    )
    assert standing(decision) == ("False", "False", "True", "SourceInvalid")


def test_the_younger_of_two_on_one_database_is_refused() -> None:
    decision = reconcile(look(make_migration(), older="shop-first"), NOW)
    assert standing(decision) == ("False", "False", "True", "DatabaseConflict")
    assert "shop-first" in decision.status.conditions[0].message


@pytest.mark.parametrize(
    ("waiting", "reason"),
    [
        (Waiting("CreateContainerConfigError", 'secret "shop-db" not found'), "SecretMissing"),
        (Waiting("ErrImagePull", "no such image"), "ImagePullFailed"),
        (Waiting("ImagePullBackOff", "Back-off pulling image"), "ImagePullFailed"),
        (Waiting("CreateContainerError", "runAsNonRoot"), "PodNotStarting"),
        (Waiting("RunContainerError", "no cp", "copy-migrations"), "PodNotStarting"),
        (Waiting("Unschedulable", "0/3 nodes are available"), "PodNotStarting"),
    ],
)
def test_a_pod_that_can_not_start_says_why(waiting: Waiting, reason: str) -> None:
    migration = make_migration()
    run = make_run(migration)
    pod = make_pod(run, waiting=waiting, phase="Pending")
    decision = reconcile(look(migration, runs=(run,), pods=(pod,)), NOW)
    assert standing(decision) == ("False", "True", "False", reason)
    message = decision.status.conditions[0].message
    assert waiting.message in message
    assert ("needs the program cp" in message) is (waiting.container == "copy-migrations")


def test_a_job_deleted_by_hand_is_followed_by_another_attempt() -> None:
    migration = make_migration()
    run = make_run(migration)
    running = after(reconcile(look(migration, runs=(run,)), NOW), migration)
    lost = reconcile(look(running), NOW)
    assert lost.rests_on_absence
    assert standing(lost) == ("False", "True", "False", "Interrupted")
    due = lost.status.next_retry_at
    assert due is not None
    again = reconcile(look(after(lost, running)), due)
    assert again.order is not None
    assert again.order.attempt == 2


def test_nothing_starts_while_the_pod_of_a_deleted_job_is_still_at_work() -> None:
    migration = make_migration()
    run = make_run(migration)
    running = after(reconcile(look(migration, runs=(run,)), NOW), migration)
    decision = reconcile(look(running, pods=(make_pod(run),)), NOW + timedelta(minutes=10))
    assert decision.order is None
    assert standing(decision) == ("False", "True", "False", "WaitingForRun")


def test_the_pod_of_a_deleted_job_can_still_tell_how_it_ended() -> None:
    migration = make_migration()
    run = make_run(migration)
    running = after(reconcile(look(migration, runs=(run,)), NOW), migration)
    pod = make_pod(run, make_report(), phase="Succeeded")
    decision = reconcile(look(running, pods=(pod,)), NOW)
    assert standing(decision) == ("True", "False", "False", "Applied")


def test_a_success_whose_report_is_gone_is_settled_by_asking_the_database() -> None:
    migration = make_migration()
    run = finished(make_run(migration))
    unread = reconcile(look(migration, runs=(run,)), NOW)
    assert unread.order is not None
    assert unread.order.command is RunCommand.STATUS
    assert standing(unread) == ("False", "True", "False", "ReadingDatabase")
    asked = finished(
        make_run(migration, name="shop-ask", command=RunCommand.STATUS, created_at=NOW)
    )
    answer = make_pod(asked, make_report(command="status", outcome=Outcome.UP_TO_DATE, steps=()))
    decision = reconcile(
        look(after(unread, migration), runs=(run, asked), pods=(answer,)),
        NOW + timedelta(seconds=5),
    )
    assert standing(decision) == ("True", "False", "False", "UpToDate")
    assert decision.status.version == "2"


def test_a_database_that_is_not_there_yet_after_such_a_success_gets_another_run() -> None:
    migration = make_migration()
    run = finished(make_run(migration))
    asked = finished(
        make_run(migration, name="shop-ask", command=RunCommand.STATUS, created_at=NOW)
    )
    answer = make_pod(asked, make_report(version="1", pending=1))
    decision = reconcile(look(migration, runs=(run, asked), pods=(answer,)), NOW)
    assert standing(decision) == ("False", "True", "False", "Interrupted")
    assert decision.status.version == "1"


@pytest.mark.parametrize(
    ("job", "pod", "reason", "words"),
    [
        ({"failure_reason": "DeadlineExceeded"}, {}, "Interrupted", "deadline"),
        ({}, {"ended": ended(reason="OOMKilled", exit_code=137)}, "Interrupted", "memory"),
        ({}, {"disrupted": "preempted by x"}, "Interrupted", "preempted by x"),
        ({}, {"ended": ended(reason="Error", exit_code=137)}, "Interrupted", "killed"),
        ({}, {"ended": ended("usage: ...", reason="Error", exit_code=2)}, "Internal", "code 2"),
        (
            {},
            {"failed": ended("no such file", container="copy-migrations", exit_code=1)},
            "SourceInvalid",
            "no such file",
        ),
        (
            {},
            {
                "failed": ended(
                    'exec: "cp": executable file not found in $PATH',
                    container="copy-migrations",
                    reason="StartError",
                    exit_code=128,
                )
            },
            "SourceInvalid",
            "mode Volume needs none",
        ),
    ],
)
def test_a_run_that_left_no_report_is_explained_by_its_job_and_pod(
    job: dict[str, str], pod: dict[str, Any], reason: str, words: str
) -> None:
    migration = make_migration()
    run = finished(make_run(migration), RunState.FAILED, **job)
    decision = reconcile(look(migration, runs=(run,), pods=(make_pod(run, **pod),)), NOW)
    assert standing(decision)[3] == reason
    assert words in decision.status.conditions[0].message


def test_an_ended_run_is_recorded_also_when_its_successor_is_under_way_already() -> None:
    migration = make_migration()
    first = make_run(migration, created_at=NOW - timedelta(minutes=5))
    second = make_run(migration, name="shop-2", attempt=2)
    first = finished(first, RunState.FAILED)
    runs, pods = (second, first), (make_pod(first, failure(Reason.CONNECTION_REFUSED)),)
    decision = reconcile(look(migration, runs=runs, pods=pods), NOW)
    last = decision.status.last_run
    assert last is not None
    assert (last.job, last.attempts, last.has_ended) == ("shop-2", 2, False)


def test_an_older_job_that_still_lies_around_does_not_change_a_newer_record() -> None:
    migration, run = settled()
    old = replace(run, name="shop-0", created_at=run.created_at - timedelta(hours=1))
    old = replace(old, state=RunState.FAILED, generation=0)
    decision = reconcile(look(migration, runs=(old, run)), NOW)
    assert decision.status == migration.status


def test_dirty_is_a_condition_of_its_own() -> None:
    migration = make_migration()
    run = finished(make_run(migration), RunState.FAILED)
    report = replace(failure(Reason.DIRTY), version="2", dirty=True)
    decision = reconcile(look(migration, runs=(run,), pods=(make_pod(run, report),)), NOW)
    dirty = decision.status.condition(ConditionType.DIRTY)
    assert dirty is not None
    assert dirty.status is Truth.TRUE
    assert "version 2" in dirty.message


def test_a_step_in_batches_that_was_interrupted_is_gone_on_with_although_it_is_dirty() -> None:
    migration = make_migration()
    run = finished(make_run(migration), RunState.FAILED)
    report = failure(Reason.INTERRUPTED)
    assert report.error is not None
    error = replace(report.error, file="2_fill.up.sql", message="2000 rows are done")
    unfinished = ReportedUnfinished("2", "fill", "up", 2000, 2, "2026-11-24T11:00:00Z")
    report = replace(report, version="2", dirty=True, error=error, unfinished=unfinished)
    decision = reconcile(look(migration, runs=(run,), pods=(make_pod(run, report),)), NOW)
    assert standing(decision) == ("False", "True", "False", "Interrupted")
    dirty = decision.status.condition(ConditionType.DIRTY)
    assert dirty is not None
    assert (dirty.status, dirty.reason) == (Truth.TRUE, "InBatches")
    assert "version 2 is run in batches: 2000 rows are done in 2 batches" in dirty.message
    assert decision.status.unfinished == unfinished
    due = decision.look_at
    assert due is not None
    again = reconcile(look(after(decision, migration), runs=(run,)), due)
    assert again.order is not None
    assert again.order.attempt == 2


def interrupted(**parts: Any) -> Report:
    """The report of a run that got as far as that."""
    return replace(failure(Reason.INTERRUPTED), **parts)


def in_batches(batches: int) -> Report:
    unfinished = ReportedUnfinished(
        "2", "fill", "up", batches * 1000, batches, "2026-11-24T11:00:00Z"
    )
    return interrupted(version="1", dirty=True, unfinished=unfinished)


STEP = (Step("1", "create_users", "up", 60),)
KILLED = None


def test_a_runner_that_always_tells_of_progress_is_not_retried_for_ever() -> None:
    migration = make_migration(retry={"limit": 1})
    lie = interrupted(steps=STEP, steps_total=1)
    for attempt in range(1, 45):
        run = finished(
            make_run(migration, attempt=attempt, name=f"shop-{attempt}"), RunState.FAILED
        )
        decision = reconcile(look(migration, runs=(run,), pods=(make_pod(run, lie),)), NOW)
        migration = replace(migration, status=parse_status(decision.status.to_dict()))
        found = migration.status.condition(ConditionType.STALLED)
        assert found is not None
        assert (found.reason == "RetriesExhausted") is (attempt > MOST_RUNS * 2)
        assert decision.order is None
        if attempt > MOST_RUNS * 2:
            assert f"gave up after {attempt} runs" in found.message


@pytest.mark.parametrize(
    ("reports", "in_vain", "is_given_up"),
    [
        ([interrupted()] * 3, 3, True),
        ([KILLED] * 3, 3, True),
        ([in_batches(1), in_batches(1), in_batches(1)], 2, False),
        ([in_batches(1), in_batches(1), in_batches(1), in_batches(1)], 3, True),
        ([in_batches(n) for n in range(1, 8)], 0, False),
        ([in_batches(1), KILLED, KILLED, in_batches(9)], 0, False),
        ([in_batches(1), KILLED, KILLED, KILLED], 3, True),
        ([interrupted(steps=STEP, steps_total=1), interrupted()], 1, False),
    ],
)
def test_only_runs_that_came_no_further_use_up_the_limit(
    reports: list[Report | None], in_vain: int, is_given_up: bool
) -> None:
    migration = make_migration(retry={"limit": 2})
    for attempt, report in enumerate(reports, start=1):
        run = finished(
            make_run(migration, attempt=attempt, name=f"shop-{attempt}"), RunState.FAILED
        )
        decision = reconcile(look(migration, runs=(run,), pods=(make_pod(run, report),)), NOW)
        migration = replace(migration, status=parse_status(decision.status.to_dict()))
    last = migration.status.last_run
    assert last is not None
    assert (last.attempts, last.without_progress) == (len(reports), in_vain)
    found = migration.status.condition(ConditionType.STALLED)
    assert found is not None
    assert (found.status is Truth.TRUE) is is_given_up
    if is_given_up:
        assert found.reason == "RetriesExhausted"


def test_an_attempt_under_way_keeps_the_count_of_those_before_it() -> None:
    migration = make_migration()
    for attempt, report in ((1, interrupted()), (2, in_batches(1)), (3, in_batches(1))):
        run = finished(make_run(migration, attempt=attempt, name=f"s-{attempt}"), RunState.FAILED)
        decision = reconcile(look(migration, runs=(run,), pods=(make_pod(run, report),)), NOW)
        migration = after(decision, migration)
    run = make_run(migration, attempt=4, name="s-4")
    decision = reconcile(look(migration, runs=(run,), pods=(make_pod(run),)), NOW)
    assert decision.status.to_dict()["lastRun"]["withoutProgress"] == 1
    ordered = make_run(migration, attempt=4, name="s-4", action="uid")
    decision = reconcile(look(migration, runs=(ordered,), pods=(make_pod(ordered),)), NOW)
    assert decision.status.to_dict()["lastRun"]["withoutProgress"] == 0


def test_a_first_attempt_under_way_says_nothing_of_a_count() -> None:
    migration = make_migration()
    run = make_run(migration)
    decision = reconcile(look(migration, runs=(run,), pods=(make_pod(run),)), NOW)
    assert "withoutProgress" not in decision.status.to_dict()["lastRun"]
    assert parse_status(decision.status.to_dict()) == decision.status


def test_a_limit_of_none_tries_nothing_again_whatever_was_done() -> None:
    migration = make_migration(retry={"limit": 0})
    run = finished(make_run(migration), RunState.FAILED)
    report = interrupted(steps=STEP, steps_total=1)
    decision = reconcile(look(migration, runs=(run,), pods=(make_pod(run, report),)), NOW)
    assert standing(decision) == ("False", "False", "True", "Interrupted")


def test_a_job_that_the_api_server_refuses_is_told() -> None:
    refused = Rejection("pods are forbidden: exceeded quota", is_final=False)
    decision = reconcile(look(make_migration(), rejection=refused), NOW)
    assert standing(decision) == ("False", "True", "False", "JobRejected")
    wrong = reconcile(look(make_migration(), rejection=Rejection("bad field", is_final=True)), NOW)
    assert standing(wrong) == ("False", "False", "True", "JobRejected")
    away = Rejection("webhook down", is_final=False, is_passing=True, retry_at=NOW)
    passing = reconcile(look(make_migration(), rejection=away), NOW)
    assert standing(passing) == ("False", "True", "False", "JobNotCreated")
    assert passing.look_at == NOW


def test_a_check_that_can_not_be_started_leaves_the_verdict() -> None:
    migration, run = settled()
    view = resyncing(look(migration, runs=(run,)))
    due = reconcile(view, NOW).look_at
    assert due is not None
    later = due + timedelta(minutes=1)
    away = Rejection("webhook down", is_final=False, is_passing=True, retry_at=later)
    decision = reconcile(replace(view, rejection=away), due)
    assert (decision.order, decision.look_at) == (None, later)
    assert decision.status == migration.status


def test_transition_times_move_only_when_a_status_does() -> None:
    migration = make_migration()
    run = make_run(migration)
    running = after(reconcile(look(migration, runs=(run,)), NOW), migration)
    later = NOW + timedelta(minutes=1)
    pod = make_pod(run, waiting=Waiting("ErrImagePull", "no such image"), phase="Pending")
    decision = reconcile(look(running, runs=(run,), pods=(pod,)), later)
    assert {c.last_transition_time for c in decision.status.conditions} == {NOW}


def resyncing(view: ResourceView) -> ResourceView:
    interval = timedelta(minutes=10)
    return replace(view, resync=Resync(interval, since=NOW - timedelta(days=1)))


def test_the_database_is_asked_again_after_the_resync_interval() -> None:
    migration, run = settled()
    view = resyncing(look(migration, runs=(run,)))
    due = reconcile(view, NOW).look_at
    assert due is not None
    assert NOW + timedelta(minutes=9) < due < NOW + timedelta(minutes=12)
    decision = reconcile(view, due)
    assert decision.order is not None
    assert decision.order.command is RunCommand.STATUS
    assert standing(decision)[0] == "True"


def test_a_clock_ahead_of_the_api_servers_makes_no_storm_of_questions() -> None:
    migration, run = settled()
    asked = finished(make_run(migration, name="ask", command=RunCommand.STATUS, created_at=NOW))
    mine = NOW + timedelta(hours=1)
    view = resyncing(look(migration, runs=(run, asked), pods=(make_pod(asked, make_report()),)))
    assert reconcile(view, mine).order is not None
    told = replace(view, ordered_at=mine - timedelta(seconds=5))
    decision = reconcile(told, mine)
    assert decision.order is None
    assert decision.look_at is not None
    assert decision.look_at > mine + timedelta(minutes=9)


@pytest.mark.parametrize("reason", sorted(ENVIRONMENTAL))
def test_what_is_corrected_elsewhere_is_tried_again_slowly_and_stays_stalled(
    reason: Reason,
) -> None:
    migration, run, _ = failed(reason)
    now, delays = NOW, []
    for attempt in range(2, 9):
        waiting = reconcile(look(migration, runs=(run,)), now)
        assert (waiting.order, standing(waiting)) == (
            None,
            ("False", "False", "True", reason.value),
        )
        due = waiting.look_at
        assert due is not None
        delays.append(due - now)
        now, migration = due, after(waiting, migration)
        again = reconcile(look(migration, runs=(run,)), now)
        assert again.order is not None
        assert again.order.attempt == attempt
        run = make_run(migration, name=f"shop-{attempt}", attempt=attempt, created_at=now)
        at_work = reconcile(look(migration, runs=(run,), pods=(make_pod(run),)), now)
        assert standing(at_work) == standing(waiting)
        migration = after(at_work, migration)
        run = replace(run, state=RunState.FAILED, finished_at=now)
        pod = make_pod(run, failure(reason))
        migration = after(reconcile(look(migration, runs=(run,), pods=(pod,)), now), migration)
    assert timedelta(seconds=22) < delays[0] <= timedelta(seconds=30)
    assert all(delay <= timedelta(minutes=5) for delay in delays)
    assert delays[-1] > timedelta(minutes=3)


def test_a_missing_database_is_tried_again_at_each_resync_when_the_retries_are_used_up() -> None:
    migration = make_migration(retry={"limit": 1})
    for attempt in (1, 2):
        run = make_run(migration, name=f"shop-{attempt}", attempt=attempt)
        run = finished(run, RunState.FAILED)
        pod = make_pod(run, failure(Reason.DATABASE_MISSING))
        decision = reconcile(resyncing(look(migration, runs=(run,), pods=(pod,))), NOW)
        migration = after(decision, migration)
    assert standing(decision) == ("False", "False", "True", "DatabaseMissing")
    due = decision.look_at
    assert due is not None
    assert timedelta(minutes=9) < due - NOW < timedelta(minutes=12)
    again = reconcile(resyncing(look(migration, runs=(run,))), due)
    assert again.order is not None
    assert again.order.attempt == 3
    third = make_run(migration, name="shop-3", attempt=3, created_at=due)
    at_work = reconcile(look(migration, runs=(third,), pods=(make_pod(third),)), due)
    assert standing(at_work) == standing(decision)
    ended_well = replace(third, state=RunState.SUCCEEDED, finished_at=due)
    view = look(after(at_work, migration), runs=(ended_well,))
    view = replace(view, pods=(make_pod(ended_well, make_report()),))
    assert standing(reconcile(view, due))[0] == "True"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"version": "1", "pending": 1}, "moved from 2 to 1"),
        ({"version": "2", "dirty": True}, "dirty"),
        (
            {"version": "2", "changed": ("1_a.up.sql",)},
            "were applied: 1_a.up.sql",
        ),
        (
            {"version": "1", "pending": 1, "restored": "shop@7-v1.dump"},
            "the backup shop@7-v1.dump has been restored, and the database is at version 1:"
            " a MigrationAction with Retry migrates it, another target keeps it there",
        ),
        ({"version": None, "pending": 2, "restored": "old.dump"}, "is at version none"),
    ],
)
def test_a_database_that_was_changed_behind_our_back_is_drifted(
    answer: dict[str, Any], words: str
) -> None:
    migration, run = settled()
    asked = finished(make_run(migration, name="ask", command=RunCommand.STATUS, created_at=NOW))
    pod = make_pod(asked, make_report(command="status", steps=(), **answer))
    decision = reconcile(look(migration, runs=(run, asked), pods=(pod,)), NOW)
    assert standing(decision) == ("False", "False", "True", "Drifted")
    assert words in decision.status.conditions[0].message
    assert decision.order is None


def test_a_routine_question_leaves_a_ready_resource_ready() -> None:
    migration, run = settled()
    asking = make_run(migration, name="ask", command=RunCommand.STATUS, created_at=NOW)
    decision = reconcile(look(migration, runs=(run, asking)), NOW)
    assert decision.status == migration.status
    refused = make_pod(finished(asking), failure(Reason.CONNECTION_REFUSED))
    answered = reconcile(look(migration, runs=(run, finished(asking)), pods=(refused,)), NOW)
    assert standing(answered)[0] == "True"


def test_finished_jobs_beyond_the_limits_are_discarded_oldest_first() -> None:
    migration, run = settled(history={"successful": 1, "failed": 1})
    old = [
        replace(run, name=f"old-{n}", created_at=run.created_at - timedelta(hours=n))
        for n in (1, 2)
    ]
    decision = reconcile(look(migration, runs=(*old, run)), NOW)
    assert decision.discard == ("old-1", "old-2")


def test_a_resource_that_is_being_deleted_is_left_alone() -> None:
    migration = make_migration()
    leaving = replace(migration, identity=replace(migration.identity, is_deleting=True))
    decision = reconcile(look(leaving), NOW)
    assert decision.order is None
    assert decision.status == migration.status
    assert leaving.identity.uid == UID


def test_a_field_of_a_later_schema_starts_nothing_and_stops_nothing() -> None:
    migration = make_migration(
        lint="Reject", source={"configMaps": [{"name": "a"}], "lint": "Warn"}
    )
    decision = reconcile(look(migration), NOW)
    assert decision.order is None
    ready = decision.status.condition(ConditionType.READY)
    assert ready is not None
    assert (ready.status, ready.reason) == ("False", "UnknownFields")
    assert "spec.lint" in ready.message
    run = make_run(migration)
    pod = make_pod(run)
    at_work = reconcile(look(migration, runs=(run,), pods=(pod,)), NOW)
    assert at_work.withdraw == ()
    assert at_work.discard == ()
    told = reconcile(
        look(migration, runs=(finished(run),), pods=(make_pod(finished(run), make_report()),)), NOW
    )
    assert told.status.version == "2"


def test_what_was_undone_before_the_resource_was_made_again_is_waited_with() -> None:
    migration, run, decision = failed(Reason.ROLLED_BACK)
    assert standing(decision) == ("False", "False", "False", "RolledBack")
    assert decision.order is None
    later = reconcile(look(after(decision, migration), runs=(run,)), NOW + timedelta(days=1))
    assert (later.order, standing(later)[3]) == (None, "RolledBack")
    changed = replace(after(decision, migration))
    news = look(changed, files=SourceFiles(digest="two"), runs=(run,))
    assert reconcile(news, NOW).order is not None


def test_the_database_of_another_owner_is_left_alone_and_looked_at_again() -> None:
    _, _, decision = failed(Reason.DATABASE_CONFLICT)
    assert standing(decision) == ("False", "False", "True", "DatabaseConflict")
    assert decision.order is None
    assert decision.look_at is not None
    assert decision.look_at > NOW


def test_the_place_of_a_resource_that_is_gone_is_taken() -> None:
    migration, run, decision = failed(Reason.DATABASE_CONFLICT)
    gone = look(after(decision, migration), runs=(run,), departed="here/team/old")
    order = reconcile(gone, NOW).order
    assert order is not None
    assert (order.attempt, order.take_over) == (2, "here/team/old")


@pytest.mark.parametrize("command", [RunCommand.GOTO, RunCommand.STATUS, RunCommand.PLAN])
@pytest.mark.parametrize(
    ("phase", "template", "is_replaced"),
    [
        ("Pending", "former", True),
        ("Pending", "", True),
        ("Pending", "present", False),
        ("Running", "former", False),
    ],
)
def test_a_run_of_other_settings_that_never_started_is_replaced(
    command: RunCommand, phase: str, template: str, is_replaced: bool
) -> None:
    migration = make_migration()
    run = make_run(migration, command=command, template=template)
    view = look(migration, runs=(run,), pods=(make_pod(run, phase=phase),), template="present")
    since = replace(view, resync=Resync(None, since=NOW))
    assert (reconcile(since, NOW).withdraw == (run.name,)) is is_replaced
    if is_replaced and command is RunCommand.GOTO:
        deleted = replace(run, is_deleting=True)
        killed = replace(make_pod(run, phase="Failed"), has_started=False, ended=ended())
        going = after(reconcile(since, NOW), migration)
        at_once = reconcile(look(going, runs=(deleted,), pods=(killed,)), NOW)
        assert (at_once.order, standing(at_once)[3]) == (None, "WaitingForRun")
        gone = reconcile(look(after(at_once, going)), NOW)
        assert gone.order is not None
        assert (gone.order.command, gone.order.attempt) == (command, 2)
    # This operator has made it itself, or another one that works at the same time.
    mine = replace(view, resync=Resync(None, since=run.created_at))
    assert reconcile(mine, NOW).withdraw == ()


LASTING = sorted(
    set(Reason) - RETRYABLE - ENVIRONMENTAL - {Reason.PLAN_CHANGED, Reason.ALREADY_DONE}
)


def asked_after(
    migration: MigrationResource, run: JobRun, due: datetime, **answer: Any
) -> tuple[ResourceView, MigrationResource]:
    """The view once a check has ended, and the resource as it was while the check was at work."""
    check = make_run(migration, name="check", command=RunCommand.STATUS, created_at=due)
    at_work = reconcile(resyncing(look(migration, runs=(run, check), pods=(make_pod(check),))), due)
    migration = after(at_work, migration)
    report = make_report(**{"command": "status", "steps": (), "steps_total": 0, **answer})
    ended_at = due + timedelta(seconds=2)
    check = replace(check, state=RunState.SUCCEEDED, finished_at=ended_at)
    pods = (make_pod(check, report),)
    return resyncing(look(migration, runs=(run, check), pods=pods)), migration


@pytest.mark.parametrize("reason", LASTING)
def test_a_database_that_stalls_its_resource_is_asked_at_each_resync(reason: Reason) -> None:
    migration, run, decision = failed(reason)
    lasting = standing(decision)
    for _ in range(2):
        waiting = reconcile(resyncing(look(migration, runs=(run,))), NOW)
        assert (waiting.order, standing(waiting)) == (None, lasting)
        due = waiting.look_at
        assert due is not None
        assert NOW + timedelta(minutes=9) < due < NOW + timedelta(minutes=12)
        asking = reconcile(resyncing(look(migration, runs=(run,))), due)
        assert asking.order is not None
        assert asking.order.command is RunCommand.STATUS
        assert standing(asking) == lasting
        dirt = {"version": "1", "pending": 1, "changed": ("000001_create_users.up.sql",)}
        if reason is Reason.FOREIGN_HISTORY:
            error = ReportError(reason, "another tool's", retryable=False)
            dirt |= {"outcome": Outcome.FAILED, "error": error, "dirty": None}
        view, migration = asked_after(migration, run, due, **dirt)
        assert standing(after_check(view)) == lasting
        assert after_check(view).order is None
        migration = after(after_check(view), migration)


def after_check(view: ResourceView) -> Decision:
    return reconcile(view, NOW + timedelta(minutes=15))


@pytest.mark.parametrize(
    ("reason", "left", "answer"),
    [
        (Reason.STATEMENT_FAILED, {"dirty": True}, {"version": "1", "pending": 1}),
        (Reason.DIRTY, {"dirty": True}, {}),
        (Reason.STATEMENT_FAILED, {}, {"version": "2"}),
        (Reason.FOREIGN_HISTORY, {"version": None, "dirty": None}, {"version": None}),
        (Reason.CHECKSUM_MISMATCH, {}, {"version": "1"}),
    ],
)
def test_a_database_that_a_person_has_repaired_is_brought_on(
    reason: Reason, left: dict[str, Any], answer: dict[str, Any]
) -> None:
    migration = make_migration()
    run = finished(make_run(migration), RunState.FAILED)
    pod = make_pod(run, replace(failure(reason), **left))
    migration = after(reconcile(look(migration, runs=(run,), pods=(pod,)), NOW), migration)
    due = reconcile(resyncing(look(migration, runs=(run,))), NOW).look_at
    assert due is not None
    view, migration = asked_after(migration, run, due, **answer)
    decision = after_check(view)
    assert decision.order is not None
    assert (decision.order.command, decision.order.attempt) == (RunCommand.GOTO, 2)
    assert decision.status.dirty is False
    # A lost write of the status decides nothing else, and a written one is not undone.
    again = replace(view, migration=after(decision, migration))
    assert after_check(again).order == decision.order
    second = make_run(migration, name="shop-2", attempt=2, created_at=NOW + timedelta(minutes=15))
    second = replace(second, state=RunState.SUCCEEDED, finished_at=NOW + timedelta(minutes=16))
    report = make_report(outcome=Outcome.UP_TO_DATE, steps=(), steps_total=0)
    done = replace(again, runs=(second,), pods=(make_pod(second, report),))
    assert standing(reconcile(done, NOW + timedelta(minutes=17)))[0] == "True"


def test_a_check_that_can_not_be_made_leaves_what_is_known() -> None:
    migration, run, decision = failed(Reason.STATEMENT_FAILED)
    rejection = Rejection("no quota", is_final=False, retry_at=NOW + timedelta(hours=1))
    view = resyncing(look(migration, runs=(run,), rejection=rejection))
    refused = reconcile(view, NOW + timedelta(minutes=15))
    assert (refused.order, standing(refused)) == (None, standing(decision))
    assert refused.look_at == rejection.retry_at


def test_a_plan_that_a_dirty_database_prevents_is_made_again_at_each_resync() -> None:
    migration = make_migration(approval="Manual")
    run = finished(make_run(migration, command=RunCommand.PLAN), RunState.FAILED)
    pods = (make_pod(run, failure(Reason.DIRTY)),)
    view = resyncing(look(migration, runs=(run,), pods=pods))
    waiting = reconcile(view, NOW)
    assert (waiting.order, standing(waiting)[2:]) == (None, ("True", "Dirty"))
    due = waiting.look_at
    assert due is not None
    again = reconcile(view, due)
    assert again.order is not None
    assert (again.order.command, again.order.attempt) == (RunCommand.PLAN, 2)
    assert standing(again) == standing(waiting)
    second = make_run(migration, name="plan-2", command=RunCommand.PLAN, attempt=2, created_at=due)
    going = replace(view, migration=after(again, migration), runs=(run, second))
    at_work = replace(going, pods=(*pods, make_pod(second)))
    assert standing(reconcile(at_work, due)) == standing(waiting)


def test_a_rollback_that_failed_stays_a_persons_to_continue() -> None:
    migration = make_migration()
    rollback = make_run(migration, command=RunCommand.ROLLBACK, action="order")
    rollback = finished(rollback, RunState.FAILED)
    report = replace(failure(Reason.STATEMENT_FAILED), dirty=True)
    view = look(migration, runs=(rollback,), pods=(make_pod(rollback, report),))
    migration = after(reconcile(view, NOW), migration)
    due = reconcile(resyncing(look(migration, runs=(rollback,))), NOW).look_at
    assert due is not None
    view, migration = asked_after(migration, rollback, due, version="1", pending=1)
    decision = after_check(view)
    assert decision.order is None
    assert standing(decision)[2] == "True"
    assert decision.status.dirty is False


def test_a_suspended_job_is_named_and_its_time_begins_when_it_is_resumed() -> None:
    migration = make_migration()
    run = make_run(migration, is_suspended=True, created_at=NOW - timedelta(hours=1))
    waiting = reconcile(look(migration, runs=(run,)), NOW)
    assert standing(waiting) == ("False", "True", "False", "JobSuspended")
    ready = waiting.status.condition(ConditionType.READY)
    assert ready is not None
    assert f"Job {run.name} (attempt 1) is suspended" in ready.message
    assert (waiting.order, waiting.look_at) == (None, NOW + timedelta(minutes=1))
    # The Pod that it had before, which never started.
    killed = replace(make_pod(run, phase="Failed"), has_started=False, ended=ended(exit_code=137))
    held = reconcile(look(migration, runs=(run,), pods=(killed,)), NOW)
    assert (held.order, standing(held)[3]) == (None, "JobSuspended")
    resumed = replace(run, is_suspended=False, started_at=NOW)
    for pods in ((), (replace(killed, is_gone=True),), (replace(killed, gone_by=NOW),)):
        going = reconcile(look(migration, runs=(resumed,), pods=pods), NOW)
        assert (going.order, standing(going)[3]) == (None, "Running")
    changed = replace(make_migration(generation=2), status=waiting.status)
    assert reconcile(look(changed, runs=(run,)), NOW).withdraw == (run.name,)


def test_a_suspended_check_changes_no_verdict() -> None:
    migration, run = settled()
    check = make_run(migration, name="check", command=RunCommand.STATUS, is_suspended=True)
    decision = reconcile(look(migration, runs=(run, check)), NOW)
    assert standing(decision) == standing(reconcile(look(migration, runs=(run,)), NOW))


@pytest.mark.parametrize("is_gone", [False, True])
@pytest.mark.parametrize("phase", ["Running", "Succeeded", "Failed"])
@pytest.mark.parametrize("is_suspended", [False, True])
def test_only_a_job_with_something_at_work_is_ended_with_its_log(
    phase: str, is_gone: bool, is_suspended: bool
) -> None:
    migration = make_migration()
    run = make_run(migration, is_suspended=is_suspended)
    pod = replace(make_pod(run, make_report()), phase=phase, is_gone=is_gone)
    decision = reconcile(look(migration, runs=(run,), pods=(pod,)), NOW + timedelta(minutes=1))
    has_work = phase == "Running" and not is_gone
    # Preempted by a queue: once it is resumed, it would run a second time.
    assert (decision.discard == (run.name,)) is (has_work or is_suspended)
    assert decision.rests_on_absence or not decision.discard
    assert standing(decision)[0] == "True"
