"""A rollout through the waves: how it begins, how it ends, and whether it is tried again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from dbmigrate.api.conditions import shorten
from dbmigrate.api.fleet.status import RolloutStatus, RolloutTrigger, SetStatus
from dbmigrate.controller.decisions.verdict import VerdictReason
from dbmigrate.controller.fleet.goal import RolloutGoal
from dbmigrate.controller.fleet.reports import sum_totals
from dbmigrate.controller.fleet.verdicts import SetReason, describe_failure, describe_totals
from dbmigrate.controller.fleet.view import FleetOrder, SetView
from dbmigrate.report import RETRYABLE, Reason
from dbmigrate.report.bounds import EXCERPT_LIMIT
from dbmigrate.untrusted import plus

_HELD = frozenset({Reason.ROLLED_BACK, Reason.ALREADY_DONE})
"""Why a target is left where it is."""


def next_attempt(status: SetStatus, intent: str) -> int:
    """The number of the rollout of this intent that comes next."""
    before = status.rollout
    return plus(before.attempt, 1) if before is not None and before.intent == intent else 1


def begin(
    view: SetView,
    status: SetStatus,
    order: FleetOrder,
    goal: RolloutGoal,
    trigger: RolloutTrigger,
    now: datetime,
) -> SetStatus:
    """The status of a rollout that begins with the survey of that order."""
    before, resource, intent = status.rollout, view.resource, order.intent
    in_a_row = 0
    if before is not None and before.intent == intent and trigger is not RolloutTrigger.ACTION:
        in_a_row = _failures_in_a_row(status, before)
    rollout = RolloutStatus(
        intent=intent,
        attempt=order.attempt,
        generation=resource.identity.generation,
        trigger=trigger,
        template_intent=view.template_intent,
        rollback=goal.rollback,
        ordered=goal.ordered,
        is_resumed=goal.is_resumed,
        action=goal.action,
        list_digest=view.targets.digest,
        survey=order.name_for(resource),
        failures_in_a_row=in_a_row,
        started_at=now,
    )
    return replace(status, rollout=rollout, plan=None, next_retry_at=None)


def _failures_in_a_row(status: SetStatus, before: RolloutStatus) -> int:
    if before.is_active or before.is_refused:
        return before.failures_in_a_row  # its survey never started, or was for nothing
    has_moved = any(wave.migrated for wave in status.waves) and before.is_surveyed
    if before.reason is None:
        return 0
    return 1 if has_moved else plus(before.failures_in_a_row, 1)


def finish(status: SetStatus, now: datetime) -> SetStatus:
    """The status once the last wave has ended: with success, if every target is current."""
    rollout, totals = status.rollout, sum_totals(status.waves)
    if rollout is None:
        return status
    if totals.current == totals.total:
        return replace(status, rollout=replace(rollout, finished_at=now))
    is_held = any(each.reason in _HELD for each in status.failures)
    if is_held and totals.current + totals.pending == totals.total:
        text = "rolled back by a MigrationAction, and not applied again by itself"
        if rollout.rollback is not None:
            order = f"MigrationAction {rollout.rollback.action}"
            text = f"the pending ones have carried out {order} before, and were migrated since"
        text = f"{describe_totals(totals)}: {text}"
        return fail(status, VerdictReason.ROLLED_BACK, text, now)
    text = describe_totals(totals) + describe_failure(status.failures)
    if rollout.rollback is not None:
        text = f"rolling back to version {rollout.rollback.version}: {text}"
    return fail(status, SetReason.TARGETS_FAILED, text, now)


def fail(status: SetStatus, reason: str, text: str, now: datetime) -> SetStatus:
    """The status with the rollout ended without success."""
    rollout = status.rollout
    if rollout is None:
        return status
    message = shorten(text, EXCERPT_LIMIT)
    ended = replace(rollout, finished_at=now, reason=reason, message=message)
    return replace(status, rollout=ended)


def is_temporary(status: SetStatus) -> bool:
    """Whether the rollout that has failed may succeed when it is tried again soon."""
    rollout = status.rollout
    if rollout is None or rollout.reason is None:
        return False
    if any(each.reason in RETRYABLE for each in status.failures):
        return True
    if rollout.reason in {reason.value for reason in RETRYABLE}:
        return True
    return rollout.reason in {SetReason.WAVE_FAILED, SetReason.SURVEY_FAILED}


def is_environmental(status: SetStatus) -> bool:
    """Whether a person may correct it elsewhere: in a Secret, for instance."""
    rollout = status.rollout
    return rollout is not None and rollout.reason in {
        Reason.AUTHENTICATION_FAILED.value,
        Reason.TLS_FAILED.value,
        Reason.CONNECTION_INVALID.value,
        Reason.POOLER_UNSAFE.value,
    }
