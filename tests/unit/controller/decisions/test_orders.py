"""People's orders and approvals: carried out once, in turn, or refused with a reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dbmigrate.api.action import Action, ActionKind, ActionPhase, dump_action_status, parse_action
from dbmigrate.api.conditions import ConditionType
from dbmigrate.api.fields import SpecError
from dbmigrate.api.migration import MigrationResource
from dbmigrate.api.spec import HistoryLimits
from dbmigrate.controller.decisions.files import SourceFiles
from dbmigrate.controller.decisions.orders import refuse_orphans
from dbmigrate.controller.decisions.runs import JobRun, RunCommand, RunState
from dbmigrate.controller.decisions.view import Decision, Rejection, Resync
from dbmigrate.controller.jobs.body import Images, build_job
from dbmigrate.report import Outcome, Reason, Report, Step
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

DAY = timedelta(days=1)
NAMED = {"name": "a", "namespace": "b", "uid": "c"}


def make_action(kind: str, **changes: Any) -> Action:
    action = Action("team", f"do-{kind.lower()}", f"uid-{kind}", NOW, "shop", ActionKind(kind))
    return replace(action, **changes)


def reason_of(decision: Decision) -> str:
    ready = decision.status.condition(ConditionType.READY)
    assert ready is not None
    return ready.reason


def written(migration: MigrationResource, decision: Decision) -> MigrationResource:
    return replace(migration, status=decision.status)


def stalled(**spec: Any) -> tuple[MigrationResource, JobRun]:
    migration = make_migration(**spec)
    run = finished(make_run(migration), RunState.FAILED)
    pod = make_pod(run, failure(Reason.STATEMENT_FAILED))
    return written(migration, reconcile(look(migration, runs=(run,), pods=(pod,)), NOW)), run


def planned(
    steps: int = 2, *, pending: int | None = None, **changes: Any
) -> tuple[MigrationResource, Decision]:
    """A resource that waits for its plan's approval."""
    migration = make_migration(approval="Manual")
    run = finished(make_run(migration, command=RunCommand.PLAN), **changes)
    report = plan_report(steps, pending=pending)
    decision = reconcile(look(migration, runs=(run,), pods=(make_pod(run, report),)), NOW)
    return written(migration, decision), decision


def plan_report(steps: int, *, pending: int | None = None) -> Report:
    return make_report(
        command="plan",
        version="0",
        pending=steps if pending is None else pending,
        steps=tuple(Step(str(n), f"step_{n}", "up", 0) for n in range(1, steps + 1)),
        steps_total=steps,
        plan_checksum="0f" * 32,
    )


def plan_hash(migration: MigrationResource) -> str:
    assert migration.status.plan is not None
    return migration.status.plan.hash


def test_manual_approval_begins_with_a_plan() -> None:
    decision = reconcile(look(make_migration(approval="Manual")), NOW)
    assert decision.order is not None
    assert decision.order.command is RunCommand.PLAN
    assert reason_of(decision) == "Planning"


def test_a_plan_is_shown_and_waits() -> None:
    migration, decision = planned()
    assert decision.order is None
    assert reason_of(decision) == "AwaitingApproval"
    plan = migration.status.plan
    assert plan is not None
    assert [step.version for step in plan.steps] == ["1", "2"]
    assert (migration.status.target, migration.status.pending) == ("2", 2)
    approved = decision.status.condition(ConditionType.APPROVED)
    assert approved is not None
    assert approved.status == "False"
    again = reconcile(look(migration), NOW + timedelta(days=1))
    assert again.status == migration.status


def test_an_approval_of_this_very_plan_starts_the_run() -> None:
    migration, _ = planned()
    action = make_action("Approve", plan_hash=plan_hash(migration))
    decision = reconcile(look(migration, actions=(action,)), NOW)
    assert decision.order is not None
    assert decision.order.command is RunCommand.GOTO
    (update,) = decision.updates
    assert update.phase is ActionPhase.SUCCEEDED
    told = replace(action, phase=update.phase)
    later = reconcile(look(migration, actions=(told,)), NOW)
    assert later.order is not None
    assert later.updates == ()


