"""Drift checks: when one is made, what it says, and how it gives way to a run."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dbmigrate.api.conditions import Condition, ConditionType
from dbmigrate.api.migration import MigrationResource
from dbmigrate.api.status import MigrationStatus, parse_status
from dbmigrate.controller.decisions.drift import SETTLE
from dbmigrate.controller.decisions.pods import Pod, Waiting
from dbmigrate.controller.decisions.reconcile import judge_spec
from dbmigrate.controller.decisions.runs import JobRun, RunCommand, RunState
from dbmigrate.controller.decisions.view import Decision, Rejection, Resync
from dbmigrate.controller.jobs.body import Images, build_job
from dbmigrate.controller.metrics import States
from dbmigrate.controller.writing.notices import build_drift_event
from dbmigrate.report import Reason, Report
from dbmigrate.report.drift import ReportedDifference, ReportedDrift
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

REPORT = {"schema": "Report"}
LONG_AGO = Resync(timedelta(minutes=10), NOW - timedelta(days=1))
BY_HAND = ReportedDifference("added", "table", "public.by_hand", undo="DROP TABLE public.by_hand")
CHANGED = ReportedDifference("changed", "column", "public.t.a", "type is text, and was integer")


def answer(*differences: ReportedDifference, total: int | None = None, **more: Any) -> Report:
    count = len(differences) if total is None else total
    drift = ReportedDrift(count, f"{count}-{differences}", differences)
    return make_report(command="drift", steps=(), steps_total=0, drift=drift, **more)


class Resource:
    """A migrated resource whose schema is compared."""

    def __init__(self, *, check_interval: str = "none", **drift: Any) -> None:
        self.migration = make_migration(drift={**REPORT, **drift}, checkInterval=check_interval)
        self.run = finished(make_run(self.migration))
        self.last: tuple[tuple[JobRun, ...], tuple[Pod, ...]] = (
            (self.run,),
            (make_pod(self.run, make_report(server_version="17.10")),),
        )
        self.checks = 0
        self.check: tuple[tuple[JobRun, ...], tuple[Pod, ...]] = ((), ())
        self.now = NOW
        self.decide()

    def decide(self, *others: JobRun, **parts: Any) -> Decision:
        """A look; its status is written, and read back."""
        runs, pods = (*self.last[0], *self.check[0]), (*self.last[1], *self.check[1])
        view = look(
            self.migration, runs=(*runs, *others), pods=pods, **{"resync": LONG_AGO, **parts}
        )
        decision = reconcile(view, self.now)
        status = parse_status(decision.status.to_dict())
        self.migration = replace(self.migration, status=status)
        return decision

    def begin(self, decision: Decision | None = None) -> Decision:
        """The Job of a check that was ordered is there."""
        order = (decision or self.decide()).order
        assert order is not None
        assert order.command is RunCommand.DRIFT
        self.checks += 1
        run = make_run(
            self.migration,
            name=f"check-{self.checks}",
            command=RunCommand.DRIFT,
            created_at=self.now,
            intent=order.intent,
            attempt=order.attempt,
        )
        self.check = ((run,), ())
        return self.decide()

    def end(self, report: Report | None) -> Decision:
        """It ends with this report."""
        ((run,), _) = self.check
        is_error = report is not None and report.error is not None
        state = RunState.FAILED if is_error else RunState.SUCCEEDED
        run = replace(run, state=state, finished_at=self.now)
        self.check = ((run,), (make_pod(run, report),))
        return self.decide()

    def passes(self, time: timedelta) -> Decision:
        """Later, when only the status of the check is left."""
        self.check = ((), ())
        self.now += time
        return self.decide()


def drifted(decision: Decision) -> tuple[str, str, str]:
    found = decision.status.condition(ConditionType.SCHEMA_DRIFTED)
    assert found is not None
    return found.status.value, found.reason, found.message


def is_ready(decision: Decision) -> bool:
    ready = decision.status.condition(ConditionType.READY)
    assert ready is not None
    return ready.status.value == "True"


def test_a_check_follows_a_run_on_a_server_of_the_databases_version() -> None:
    resource = Resource(ignore=["partman.*", "table:$(PGPASSWORD)"])
    decision = resource.decide()
    assert drifted(decision)[:2] == ("Unknown", "NotChecked")
    order = decision.order
    assert order is not None
    assert (order.command, order.attempt, order.rehearsed_on) == (RunCommand.DRIFT, 1, "17")
    assert decision.rests_on_absence
    job = build_job(
        resource.migration, order, images=Images("runner", "pg:{major}"), server_version=(1, 36)
    )
    pod = job["spec"]["template"]["spec"]
    arguments = " ".join(pod["containers"][0]["args"])
    assert arguments.endswith("drift -exit-zero -ignore=partman.* -ignore=table:$$(PGPASSWORD)")
    assert "-rehearse-on host=/rehearsal" in arguments
    assert [each["image"] for each in pod["initContainers"]] == ["pg:17"]
    names = {variable["name"] for variable in pod["containers"][0]["env"]}
    assert "DBMIGRATE_OWNER" not in names


@pytest.mark.parametrize("spec", [{}, {"drift": {"schema": "Off"}}])
def test_where_it_is_off_there_is_no_check_and_no_condition(spec: dict[str, Any]) -> None:
    migration = make_migration(**spec)
    run = finished(make_run(migration))
    pod = make_pod(run, make_report(server_version="17.10"))
    decision = reconcile(look(migration, runs=(run,), pods=(pod,), resync=LONG_AGO), NOW)
    assert decision.order is None
    assert decision.status.condition(ConditionType.SCHEMA_DRIFTED) is None


def test_the_first_differences_and_their_number_are_told_and_stay() -> None:
    resource = Resource()
    at_work = resource.begin()
    assert drifted(at_work)[:2] == ("Unknown", "Running")
    assert is_ready(at_work)
    found = resource.end(answer(CHANGED, BY_HAND, total=23))
    assert drifted(found) == (
        "True",
        "SchemaDiffers",
        "23 objects differ from what the migrations up to 2 make: changed column public.t.a;"
        " added table public.by_hand; and 21 more",
    )
    assert is_ready(found)
    assert (found.order, found.status.drift and found.status.drift.differences) == (
        None,
        (CHANGED, BY_HAND),
    )
    later = resource.passes(timedelta(hours=1))
    assert (later.order, drifted(later)) == (None, drifted(found))
    assert later.look_at is not None
    resource.begin(resource.passes(later.look_at - resource.now))
    assert drifted(resource.decide()) == drifted(found)
    same = resource.end(answer())
    assert drifted(same) == (
        "False",
        "SchemaMatches",
        "the schema is what the migrations up to 2 make",
    )


@pytest.mark.parametrize(("interval", "is_due"), [("6h", True), ("2d", False), ("none", False)])
def test_the_next_one_is_made_after_the_interval(interval: str, is_due: bool) -> None:
    resource = Resource(interval=interval)
    resource.begin()
    resource.end(answer())
    assert (resource.passes(timedelta(hours=7)).order is not None) == is_due


def test_what_is_ignored_from_now_on_is_compared_again_at_once() -> None:
    resource = Resource()
    resource.begin()
    resource.end(answer(BY_HAND))
    status = resource.migration.status
    changed = make_migration(drift={**REPORT, "ignore": ["public.by_*"]}, status=status)
    resource.migration = changed
    decision = resource.decide()
    assert decision.order is not None
    assert decision.order.command is RunCommand.DRIFT
    assert drifted(decision)[0] == "True"
    resource.begin()
    assert drifted(resource.end(answer()))[0] == "False"


def test_a_check_holds_up_no_run_and_is_deleted_for_it() -> None:
    resource = Resource()
    resource.begin()
    files = replace(look(resource.migration).files, digest="two")
    runs = (*resource.last[0], *resource.check[0])
    pods = (*resource.last[1], *resource.check[1])
    view = look(resource.migration, files=files, runs=runs, pods=pods, resync=LONG_AGO)
    decision = reconcile(view, resource.now)
    assert decision.order is not None
    assert decision.order.command is RunCommand.GOTO
    assert (decision.discard, decision.withdraw) == (("check-1",), ())
    run = make_run(
        resource.migration,
        name="shop-2",
        intent=decision.order.intent,
        created_at=resource.now,
    )
    begun = reconcile(replace(view, runs=(*runs, run)), resource.now)
    assert (begun.order, begun.discard) == (None, ("check-1",))
    assert begun.status.last_run is not None
    assert begun.status.last_run.job == "shop-2"


@pytest.mark.parametrize("template", ["former", "present"])
@pytest.mark.parametrize("phase", ["Pending", "Running"])
def test_a_check_of_other_settings_that_never_started_is_ended(template: str, phase: str) -> None:
    resource = Resource()
    resource.begin()
    check = replace(resource.check[0][0], template=template)
    pod = make_pod(check, phase=phase)
    since = Resync(None, since=resource.now + timedelta(seconds=1))
    view = look(
        resource.migration,
        runs=(*resource.last[0], check),
        pods=(*resource.last[1], pod),
        resync=since,
        template="present",
    )
    is_ended = template == "former" and phase == "Pending"
    assert (reconcile(view, since.since).discard == ("check-1",)) is is_ended


def test_a_question_does_not_end_a_check_and_a_check_does_not_keep_one_away() -> None:
    resource = Resource(check_interval="10m")
    resource.begin()
    resource.now += timedelta(minutes=30)
    decision = resource.decide()
    assert decision.order is not None
    assert (decision.order.command, decision.discard) == (RunCommand.STATUS, ())


@pytest.mark.parametrize("spec", [{"suspend": True}, {"drift": {"schema": "Off"}}])
def test_what_is_no_longer_wanted_is_ended(spec: dict[str, Any]) -> None:
    resource = Resource()
    resource.begin()
    status = resource.migration.status
    resource.migration = make_migration(**{"drift": REPORT, **spec}, status=status)
    decision = resource.decide()
    assert (decision.order, decision.discard) == (None, ("check-1",))


def test_the_answer_of_before_a_run_is_not_that_of_after_it() -> None:
    resource = Resource()
    resource.begin()
    run = finished(
        make_run(resource.migration, name="shop-2", attempt=2, created_at=NOW),
        after="shop-1",
    )
    resource.last = ((*resource.last[0], run), (*resource.last[1], make_pod(run, make_report())))
    decision = resource.end(answer(BY_HAND))
    assert drifted(decision)[0] == "Unknown"
    assert decision.discard == ("check-1",)
    assert decision.order is not None
    assert decision.order.command is RunCommand.DRIFT


def test_a_check_that_cannot_be_made_changes_no_verdict_until_it_has_failed_again_and_again() -> (
    None
):
    resource = Resource()
    resource.begin()
    resource.end(answer(BY_HAND))
    resource.passes(timedelta(hours=12))
    for count in (1, 2, 3):
        resource.begin()
        decision = resource.end(failure(Reason.CONNECTION_REFUSED))
        assert decision.status.drift is not None
        assert decision.status.drift.unanswered == count
        truth, reason, _ = drifted(decision)
        expected = ("Unknown", "ConnectionRefused") if count == 3 else ("True", "SchemaDiffers")
        assert (truth, reason) == expected
        resource.passes(timedelta(minutes=6))
    resource.begin()
    assert drifted(resource.end(answer(BY_HAND)))[0] == "True"


def test_what_a_person_has_to_correct_is_told_at_once_and_tried_at_the_interval() -> None:
    resource = Resource()
    resource.begin()
    missing = failure(Reason.SOURCE_INVALID)
    decision = resource.end(missing)
    assert missing.error is not None
    assert drifted(decision) == ("Unknown", "SourceInvalid", missing.error.message)
    assert is_ready(decision)
    assert resource.passes(timedelta(hours=1)).order is None
    assert resource.passes(timedelta(hours=6)).order is not None


def test_the_version_of_an_upgraded_server_is_learned_from_the_check() -> None:
    resource = Resource()
    resource.begin()
    upgraded = replace(failure(Reason.REHEARSAL_UNAVAILABLE), server_version="18.1")
    resource.end(upgraded)
    order = resource.passes(timedelta(minutes=1)).order
    assert order is not None
    assert order.rehearsed_on == "18"


def test_a_report_that_is_lost_is_no_answer() -> None:
    resource = Resource()
    resource.begin()
    decision = resource.end(None)
    assert drifted(decision)[0] == "Unknown"
    assert "its report is gone" in drifted(decision)[2]


def test_why_a_first_check_does_not_start_is_told() -> None:
    resource = Resource()
    resource.begin()
    run = resource.check[0][0]
    waiting = Waiting("ImagePullBackOff", "no such image", container="rehearsal")
    pod = make_pod(run, phase="Pending", waiting=waiting)
    resource.check = ((run,), (pod,))
    assert drifted(resource.decide())[:2] == ("Unknown", "ImagePullFailed")


def test_a_job_that_is_refused_is_told_and_offered_again() -> None:
    resource = Resource()
    retry = NOW + timedelta(minutes=1)
    refused = Rejection("the API server refused the Job: no", is_final=True, retry_at=retry)
    decision = resource.decide(rejection=refused)
    assert is_ready(decision)
    assert (decision.order, decision.look_at) == (None, retry)
    assert drifted(decision) == ("Unknown", "JobRejected", refused.message)


def test_a_job_that_is_deleted_again_and_again_is_not_made_in_a_loop() -> None:
    resource = Resource()
    assert resource.decide(ordered_at=NOW).order is None
    assert resource.decide(ordered_at=NOW).look_at == NOW + SETTLE
    assert resource.decide(ordered_at=NOW - SETTLE).order is not None


def test_a_database_of_unknown_version_is_said_to_be_so() -> None:
    migration = make_migration(drift=REPORT)
    run = finished(make_run(migration))
    pod = make_pod(run, make_report())
    decision = reconcile(look(migration, runs=(run,), pods=(pod,), resync=LONG_AGO), NOW)
    assert decision.order is None
    assert "which version of PostgreSQL" in drifted(decision)[2]


def test_the_newest_check_is_kept_and_the_older_ones_are_not() -> None:
    resource = Resource()
    resource.begin()
    resource.end(answer())
    older = replace(
        resource.check[0][0],
        name="check-0",
        attempt=0,
        created_at=NOW - timedelta(hours=6),
    )
    assert resource.decide(older).discard == ("check-0",)


def test_an_invalid_spec_leaves_what_is_known_of_the_schema() -> None:
    resource = Resource()
    resource.begin()
    status = resource.end(answer(BY_HAND)).status
    judged = judge_spec(resource.migration.identity, status, "spec.target: no", NOW)
    assert judged.condition(ConditionType.SCHEMA_DRIFTED) == status.condition(
        ConditionType.SCHEMA_DRIFTED
    )


def event(before: MigrationStatus, after: MigrationStatus) -> dict[str, Any] | None:
    identity = make_migration().identity
    return build_drift_event(identity, before, after, now=NOW, instance="i")


def test_an_event_tells_each_change_of_the_differences_once() -> None:
    resource = Resource()
    resource.begin()
    none = resource.migration.status
    one = resource.end(answer(BY_HAND)).status
    assert (found := event(none, one)) is not None
    assert (found["type"], found["reason"]) == ("Warning", "SchemaDrifted")
    assert "added table public.by_hand" in found["message"]
    assert event(one, one) is None
    two = with_answer(one, 2)
    assert (found := event(one, two)) is not None
    assert found["reason"] == "SchemaDrifted"
    clean = with_answer(one, 0)
    assert (found := event(two, clean)) is not None
    assert (found["type"], found["reason"]) == ("Normal", "SchemaMatches")
    assert event(none, clean) is None
    assert event(clean, clean) is None


def with_answer(status: MigrationStatus, count: int) -> MigrationStatus:
    assert status.drift is not None
    drift = replace(status.drift, differences_total=count, checksum=str(count), job=f"job-{count}")
    return replace(status, drift=drift)


def test_the_metric_is_the_number_of_differences() -> None:
    resource = Resource()
    states = States()

    def series() -> dict[str, float]:
        states.put(("team", "shop"), resource.migration.status)
        return {s.name: s.value for metric in states.collect() for s in metric.samples}

    name = "dbmigrate_migration_schema_differences"
    assert name not in series()
    resource.begin()
    resource.end(answer(BY_HAND, total=7))
    assert series()[name] == 7


def test_the_condition_is_the_last_one() -> None:
    conditions: tuple[Condition, ...] = Resource().decide().status.conditions
    assert conditions[-1].type is ConditionType.SCHEMA_DRIFTED


def test_a_job_of_a_name_that_comes_back_is_another_check() -> None:
    resource = Resource()
    resource.begin()
    resource.end(answer(BY_HAND))
    name = resource.check[0][0].name
    resource.passes(timedelta(hours=8))
    resource.checks = 0
    resource.begin()
    assert resource.check[0][0].name == name
    assert drifted(resource.end(answer()))[0] == "False"


def test_a_check_beside_the_last_one_has_another_name() -> None:
    resource = Resource()
    first = resource.decide().order
    resource.begin()
    resource.end(answer())
    resource.now += timedelta(hours=8)
    second = resource.decide().order
    assert first is not None
    assert second is not None
    migration: MigrationResource = resource.migration
    assert second.name_for(migration) != first.name_for(migration)
