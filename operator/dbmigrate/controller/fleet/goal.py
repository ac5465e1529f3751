"""Where a rollout brings the targets: to the template's version, or back to the one of an order.

A rollback that a person has ordered holds: later rollouts, for new targets or after a failure,
go to its version too, until the template wants something else or a Continue ends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dbmigrate.api.action import Action, ActionKind, ActionPhase
from dbmigrate.api.fleet.status import RolloutStatus, SetRollback, SetStatus
from dbmigrate.api.version import is_version
from dbmigrate.controller.decisions.orders import refuse_late
from dbmigrate.controller.decisions.verdict import VerdictReason
from dbmigrate.controller.fleet.view import SetView


@dataclass(frozen=True, slots=True)
class RolloutGoal:
    """What the next rollout is for."""

    rollback: SetRollback | None = None
    ordered: SetRollback | None = None
    """As of a RolloutStatus."""
    is_resumed: bool = False
    action: str | None = None
    """The order that it serves, by uid."""


def choose_goal(view: SetView, status: SetStatus, now: datetime) -> RolloutGoal:
    """A rollback that waits comes first, then what ends one; else what holds continues to hold.

    A Retry ends nothing: whatever makes a new tenant may order it, so that the list is read again.
    """
    ordered = find_rollback(view, status, now)
    before = status.rollout
    is_kept = before is not None and before.template_intent == view.template_intent
    if ordered is not None:
        held = before.rollback if before is not None and is_kept else None
        order = SetRollback(ordered.version or "", ordered.name)
        return RolloutGoal(held, order, action=ordered.uid)
    resumption = find_resumption(view, status)
    if resumption is not None:
        return RolloutGoal(is_resumed=True, action=resumption.uid)
    retry = find_retry(view, status)
    action = retry.uid if retry is not None else None
    if before is None or not is_kept:
        return RolloutGoal(action=action)
    if before.is_active and before.action is not None:
        action = before.action
    return RolloutGoal(before.rollback, before.ordered, before.is_resumed, action)


def find_rollback(view: SetView, status: SetStatus, now: datetime) -> Action | None:
    """The order to go back that no rollout has taken up yet."""
    return next(
        (
            action
            for action in waiting(view)
            if action.kind is ActionKind.ROLLBACK
            and action.phase is not ActionPhase.RUNNING
            and not is_its_own(status.rollout, action)
            and refuse_rollback(view, action, now) is None
        ),
        None,
    )


def refuse_rollback(view: SetView, action: Action, now: datetime) -> str | None:
    """Why an order to go back cannot be carried out; None: it can."""
    if action.problem is not None:
        return action.problem
    if not is_version(action.version or "", view.resource.spec.template.source_format):
        return "spec.version must name a version"
    return None if action.is_acknowledged else refuse_late(action, now, view.order_age)


def find_retry(view: SetView, status: SetStatus) -> Action | None:
    """The order for another rollout that none has served yet."""
    found = (action for action in waiting(view) if action.kind is ActionKind.RETRY)
    return next((action for action in found if not is_served(view, status, action)), None)


def find_resumption(view: SetView, status: SetStatus) -> Action | None:
    """The order that ends a rollback, and that no rollout has taken up yet."""
    found = (
        action
        for action in waiting(view)
        if action.kind is ActionKind.CONTINUE and action.problem is None
    )
    return next(found, None) if is_held(status) else None


def is_held(status: SetStatus) -> bool:
    """Whether the set stays at the version of a rollback, and has ended what it was doing."""
    rollout = status.rollout
    if rollout is None or rollout.is_active:
        return False
    is_rollback = rollout.rollback is not None or rollout.ordered is not None
    return is_rollback or rollout.reason == VerdictReason.ROLLED_BACK


def is_served(view: SetView, status: SetStatus, action: Action) -> bool:
    """Whether the rollout reads the list for this Retry: it was ordered for it, or before it began.

    Both times are the API server's own, in whole seconds. One order of the same second is left
    for the next rollout: it may have come just after the list was read.
    """
    rollout = status.rollout
    if rollout is None:
        return False
    survey = view.find_job(rollout.survey)
    is_earlier = survey is not None and action.created_at < survey.created_at
    return is_its_own(rollout, action) or is_earlier


def is_its_own(rollout: RolloutStatus | None, action: Action) -> bool:
    """Whether the rollout was begun for that order."""
    return rollout is not None and rollout.action == action.uid


def waiting(view: SetView) -> list[Action]:
    """The orders that have not ended, oldest first."""
    found = [action for action in view.actions if not action.has_ended]
    return sorted(found, key=lambda action: (action.created_at, action.uid))