def test_the_run_is_held_to_the_plan_that_was_approved() -> None:
    migration, _ = planned()
    action = make_action("Approve", plan_hash=plan_hash(migration), phase=ActionPhase.SUCCEEDED)
    decision = reconcile(look(migration, actions=(action,)), NOW)
    assert decision.order is not None
    job = build_job(migration, decision.order, images=Images("dbmigrate"), server_version=(1, 33))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["args"][-4:] == ["-plan-checksum", "0f" * 32, "goto", "latest"]
    assert job["metadata"]["annotations"]["dbmigrate.dev/plan"] == plan_hash(migration)


def test_an_approval_is_answered_while_its_run_is_at_work() -> None:
    migration, _ = planned()
    action = make_action("Approve", plan_hash=plan_hash(migration))
    other = make_action("Approve", plan_hash="0123456789ab", uid="other")
    run = make_run(migration, plan=plan_hash(migration))
    decision = reconcile(look(migration, runs=(run,), actions=(action, other)), NOW)
    (update,) = decision.updates
    assert (update.action, update.phase) == (action, ActionPhase.SUCCEEDED)


def test_a_plan_that_holds_no_more_is_made_again_and_approved_again() -> None:
    migration, _ = planned()
    hash = plan_hash(migration)
    action = make_action("Approve", plan_hash=hash, phase=ActionPhase.SUCCEEDED)
    plan_run = finished(make_run(migration, command=RunCommand.PLAN))
    run = finished(make_run(migration, name="shop-2", uid="job-2", plan=hash), RunState.FAILED)
    plan_pod = make_pod(plan_run, plan_report(2))
    runs = [plan_run, run]
    pods = [plan_pod, make_pod(run, failure(Reason.PLAN_CHANGED))]

    def decide(*actions: Action) -> Decision:
        return reconcile(
            look(migration, runs=tuple(runs), pods=tuple(pods), actions=(action, *actions)), NOW
        )

    decision = decide()
    assert decision.order is not None
    assert (decision.order.command, decision.order.attempt) == (RunCommand.PLAN, 2)
    assert decision.status.plan is None
    migration = written(migration, decision)
    again = replace(plan_run, name="shop-3", uid="job-3", attempt=2, created_at=NOW)
    runs.append(again)
    pods.append(make_pod(again, plan_report(1)))
    decision = decide()
    assert (decision.order, reason_of(decision)) == (None, "AwaitingApproval")
    migration = written(migration, decision)
    assert plan_hash(migration) != hash
    decision = decide(make_action("Approve", plan_hash=plan_hash(migration), uid="second"))
    assert decision.order is not None
    assert (decision.order.command, decision.order.attempt) == (RunCommand.GOTO, 2)
    assert decision.order.plan == migration.status.plan


def test_an_approval_of_another_plan_is_refused_and_changes_nothing() -> None:
    migration, _ = planned()
    action = make_action("Approve", plan_hash="0123456789ab")
    decision = reconcile(look(migration, actions=(action,)), NOW)
    assert decision.order is None
    (update,) = decision.updates
    assert update.phase is ActionPhase.REFUSED
    assert plan_hash(migration) in update.message
    refused = replace(action, phase=update.phase)
    assert reconcile(look(migration, actions=(refused,)), NOW).order is None


def test_a_change_of_the_source_voids_plan_and_approval() -> None:
    migration, _ = planned()
    action = make_action("Approve", plan_hash=plan_hash(migration), phase=ActionPhase.SUCCEEDED)
    view = look(migration, files=SourceFiles(digest="two"), actions=(action,))
    decision = reconcile(view, NOW)
    assert decision.order is not None
    assert decision.order.command is RunCommand.PLAN
    assert decision.status.plan is None


def test_two_plans_of_the_same_steps_are_two_plans() -> None:
    first, _ = planned()
    second, _ = planned(uid="another job")
    assert plan_hash(first) != plan_hash(second)


def test_a_plan_without_steps_needs_no_approval() -> None:
    _, decision = planned(steps=0)
    assert decision.order is not None
    assert decision.order.command is RunCommand.GOTO


def test_a_plan_that_says_nothing_of_what_is_pending_is_no_consent() -> None:
    _, decision = planned(steps=0, pending=2)
    assert decision.order is None
    stalled = decision.status.condition(ConditionType.STALLED)
    assert stalled is not None
    assert stalled.status == "True"


