"""The decision about a set: from what is observed to the status and the next Job.

Pure, and computed again for each event. The status and the Jobs are the only state: an operator
that has just started decides as the one before it. One Job of a set works at a time. A Job that
has begun is never stopped because the spec has changed: the next rollout follows it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from dbmigrate.api.action import ENDED
from dbmigrate.api.conditions import settle_conditions
from dbmigrate.api.fleet.status import RolloutTrigger, SetStatus, Totals, WavePhase
from dbmigrate.api.migration import Identity
from dbmigrate.api.spec import Approval
from dbmigrate.controller.decisions.progress import LOOK_INTERVAL, next_look
from dbmigrate.controller.decisions.verdict import (
    VerdictReason,
    in_progress,
    paused,
    stalled,
)
from dbmigrate.controller.fleet import rollout as rollouts
from dbmigrate.controller.fleet.goal import choose_goal, find_rollback
from dbmigrate.controller.fleet.jobs import FleetJob
from dbmigrate.controller.fleet.next_job import (
    choose_discarded,
    find_busy,
    is_empty,
    next_rehearsal,
    next_survey,
    next_wave,
)
from dbmigrate.controller.fleet.orders import (
    answer_orders,
    choose_expired,
    find_paused,
    needs_approval,
    pause_ends,
)
from dbmigrate.controller.fleet.progress import (
    COUNTING,
    REHEARSING,
    at_work,
    conclude_rollout,
    describe_job,
    describe_rejection,
    find_hindrance,
    lasting_verdict,
)
from dbmigrate.controller.fleet.reports import sum_totals
from dbmigrate.controller.fleet.starting import (
    describe_overdue,
    is_outdated,
    is_overdue,
    undo_start,
)
from dbmigrate.controller.fleet.survey import read_rehearsal, read_survey, start_rehearsal
from dbmigrate.controller.fleet.triggers import find_trigger, retry_due
from dbmigrate.controller.fleet.verdicts import SetReason, set_conditions
from dbmigrate.controller.fleet.view import SetConclusion, SetDecision, SetView
from dbmigrate.controller.fleet.wave import find_exceeded, follow_wave, skip_wave, start_wave
from dbmigrate.timestamps import format_timestamp


def decide(view: SetView, now: datetime) -> SetDecision:
    """Decide for one set. The same view and time always give the same decision."""
    resource = view.resource
    if resource.identity.is_deleting:
        return SetDecision(resource.status)
    intent = resource.spec.intent(view.files.digest)
    before = resource.status
    status = _catch_up(view, before, now)
    has_ended = _has_ended(before, status)
    status, answers = answer_orders(view, status, now)
    status, step = _follow(view, status, intent, now)
    _, updates = answer_orders(view, status, now)
    # What has ended is told, although another rollout may begin in this very decision.
    ended = {each.action.uid: each for each in answers if each.phase in ENDED}
    updates = (*ended.values(), *(each for each in updates if each.action.uid not in ended))
    totals = _sum_up(status)
    status = replace(status, targets=totals, observed_generation=resource.identity.generation)
    wanted = set_conditions(
        step.verdict,
        status,
        generation=resource.identity.generation,
        now=now,
        approved=_is_approved(view, status),
    )
    status = replace(status, conditions=settle_conditions(wanted, before.conditions))
    ended_early = [each for each in (find_exceeded(view, status), step.withdraw) if each]
    return SetDecision(
        status=status,
        order=step.order,
        look_at=step.look_at,
        discard=choose_discarded(view, status),
        withdraw=tuple(dict.fromkeys(job.name for job in ended_early if not job.is_deleting)),
        updates=updates,
        adopt=tuple(action for action in view.actions if not action.is_owned),
        expired=choose_expired(view, status),
        rests_on_absence=step.order is not None or has_ended or bool(ended_early),
    )


def _catch_up(view: SetView, status: SetStatus, now: datetime) -> SetStatus:
    """The status with all that the Jobs of the present rollout have reported since."""
    rollout = status.rollout
    if rollout is None or not rollout.is_active:
        return status
    if not rollout.survey:
        return status
    if not rollout.is_surveyed:
        return read_survey(view, status, rollout, now)
    if rollout.rehearsal is not None and not rollout.is_rehearsed:
        return read_rehearsal(view, status, rollout, now)
    running = next((wave for wave in status.waves if wave.phase is WavePhase.RUNNING), None)
    return status if running is None else follow_wave(view, status, running, now)


def _sum_up(status: SetStatus) -> Totals | None:
    """The counts of the fleet. While it is only looked at again the last answer stays."""
    if not status.waves:
        return None
    rollout = status.rollout
    if rollout is not None and rollout.is_active and status.targets is not None:
        is_look = rollout.trigger is RolloutTrigger.RESYNC
        return status.targets if is_look else sum_totals(status.waves)
    return sum_totals(status.waves)


def _is_approved(view: SetView, status: SetStatus) -> bool | None:
    """Whether the plan may be run; None where no approval is needed."""
    if view.resource.spec.template.approval is not Approval.MANUAL:
        return None
    rollout = status.rollout
    is_known = rollout is not None and rollout.is_surveyed
    return is_known and not needs_approval(view, status)


def _has_ended(before: SetStatus, after: SetStatus) -> bool:
    """Whether a wave or a survey has ended: Pods whose reports are missing may be there by now."""
    phases = [(wave.name, wave.phase) for wave in before.waves]
    ended = before.rollout is not None and before.rollout != after.rollout
    return ended or phases != [(wave.name, wave.phase) for wave in after.waves]


def _follow(
    view: SetView, status: SetStatus, intent: str, now: datetime
) -> tuple[SetStatus, SetConclusion]:
    """The checks, in order of precedence."""
    spec, rollout = view.resource.spec, status.rollout
    busy = find_busy(view, status, intent, now)
    if busy is not None:
        return _wait_for(view, status, busy, intent, now)
    hindered = find_hindrance(view, now)
    if hindered is not None:
        return status, hindered
    is_present = rollout is not None and rollout.is_active and rollout.intent == intent
    has_survey = rollout is not None and rollout.survey != ""
    if is_present and has_survey and find_rollback(view, status, now) is None:
        return _continue(view, status, now)
    trigger, due = find_trigger(view, status, intent, now)
    if spec.suspend:
        text = "spec.suspend is set: nothing is started"
        return status, SetConclusion(paused(VerdictReason.SUSPENDED, text))
    if trigger is None:
        return replace(status, next_retry_at=retry_due(view, status)), conclude_rollout(
            view, status, due
        )
    if view.rejection is not None:
        return status, describe_rejection(view.rejection)
    goal, order = choose_goal(view, status, now), next_survey(view, status, intent, now)
    status = rollouts.begin(view, status, order, goal, trigger, now)
    verdict = lasting_verdict(status) or in_progress(SetReason.SURVEYING, COUNTING)
    return status, SetConclusion(verdict, order=order, look_at=now + LOOK_INTERVAL)


def _wait_for(
    view: SetView, status: SetStatus, busy: FleetJob, intent: str, now: datetime
) -> tuple[SetStatus, SetConclusion]:
    """A Job is at work: it is reported and waited for, or removed if it never started."""
    rollout = status.rollout
    deadline = busy.runs_since + view.resource.spec.template.timeouts.deadline
    look_at = next_look(busy, [each.pod for each in view.pods_of(busy)], now)
    look_at = min(look_at, deadline) if deadline > now else look_at
    if is_outdated(view, status, busy, now):
        text = f"Job {busy.name} never started, and something else is wanted now: it is removed"
        if is_overdue(view, busy, now):
            text = f"{describe_overdue(view, busy, now)}: it is removed"
        verdict = in_progress(VerdictReason.WAITING_FOR_RUN, text)
        withdraw = None if busy.is_deleting else busy
        return undo_start(status, busy), SetConclusion(verdict, None, look_at, withdraw)
    if rollout is not None and rollout.is_active and rollout.intent == intent:
        return status, SetConclusion(describe_job(view, status, busy, now), look_at=look_at)
    text = f"Job {busy.name}, of what was wanted before, is at work: the next rollout follows it"
    return status, SetConclusion(in_progress(VerdictReason.WAITING_FOR_RUN, text), look_at=look_at)


def _continue(view: SetView, status: SetStatus, now: datetime) -> tuple[SetStatus, SetConclusion]:
    """The next wave of the present rollout, or its end."""
    before = _prepare(view, status, now)
    if before is not None:
        return before
    waiting = find_paused(view, status)
    if waiting is not None:
        due = pause_ends(view, waiting)
        if due is None:
            text = (
                f"wave {waiting.name} has succeeded: a MigrationAction with Continue lets the next"
                " one begin"
            )
            return status, SetConclusion(paused(SetReason.PAUSED, text))
        if now < due:
            text = (
                f"wave {waiting.name} has succeeded: the next one begins at {format_timestamp(due)}"
            )
            return status, SetConclusion(in_progress(SetReason.PAUSED, text), look_at=due)
    if view.resource.spec.suspend:
        text = "spec.suspend is set: no further wave is started"
        return status, SetConclusion(paused(VerdictReason.SUSPENDED, text))
    order = next_wave(view, status)
    while order is not None and order.wave is not None and is_empty(status, order.wave.name):
        status = skip_wave(status, order.wave.name, now)
        order = next_wave(view, status)
    if order is None:
        status = rollouts.finish(status, now)
        retry_at = retry_due(view, status)
        _, due = find_trigger(view, status, status.rollout.intent if status.rollout else "", now)
        return replace(status, next_retry_at=retry_at), conclude_rollout(view, status, due)
    if view.rejection is not None:
        return status, describe_rejection(view.rejection)
    name = order.name_for(view.resource)
    status = start_wave(status, order, name, now)
    return status, SetConclusion(
        lasting_verdict(status) or at_work(status), order=order, look_at=now + LOOK_INTERVAL
    )


def _prepare(
    view: SetView, status: SetStatus, now: datetime
) -> tuple[SetStatus, SetConclusion] | None:
    """What comes between the survey and the first wave: a rehearsal, and a person's approval."""
    plan, rollout = status.plan, status.rollout
    if rollout is None or plan is None or not plan.steps_total:
        return None
    rehearsal = next_rehearsal(view, status)
    if rehearsal is not None:
        if view.resource.spec.suspend:
            text = "spec.suspend is set: nothing is started"
            return status, SetConclusion(paused(VerdictReason.SUSPENDED, text))
        if view.rejection is not None:
            return status, describe_rejection(view.rejection)
        status = start_rehearsal(status, rehearsal.name_for(view.resource))
        verdict = lasting_verdict(status) or in_progress(SetReason.SURVEYING, REHEARSING)
        return status, SetConclusion(verdict, order=rehearsal, look_at=now + LOOK_INTERVAL)
    if needs_approval(view, status):
        text = f"plan {plan.hash} waits for a MigrationAction that approves it"
        return status, SetConclusion(paused(VerdictReason.AWAITING_APPROVAL, text))
    return None


def judge_set_spec(identity: Identity, before: SetStatus, problem: str, now: datetime) -> SetStatus:
    """The status of a set whose spec is invalid; what is known of its targets is kept."""
    verdict = stalled(VerdictReason.INVALID_SPEC, problem)
    wanted = set_conditions(verdict, before, generation=identity.generation, now=now)
    return replace(
        before,
        observed_generation=identity.generation,
        next_retry_at=None,
        conditions=settle_conditions(wanted, before.conditions),
    )
