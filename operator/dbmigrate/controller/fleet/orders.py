"""The answers to orders for a set, and what they change at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from dbmigrate.api.action import Action, ActionKind, ActionPhase
from dbmigrate.api.fleet.status import RolloutStatus, SetStatus, WavePhase, WaveStatus
from dbmigrate.api.spec import Approval
from dbmigrate.controller.decisions.view import ActionUpdate
from dbmigrate.controller.fleet.goal import (
    is_held,
    is_its_own,
    is_served,
    refuse_rollback,
    waiting,
)
from dbmigrate.controller.fleet.view import SetView

KEPT_ORDERS = 20
"""Ended orders that stay as the record, as for a DatabaseMigration that says nothing else."""
FOR_SETS = frozenset(
    {ActionKind.RETRY, ActionKind.CONTINUE, ActionKind.APPROVE, ActionKind.ROLLBACK}
)


def find_paused(view: SetView, status: SetStatus) -> WaveStatus | None:
    """The wave after which the rollout waits before the next one."""
    rollout = status.rollout
    if rollout is None or not rollout.is_active or not rollout.is_surveyed:
        return None
    ended = None
    for wave in status.waves:
        if wave.phase is WavePhase.PENDING:
            break
        ended = wave
    else:
        return None
    if ended is None or ended.phase is not WavePhase.SUCCEEDED or not ended.migrated:
        return None
    if rollout.released == ended.name:
        return None
    spec = next((each for each in view.resource.spec.waves if each.name == ended.name), None)
    return ended if spec is not None and (spec.is_manual or spec.pause is not None) else None


def pause_ends(view: SetView, wave: WaveStatus) -> datetime | None:
    """When the next wave may begin; None: when a person lets it."""
    spec = next((each for each in view.resource.spec.waves if each.name == wave.name), None)
    if spec is None or spec.is_manual or spec.pause is None or wave.finished_at is None:
        return None
    return wave.finished_at + spec.pause


def answer_orders(
    view: SetView, status: SetStatus, now: datetime
) -> tuple[SetStatus, tuple[ActionUpdate, ...]]:
    """The status with what the orders change at once, and the answers to them."""
    updates: list[ActionUpdate] = []
    for action in waiting(view):
        if action.problem is not None or action.kind not in FOR_SETS:
            said = action.problem or f"{action.kind} is not for a DatabaseMigrationSet"
            updates.append(ActionUpdate(action, ActionPhase.REFUSED, said))
        elif action.kind is ActionKind.CONTINUE:
            status, update = _follow_continue(view, action, status)
            if update is not None:
                updates.append(update)
        elif action.kind is ActionKind.APPROVE:
            status, answer = _approve(view, action, status)
            updates.append(answer)
        elif action.kind is ActionKind.ROLLBACK:
            updates.append(_follow_rollback(view, action, status, now))
        elif action.kind is ActionKind.RETRY:
            update = _follow_retry(view, action, status)
            if update is not None:
                updates.append(update)
    return status, tuple(each for each in updates if _is_news(each))


def needs_approval(view: SetView, status: SetStatus) -> bool:
    """Whether a plan waits for a person."""
    plan, rollout = status.plan, status.rollout
    if view.resource.spec.template.approval is not Approval.MANUAL:
        return False
    if plan is None or rollout is None or not plan.steps_total:
        return False
    return rollout.approved_by is None and not _was_approved(view, status)


def _was_approved(view: SetView, status: SetStatus) -> bool:
    """By an order that was answered in an earlier rollout: the plan is the same."""
    plan = status.plan
    return plan is not None and any(
        action.kind is ActionKind.APPROVE
        and action.plan_hash == plan.hash
        and action.phase is ActionPhase.SUCCEEDED
        for action in view.actions
    )


def _approve(view: SetView, action: Action, status: SetStatus) -> tuple[SetStatus, ActionUpdate]:
    plan, rollout = status.plan, status.rollout
    if view.resource.spec.template.approval is not Approval.MANUAL:
        text = "spec.template.approval is Automatic: there is nothing to approve"
    elif plan is None or rollout is None:
        text = "there is no plan that waits"
    elif action.plan_hash != plan.hash:
        text = f"the plan has changed: it is {plan.hash} now, not {action.plan_hash}"
    else:
        approved = replace(rollout, approved_by=action.uid)
        text = f"plan {plan.hash} is approved"
        return replace(status, rollout=approved), ActionUpdate(action, ActionPhase.SUCCEEDED, text)
    return status, ActionUpdate(action, ActionPhase.REFUSED, text)


def choose_expired(view: SetView, status: SetStatus) -> tuple[Action, ...]:
    """The ended orders that are not kept; never the approval of the present plan."""
    plan = status.plan.hash if status.plan is not None else None
    ended = [action for action in view.actions if action.has_ended]
    ended.sort(key=lambda action: (action.created_at, action.name), reverse=True)
    return tuple(each for each in ended[KEPT_ORDERS:] if plan is None or each.plan_hash != plan)


def _follow_continue(
    view: SetView, action: Action, status: SetStatus
) -> tuple[SetStatus, ActionUpdate | None]:
    """The next wave after a pause, or the template's version after a rollback."""
    rollout, paused = status.rollout, find_paused(view, status)
    if rollout is not None and rollout.released_by == action.uid:
        text = f"wave {rollout.released} is followed by the next one"
        return status, ActionUpdate(action, ActionPhase.SUCCEEDED, text)
    if rollout is not None and is_its_own(rollout, action):
        return status, _follow_rollout(action, rollout)
    if paused is not None and rollout is not None:
        released = replace(rollout, released=paused.name, released_by=action.uid)
        text = f"wave {paused.name} is followed by the next one"
        update = ActionUpdate(action, ActionPhase.SUCCEEDED, text)
        return replace(status, rollout=released), update
    if is_held(status) and not view.resource.spec.suspend:
        return status, None
    text = "the rollout does not wait between two waves, and no rollback holds"
    return status, ActionUpdate(action, ActionPhase.REFUSED, text)