def test_a_plan_that_could_not_be_made_is_made_again() -> None:
    migration = make_migration(approval="Manual")
    run = finished(make_run(migration, command=RunCommand.PLAN), RunState.FAILED)
    pods = (make_pod(run, failure(Reason.CONNECTION_REFUSED)),)
    waiting = reconcile(look(migration, runs=(run,), pods=pods), NOW)
    assert reason_of(waiting) == "ConnectionRefused"
    due = waiting.status.next_retry_at
    assert due is not None
    again = reconcile(look(written(migration, waiting), runs=(run,), pods=pods), due)
    assert again.order is not None
    assert (again.order.command, again.order.attempt) == (RunCommand.PLAN, 2)


@pytest.mark.parametrize(
    ("kind", "command", "operands"),
    [
        ("Retry", RunCommand.GOTO, ()),
        ("Force", RunCommand.FORCE, ("1",)),
        ("Force", RunCommand.FORCE, ("-1",)),
        ("Rollback", RunCommand.ROLLBACK, ("1",)),
        ("Repair", RunCommand.REPAIR, ()),
    ],
)
def test_an_order_becomes_a_run_that_carries_its_uid(
    kind: str, command: RunCommand, operands: tuple[str, ...]
) -> None:
    migration, run = stalled()
    action = make_action(kind, version=operands[0] if operands else None)
    decision = reconcile(look(migration, runs=(run,), actions=(action,)), NOW)
    order = decision.order
    assert order is not None
    assert (order.command, order.operands, order.action) == (command, operands, action.uid)
    assert order.attempt == 2


def test_an_action_follows_its_run() -> None:
    migration, run = stalled()
    action = make_action("Force", version="1")
    forcing = make_run(
        migration, name="f", command=RunCommand.FORCE, action=action.uid, created_at=NOW
    )
    view = look(migration, runs=(run, forcing), actions=(action,))
    (update,) = reconcile(view, NOW).updates
    assert update.phase is ActionPhase.RUNNING
    pods = (make_pod(run, failure(Reason.STATEMENT_FAILED)),)
    ended = finished(forcing)
    report = make_report(command="force", version="1", steps=())
    view = look(migration, runs=(run, ended), pods=(*pods, make_pod(ended, report)))
    view = replace(view, actions=(action,))
    decision = reconcile(view, NOW)
    (update,) = decision.updates
    assert update.phase is ActionPhase.SUCCEEDED
    assert decision.status.version == "1"


@pytest.mark.parametrize("kind", ["Force", "Rollback", "Repair", "Retry"])
def test_an_order_is_named_in_the_log_unless_it_may_be_repeated(kind: str) -> None:
    migration, run = stalled()
    version = "1" if kind in {"Force", "Rollback"} else None
    action = make_action(kind, version=version)
    order = reconcile(look(migration, runs=(run,), actions=(action,)), NOW).order
    assert order is not None
    if kind == "Retry":
        assert order.order_id is None
        return
    assert order.order_id is not None
    assert order.order_id.startswith(f"MigrationAction {action.namespace}/{action.name}: ")
    other = reconcile(look(migration, runs=(run,), actions=(replace(action, name="b"),)), NOW).order
    assert other is not None
    assert other.order_id != order.order_id


@pytest.mark.parametrize("command", [RunCommand.ROLLBACK, RunCommand.FORCE, RunCommand.REPAIR])
def test_an_order_that_was_carried_out_before_is_refused_and_changes_no_verdict(
    command: RunCommand,
) -> None:
    migration = make_migration()
    run = finished(make_run(migration))
    pods = (make_pod(run, make_report()),)
    migration = written(migration, reconcile(look(migration, runs=(run,), pods=pods), NOW))
    version = None if command is RunCommand.REPAIR else "1"
    action = make_action(command.value.title(), version=version)
    again = make_run(
        migration, name="b", command=command, action=action.uid, attempt=2, created_at=NOW
    )
    again = finished(again, RunState.FAILED)
    again = replace(again, finished_at=NOW + timedelta(seconds=1))
    report = replace(failure(Reason.ALREADY_DONE), version="2", pending=0)
    view = look(migration, runs=(run, again), pods=(make_pod(again, report),), actions=(action,))
    decision = reconcile(view, NOW + timedelta(seconds=2))
    (update,) = decision.updates
    assert update.phase is ActionPhase.REFUSED
    assert "another name" in update.message
    if command is RunCommand.ROLLBACK:
        # The last run of the resource was the order's: what it wants is looked for again.
        assert decision.order is not None
        assert decision.order.command is RunCommand.GOTO
    else:
        assert decision.order is None
        assert reason_of(decision) == "Applied"


