"""Orders: MigrationActions, checked and carried out one after the other.

An action that needs the database becomes a run that carries the action's uid, so
that its end is found again after a crash. One that cannot be carried out now is
refused with a reason; it is not kept for later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from dbmigrate.api.action import Action, ActionKind, ActionPhase
from dbmigrate.api.fields import describe_unknown
from dbmigrate.api.spec import Approval
from dbmigrate.api.status import MigrationStatus
from dbmigrate.api.version import is_version
from dbmigrate.controller.decisions.approval import find_plan, is_approved
from dbmigrate.controller.decisions.outcome import read_report
from dbmigrate.controller.decisions.runs import JobRun, RunCommand
from dbmigrate.controller.decisions.verdict import VerdictReason, in_progress
from dbmigrate.controller.decisions.view import ActionUpdate, Conclusion, ResourceView
from dbmigrate.controller.jobs.body import RunOrder
from dbmigrate.report import Reason
from dbmigrate.timestamps import format_timestamp
from dbmigrate.untrusted import plus

COMMANDS: Mapping[ActionKind | None, RunCommand] = {
    ActionKind.FORCE: RunCommand.FORCE,
    ActionKind.RETRY: RunCommand.GOTO,
    ActionKind.ROLLBACK: RunCommand.ROLLBACK,
    ActionKind.REPAIR: RunCommand.REPAIR,
}
HELD_BY_SUSPEND = frozenset({ActionKind.FORCE, ActionKind.ROLLBACK, ActionKind.REPAIR})
"""These wait while spec.suspend is set. A Retry is refused, an Approve starts nothing."""
DONE_ONCE = frozenset({ActionKind.FORCE, ActionKind.ROLLBACK, ActionKind.REPAIR})
"""These depend on the state that a person has seen: one that is made again under its name, from Git
or from a backup, is not carried out again. A Retry only leads to what the resource wants."""
VERSIONED = frozenset({ActionKind.FORCE, ActionKind.ROLLBACK})


def follow_actions(view: ResourceView) -> tuple[ActionUpdate, ...]:
    """The new results of the actions' runs, which the actions' status does not show yet."""
    updates = []
    for action in view.actions:
        run = next((r for r in view.runs if _serves(r, action)), None)
        if action.has_ended or run is None:
            continue
        is_approval = action.kind is ActionKind.APPROVE
        update = _agree(action) if is_approval else _follow(action, run, view)
        if (update.phase, update.message) != (action.phase, action.message):
            updates.append(update)
    return tuple(updates)


def acknowledge(view: ResourceView) -> tuple[ActionUpdate, ...]:
    """The orders that have to wait, with what they wait for; each is reported once.

    An approval needs no run: it is answered as soon as no run is active.
    """
    active = next((run for run in view.runs if run.is_active), None)
    updates = []
    for action in _find_waiting(view):
        if action.kind is ActionKind.APPROVE:
            continue
        if _is_held(action, view):
            text = "spec.suspend is set: it is carried out when the resource is resumed"
        elif active is not None:
            text = f"waits for the end of Job {active.name}"
        else:
            text = view.rejection.message if view.rejection is not None else "waits for its turn"
        if not action.is_acknowledged or (_is_held(action, view) and action.message != text):
            updates.append(ActionUpdate(action, ActionPhase.PENDING, text))
    return tuple(updates)


def carry_out_next(
    view: ResourceView, status: MigrationStatus, intent: str, now: datetime
) -> Conclusion | ActionUpdate | None:
    """The oldest order that has not been taken up: a run to start, or an immediate answer."""
    action = _find_next(view)
    if action is None:
        return None
    refusal = _find_refusal(action, view, status, intent, now)
    if refusal is not None:
        return ActionUpdate(action, ActionPhase.REFUSED, refusal)
    if action.kind is ActionKind.APPROVE:
        return _agree(action)
    if view.rejection is not None and view.rejection.is_temporary:
        verdict = in_progress(view.rejection.reason, view.rejection.message)
        return Conclusion(verdict, look_at=view.rejection.retry_at)
    if view.rejection is not None:
        return ActionUpdate(action, ActionPhase.FAILED, view.rejection.message)
    text = f"{action.kind} of MigrationAction {action.name} is about to start"
    verdict = in_progress(VerdictReason.ACTION_RUNNING, text)
    return Conclusion(verdict, order=_order(action, view, status, intent))


def is_run_awaited(view: ResourceView, status: MigrationStatus, intent: str, now: datetime) -> bool:
    """Whether an order is waiting that needs a separate run."""
    action = _find_next(view)
    if action is None or action.kind is ActionKind.APPROVE:
        return False
    return _find_refusal(action, view, status, intent, now) is None


def _find_waiting(view: ResourceView) -> list[Action]:
    """The orders without a run, oldest first."""
    waiting = [
        action
        for action in view.actions
        if not action.has_ended and not any(_serves(run, action) for run in view.runs)
    ]
    return sorted(waiting, key=lambda action: (action.created_at, action.name))


def _find_next(view: ResourceView) -> Action | None:
    """The oldest order that waits only for its turn."""
    return next((action for action in _find_waiting(view) if not _is_held(action, view)), None)


def _is_held(action: Action, view: ResourceView) -> bool:
    return view.migration.spec.suspend and action.kind in HELD_BY_SUSPEND


def refuse_orphans(actions: Iterable[Action]) -> tuple[ActionUpdate, ...]:
    """The answer to orders for a resource that does not exist."""
    return tuple(
        ActionUpdate(
            action,
            ActionPhase.REFUSED,
            action.problem or f"DatabaseMigration {action.migration} does not exist",
        )
        for action in actions
        if not action.has_ended
    )


def _serves(run: JobRun, action: Action) -> bool:
    """Whether an action belongs to this run: it ordered the run or approved its plan."""
    if action.kind is ActionKind.APPROVE:
        return run.plan is not None and run.plan == action.plan_hash
    return run.action == action.uid


def _agree(action: Action) -> ActionUpdate:
    return ActionUpdate(action, ActionPhase.SUCCEEDED, f"plan {action.plan_hash} is approved")


def _follow(action: Action, run: JobRun, view: ResourceView) -> ActionUpdate:
    if run.is_active:
        return ActionUpdate(action, ActionPhase.RUNNING, f"Job {run.name} is at work")
    report = read_report(run, view.pods)
    if report is None:
        text = f"Job {run.name} succeeded; its report is gone"
        return ActionUpdate(action, ActionPhase.SUCCEEDED, text)
    if report.error is not None:
        text = f"{report.error.reason.value}: {report.error.message}"
        if report.error.reason is Reason.ALREADY_DONE:
            text = f"{report.error.message}. Give it another name if it is to be done again"
            return ActionUpdate(action, ActionPhase.REFUSED, text)
        return ActionUpdate(action, ActionPhase.FAILED, text)
    text = f"the database is at version {report.version or 'none'}"
    return ActionUpdate(action, ActionPhase.SUCCEEDED, text)


def _find_refusal(
    action: Action, view: ResourceView, status: MigrationStatus, intent: str, now: datetime
) -> str | None:
    """Why an action cannot be carried out; None: it can."""
    if action.problem is not None:
        return action.problem
    late = _refuse_stale(action, view, now)
    if late is not None:
        return late
    if view.migration.spec.unknown:
        return describe_unknown(view.migration.spec.unknown)
    if action.is_for_set or action.kind is ActionKind.CONTINUE:
        return "it is for a DatabaseMigrationSet"
    if view.older is not None:
        return f"DatabaseMigration {view.older} is older and has the same database"
    if action.kind in VERSIONED and not _is_version(action, view):
        return "spec.version must name a version"
    if action.kind is ActionKind.APPROVE:
        return _refuse_approval(action, view, status, intent)
    if view.files.missing is not None:
        return f"ConfigMap {view.files.missing} does not exist"
    if view.files.invalid is not None:
        return view.files.invalid
    if action.kind is ActionKind.RETRY:
        return _refuse_retry(view, status, intent)
    return None


def _refuse_stale(action: Action, view: ResourceView, now: datetime) -> str | None:
    """Why an order is refused that was made at a time when no operator was running to take it.

    An approval holds for one plan, whenever it was given.
    """
    if action.kind is ActionKind.APPROVE:
        return None
    # An acknowledged order waits for something that its message names.
    came = view.resync.since if action.is_acknowledged else now
    return refuse_late(action, came, view.order_age)


def refuse_late(action: Action, came: datetime, limit: timedelta | None) -> str | None:
    """Why an order that an operator saw at that time is too old to be carried out; None: it is
    not. `limit`: the age up to which it is; None: any."""
    if limit is None or came - action.created_at <= limit:
        return None
    return (
        f"it was ordered at {format_timestamp(action.created_at)}, while no operator was there,"
        " which is too long ago (--order-max-age): order it again if it still holds"
    )


def _is_version(action: Action, view: ResourceView) -> bool:
    version = action.version or ""
    if action.kind is ActionKind.FORCE and version == "-1":
        return True  # nothing is applied
    return is_version(version, view.migration.spec.source_format)


def _refuse_approval(
    action: Action, view: ResourceView, status: MigrationStatus, intent: str
) -> str | None:
    if view.migration.spec.approval is not Approval.MANUAL:
        return "spec.approval is Automatic: there is nothing to approve"
    plan = find_plan(view, status, intent)
    if plan is None:
        return "there is no plan for what the resource wants now"
    if action.plan_hash != plan.hash:
        return f"the plan has changed: it is {plan.hash} now, not {action.plan_hash}"
    return None


def _refuse_retry(view: ResourceView, status: MigrationStatus, intent: str) -> str | None:
    spec = view.migration.spec
    if spec.suspend:
        return "spec.suspend is set"
    if spec.approval is Approval.MANUAL:
        plan = find_plan(view, status, intent)
        if plan is None or (plan.steps and not is_approved(view, plan)):
            return "the plan has not been approved"
    return None


def name_order(namespace: str, name: str, kind: ActionKind | None, version: str | None) -> str:
    """The name of an order in the database's log: one with another content is another order."""
    words = [COMMANDS[kind].value]
    words += [version] if kind in VERSIONED and version else []
    return f"MigrationAction {namespace}/{name}: {' '.join(words)}"


def _order_id(action: Action) -> str:
    return name_order(action.namespace, action.name, action.kind, action.version)


def _order(action: Action, view: ResourceView, status: MigrationStatus, intent: str) -> RunOrder:
    last, generation = status.last_run, view.migration.identity.generation
    is_same = last is not None and (last.intent, last.generation) == (intent, generation)
    attempt = plus(last.attempts, 1) if last is not None and is_same else 1
    plan = None
    if action.kind is ActionKind.RETRY and view.migration.spec.approval is Approval.MANUAL:
        plan = find_plan(view, status, intent)
    operands = (action.version,) if action.kind in VERSIONED and action.version else ()
    return RunOrder(
        COMMANDS[action.kind],
        intent,
        attempt,
        generation,
        operands,
        action=action.uid,
        plan=plan,
        ordered_by=f"MigrationAction {action.name}",
        order_id=_order_id(action) if action.kind in DONE_ONCE else None,
    )