def _follow_retry(view: SetView, action: Action, status: SetStatus) -> ActionUpdate | None:
    rollout = status.rollout
    if rollout is None or not is_served(view, status, action):
        if view.resource.spec.suspend:
            return ActionUpdate(action, ActionPhase.REFUSED, "spec.suspend is set")
        if rollout is None or not rollout.is_active:
            return None
        text = f"waits for the end of rollout {rollout.attempt}"
        return ActionUpdate(action, ActionPhase.PENDING, text)
    return _follow_rollout(action, rollout)


def _follow_rollout(action: Action, rollout: RolloutStatus) -> ActionUpdate:
    if rollout.is_active:
        text = f"rollout {rollout.attempt} is under way"
        return ActionUpdate(action, ActionPhase.RUNNING, text)
    if rollout.is_refused:
        return ActionUpdate(action, ActionPhase.REFUSED, rollout.message)
    if rollout.reason is not None:
        return ActionUpdate(action, ActionPhase.FAILED, f"{rollout.reason}: {rollout.message}")
    text = "every target is current"
    if rollout.rollback is not None:
        text = f"every target is at version {rollout.rollback.version}"
    return ActionUpdate(action, ActionPhase.SUCCEEDED, text)


def _follow_rollback(
    view: SetView, action: Action, status: SetStatus, now: datetime
) -> ActionUpdate:
    rollout = status.rollout
    refusal = refuse_rollback(view, action, now)
    if not is_its_own(rollout, action) or rollout is None:
        if refusal is not None:
            return ActionUpdate(action, ActionPhase.REFUSED, refusal)
        if action.phase is ActionPhase.RUNNING:
            text = "the set wants something else since: see its rollout"
            return ActionUpdate(action, ActionPhase.FAILED, text)
        text = "waits until no Job of the set is at work"
        if view.resource.spec.suspend:
            text = "spec.suspend is set: it is carried out when the set is resumed"
        return ActionUpdate(action, ActionPhase.PENDING, text)
    if rollout.is_active and needs_approval(view, status) and status.plan is not None:
        text = f"plan {status.plan.hash} waits for a MigrationAction that approves it"
        return ActionUpdate(action, ActionPhase.RUNNING, text)
    return _follow_rollout(action, rollout)


def _is_news(update: ActionUpdate) -> bool:
    action = update.action
    return (action.phase, action.message) != (update.phase, update.message)