def test_after_a_force_the_target_is_sought_again() -> None:
    migration, run = stalled()
    forced = finished(
        make_run(migration, name="f", command=RunCommand.FORCE, action="x", created_at=NOW)
    )
    pods = (make_pod(forced, make_report(command="force", version="1", steps=())),)
    decision = reconcile(look(migration, runs=(run, forced), pods=pods), NOW)
    assert decision.order is not None
    assert (decision.order.command, decision.order.attempt) == (RunCommand.GOTO, 2)


def test_a_rollback_holds_until_something_new_is_wanted() -> None:
    migration, run = stalled()
    down = finished(
        make_run(
            migration,
            name="down",
            command=RunCommand.ROLLBACK,
            action="x",
            attempt=2,
            created_at=NOW,
        )
    )
    report = make_report(outcome=Outcome.ROLLED_BACK, version="1", pending=1)
    pods = (make_pod(run, failure(Reason.STATEMENT_FAILED)), make_pod(down, report))
    decision = reconcile(look(migration, runs=(run, down), pods=pods), NOW)
    assert decision.order is None
    assert reason_of(decision) == "RolledBack"
    assert decision.status.version == "1"
    held = written(migration, decision)
    patient = replace(held.spec, timeouts=replace(held.spec.timeouts, lock=timedelta(minutes=9)))
    tuned = replace(held, spec=patient, identity=replace(held.identity, generation=9))
    assert reconcile(look(tuned, runs=(run, down), pods=pods), NOW).order is None
    changed = look(held, runs=(run, down), pods=pods, files=SourceFiles(digest="two"))
    again = reconcile(changed, NOW)
    assert again.order is not None
    assert again.order.command is RunCommand.GOTO
    retry = look(held, runs=(run, down), pods=pods, actions=(make_action("Retry"),))
    ordered = reconcile(retry, NOW).order
    assert ordered is not None
    assert ordered.attempt == 3


@pytest.mark.parametrize(
    ("action", "spec", "view", "words"),
    [
        (make_action("Force"), {}, {}, "spec.version"),
        (make_action("Rollback", version="x; y"), {}, {}, "spec.version"),
        (make_action("Rollback", version="-1"), {}, {}, "spec.version"),
        (make_action("Force", version="-2"), {}, {}, "spec.version"),
        (make_action("Continue"), {}, {}, "it is for a DatabaseMigrationSet"),
        (make_action("Retry", is_for_set=True), {}, {}, "it is for a DatabaseMigrationSet"),
        (make_action("Approve", plan_hash="x"), {}, {}, "nothing to approve"),
        (make_action("Approve", plan_hash="x"), {"approval": "Manual"}, {}, "no plan"),
        (make_action("Retry"), {"suspend": True}, {}, "suspend"),
        (make_action("Retry"), {"approval": "Manual"}, {}, "not been approved"),
        (make_action("Retry"), {}, {"older": "first"}, "first"),
        (make_action("Repair"), {}, {"files": SourceFiles(missing="files")}, "files"),
        (make_action("Repair"), {}, {"files": SourceFiles(invalid="twice")}, "twice"),
    ],
)
def test_what_can_not_be_carried_out_is_refused_with_the_reason(
    action: Action, spec: dict[str, Any], view: dict[str, Any], words: str
) -> None:
    decision = reconcile(look(make_migration(**spec), actions=(action,), **view), NOW)
    (update,) = decision.updates
    assert update.phase is ActionPhase.REFUSED
    assert words in update.message
    assert decision.order is None or decision.order.action is None


def test_an_order_whose_job_is_refused_has_failed() -> None:
    migration, run = stalled()
    view = look(migration, runs=(run,), actions=(make_action("Repair"),))
    refused = replace(view, rejection=Rejection("exceeded quota", is_final=False))
    (update,) = reconcile(refused, NOW).updates
    assert (update.phase, update.message) == (ActionPhase.FAILED, "exceeded quota")
    away = Rejection("webhook down", is_final=False, is_passing=True, retry_at=NOW)
    waiting = reconcile(replace(view, rejection=away), NOW)
    assert reason_of(waiting) == "JobNotCreated"
    (update,) = waiting.updates
    assert (update.phase, update.message) == (ActionPhase.PENDING, "webhook down")


def test_orders_are_taken_up_one_after_the_other_oldest_first() -> None:
    migration, run = stalled()
    first = make_action("Repair", created_at=NOW - timedelta(minutes=1))
    second = make_action("Retry")
    decision = reconcile(look(migration, runs=(run,), actions=(second, first)), NOW)
    assert decision.order is not None
    assert decision.order.action == first.uid


def test_an_order_for_nothing_is_refused() -> None:
    (update,) = refuse_orphans([make_action("Retry")])
    assert "does not exist" in update.message
    assert refuse_orphans([make_action("Retry", phase=ActionPhase.FAILED)]) == ()


def test_an_action_is_read_from_its_manifest_and_its_status_written() -> None:
    body = {
        "metadata": {
            "namespace": "team",
            "name": "a",
            "uid": "u",
            "creationTimestamp": "2026-11-24T12:00:00Z",
        },
        "spec": {"migration": "shop", "action": "Force", "version": "3", "reason": "by hand"},
    }
    action = parse_action(body)
    assert (action.kind, action.version, action.phase) == (
        ActionKind.FORCE,
        "3",
        ActionPhase.PENDING,
    )
    status = dump_action_status(action, ActionPhase.FAILED, "no", now=NOW)
    assert status["finishedAt"] == "2026-11-24T12:00:00Z"
    assert parse_action({**body, "status": status}).has_ended
    with pytest.raises(SpecError):
        parse_action({**body, "spec": {"migration": "shop", "action": "Dance"}})


@pytest.mark.parametrize("kind", ["Force", "Rollback", "Repair"])
def test_an_order_waits_while_the_resource_is_suspended_and_says_so(kind: str) -> None:
    migration, run = stalled(suspend=True)
    action = make_action(kind, version="1" if kind in {"Force", "Rollback"} else None)
    approval = make_action("Approve", plan_hash="x", created_at=NOW + timedelta(seconds=1))
    view = look(migration, runs=(run,), actions=(action, approval))
    decision = reconcile(view, NOW)
    assert (decision.order, reason_of(decision)) == (None, "Suspended")
    phases = {str(update.action.kind): update.phase for update in decision.updates}
    assert phases == {kind: ActionPhase.PENDING, "Approve": ActionPhase.REFUSED}
    told = next(update for update in decision.updates if update.action is action)
    assert "spec.suspend is set" in told.message
    waiting = replace(action, message=told.message, is_acknowledged=True)
    view = look(migration, runs=(run,), actions=(waiting,))
    assert reconcile(view, NOW).updates == ()
    resumed = replace(view, migration=replace(make_migration(), status=migration.status))
    later = reconcile(resumed, NOW + timedelta(days=1))
    assert later.order is not None
    assert later.order.action == action.uid


def test_an_order_that_has_to_wait_for_a_run_is_pending_at_once() -> None:
    migration = make_migration()
    run = make_run(migration)
    view = look(migration, runs=(run,), pods=(make_pod(run),), actions=(make_action("Repair"),))
    (update,) = reconcile(view, NOW).updates
    assert (update.phase, update.message) == (
        ActionPhase.PENDING,
        f"waits for the end of Job {run.name}",
    )


@pytest.mark.parametrize("kind", ["Force", "Rollback", "Repair", "Retry"])
def test_an_order_from_a_time_without_an_operator_is_refused_when_it_is_old(kind: str) -> None:
    migration, run = stalled()
    version = "1" if kind in {"Force", "Rollback"} else None
    for age, is_acknowledged, is_refused in (
        (timedelta(minutes=59), False, False),
        (timedelta(minutes=61), False, True),
        (timedelta(minutes=61), True, False),
        (timedelta(hours=9), True, True),
    ):
        action = make_action(
            kind, version=version, created_at=NOW - age, is_acknowledged=is_acknowledged
        )
        view = look(migration, runs=(run,), actions=(action,))
        view = replace(view, resync=Resync(None, since=NOW - timedelta(hours=2)))
        decision = reconcile(view, NOW)
        if not is_refused:
            assert decision.order is not None, age
            assert decision.order.action == action.uid
            continue
        (update,) = decision.updates
        assert update.phase is ActionPhase.REFUSED, age
        assert "order it again" in update.message


def test_an_approval_holds_for_its_plan_whenever_it_was_given() -> None:
    migration, _ = planned()
    old = NOW - timedelta(days=3)
    action = make_action("Approve", plan_hash=plan_hash(migration), created_at=old)
    (update,) = reconcile(look(migration, actions=(action,)), NOW).updates
    assert update.phase is ActionPhase.SUCCEEDED


@pytest.mark.parametrize("command", [RunCommand.ROLLBACK, RunCommand.FORCE, RunCommand.REPAIR])
def test_the_target_is_what_the_resource_wants_whatever_a_person_orders(
    command: RunCommand,
) -> None:
    migration, run = stalled()
    migration = replace(migration, status=replace(migration.status, target="9"))
    ordered = make_run(migration, name="o", command=command, action="x", attempt=2, created_at=NOW)
    ordered = finished(ordered)
    report = make_report(command=f"{command} 1", version="1", target="1", pending=1, steps=())
    pods = (make_pod(ordered, report),)
    decision = reconcile(look(migration, runs=(run, ordered), pods=pods), NOW)
    assert (decision.status.version, decision.status.target) == ("1", "9")


def test_ended_orders_beyond_the_limit_go_oldest_first_but_not_an_approval_in_use() -> None:
    migration, _ = planned()
    migration = replace(migration, spec=replace(migration.spec, history=HistoryLimits(actions=2)))
    ended = ActionPhase.SUCCEEDED
    actions = [
        make_action(
            "Repair", name=f"r{age}", uid=f"r{age}", phase=ended, created_at=NOW - age * DAY
        )
        for age, name in enumerate(("r1", "r2", "r3", "r4", "r5"), start=1)
    ]
    approval = make_action(
        "Approve", plan_hash=plan_hash(migration), phase=ended, created_at=NOW - 9 * DAY
    )
    waiting = make_action("Retry", created_at=NOW - 8 * DAY, is_owned=True)
    view = look(migration, actions=(*actions, approval, waiting))
    decision = reconcile(view, NOW)
    assert {action.name for action in decision.expired} == {"r3", "r4", "r5"}
    assert waiting not in decision.adopt
    assert {action.name for action in decision.adopt} >= {"r1", "r2", approval.name}


@pytest.mark.parametrize("uids", [("a", "b"), ("b", "a")])
def test_orders_of_one_second_are_taken_and_kept_in_the_order_of_their_names(
    uids: tuple[str, str],
) -> None:
    migration, run = stalled()
    migration = replace(migration, spec=replace(migration.spec, history=HistoryLimits(actions=1)))
    orders = [
        make_action("Force", name=name, uid=uid, version="1", created_at=NOW)
        for name, uid in zip(("first", "second"), uids, strict=True)
    ]
    decision = reconcile(look(migration, runs=(run,), actions=tuple(orders)), NOW)
    assert decision.order is not None
    assert decision.order.action == orders[0].uid
    ended = tuple(replace(action, phase=ActionPhase.SUCCEEDED) for action in orders)
    decision = reconcile(look(migration, runs=(run,), actions=ended), NOW)
    assert [action.name for action in decision.expired] == ["first"]


@pytest.mark.parametrize("kind", list(ActionKind))
def test_no_order_is_carried_out_on_a_resource_with_a_field_of_a_later_schema(kind: str) -> None:
    migration, run = stalled(guard="Strict")
    action = make_action(kind, version="1", plan_hash="x")
    decision = reconcile(look(migration, runs=(run,), actions=(action,)), NOW)
    (update,) = decision.updates
    assert update.phase is ActionPhase.REFUSED
    assert "spec.guard" in update.message
    assert decision.order is None


def test_an_order_with_a_field_of_a_later_schema_is_refused() -> None:
    body = {
        "metadata": {**NAMED, "creationTimestamp": "2026-11-24T12:00:00Z"},
        "spec": {"migration": "shop", "action": "Retry", "unless": "busy"},
    }  # fmt: skip
    assert "spec.unless" in (parse_action(body).problem or "")
