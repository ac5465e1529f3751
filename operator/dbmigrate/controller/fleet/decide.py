"""The decision about a set: from what is observed to the status and the next Job.

Pure, and computed again for each event. The status and the Jobs are the only state: an operator
that has just started decides as the one before it. One Job of a set works at a time. A Job that
has begun is never stopped because the spec has changed: the next rollout follows it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from dbmigrate.api.conditions import settle_conditions
from dbmigrate.api.fields import describe_unknown
from dbmigrate.api.fleet.status import RolloutTrigger, SetStatus, Totals, WavePhase
from dbmigrate.api.migration import Identity
from dbmigrate.api.spec import NEVER, Approval, Rehearse
from dbmigrate.controller.decisions.backoff import ENVIRONMENT, retry_delay
from dbmigrate.controller.decisions.pods import Pod
from dbmigrate.controller.decisions.progress import LOOK_INTERVAL, SLOW_START, describe_waiting
from dbmigrate.controller.decisions.verdict import (
    Verdict,
    VerdictReason,
    in_progress,
    paused,
    ready,
    stalled,
)
from dbmigrate.controller.decisions.view import Rejection
from dbmigrate.controller.fleet import rollout as rollouts
from dbmigrate.controller.fleet.jobs import FleetJob
from dbmigrate.controller.fleet.orders import (
    answer_orders,
    choose_expired,
    find_paused,
    find_retry,
    needs_approval,
    pause_ends,
)
from dbmigrate.controller.fleet.reports import sum_totals
from dbmigrate.controller.fleet.verdicts import SetReason, same_as_before, set_conditions
from dbmigrate.controller.fleet.view import FleetOrder, SetDecision, SetView
from dbmigrate.timestamps import format_timestamp

COUNTING = "the targets are counted before the first wave"
REHEARSING = "the plans are rehearsed on a sample target of each version"


class _Step:
    """What is decided beside the status."""

    def __init__(
        self,
        verdict: Verdict,
        *,
        order: FleetOrder | None = None,
        look_at: datetime | None = None,
    ) -> None:
        self.verdict = verdict
        self.order = order
        self.look_at = look_at


def decide(view: SetView, now: datetime) -> SetDecision:
    """Decide for one set. The same view and time always give the same decision."""
    resource = view.resource
    if resource.identity.is_deleting:
        return SetDecision(resource.status)
    intent = resource.spec.intent(view.files.digest)
    before = resource.status
    status = rollouts.catch_up(view, before, now)
    has_ended = _has_ended(before, status)
    status, _ = answer_orders(view, status)
    status, step = _follow(view, status, intent, now)
    _, updates = answer_orders(view, status)
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
    return SetDecision(
        status=status,
        order=step.order,
        look_at=step.look_at,
        discard=_choose_discarded(view, status),
        updates=updates,
        adopt=tuple(action for action in view.actions if not action.is_owned),
        expired=choose_expired(view, status),
        rests_on_absence=step.order is not None or has_ended,
    )


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
) -> tuple[SetStatus, _Step]:
    """The checks, in order of precedence."""
    spec, rollout = view.resource.spec, status.rollout
    busy = _find_busy(view, status, intent)
    if busy is not None:
        is_ours = rollout is not None and rollout.is_active and rollout.intent == intent
        if is_ours:
            return status, _Step(
                _describe_job(view, status, busy, now), look_at=now + LOOK_INTERVAL
            )
        text = (
            f"Job {busy.name}, of what was wanted before, is at work: the next rollout follows it"
        )
        verdict = in_progress(VerdictReason.WAITING_FOR_RUN, text)
        return status, _Step(verdict, look_at=now + LOOK_INTERVAL)
    hindered = _find_hindrance(view, now)
    if hindered is not None:
        return status, hindered
    if rollout is not None and rollout.is_active and rollout.intent == intent:
        return _continue(view, status, now)
    trigger, due = _find_trigger(view, status, intent, now)
    if spec.suspend:
        text = "spec.suspend is set: nothing is started"
        return status, _Step(paused(VerdictReason.SUSPENDED, text))
    if trigger is None:
        return replace(status, next_retry_at=_retry_due(view, status, now)), _rest(
            view, status, due, now
        )
    if view.rejection is not None:
        return status, _describe_rejection(view.rejection)
    retry = find_retry(view, status)
    status, order = rollouts.begin(view, status, intent, trigger, now)
    if trigger is RolloutTrigger.ACTION and retry is not None and status.rollout is not None:
        status = replace(status, rollout=replace(status.rollout, action=retry.uid))
    verdict = _kept(status) or in_progress(SetReason.SURVEYING, COUNTING)
    return status, _Step(verdict, order=order, look_at=now + LOOK_INTERVAL)


def _find_busy(view: SetView, status: SetStatus, intent: str) -> FleetJob | None:
    """A Job that is at work; not the survey of a rollout that the status does not know yet."""
    coming = FleetOrder(
        intent,
        rollouts.next_attempt(status, intent),
        view.resource.identity.generation,
    ).name_for(view.resource)
    rollout = status.rollout
    known = {wave.job for wave in status.waves} | {
        *((rollout.survey, rollout.rehearsal) if rollout else ()),
    }
    following = _next_rehearsal(view, status) or _next_wave(view, status)
    coming_wave = following.name_for(view.resource) if following is not None else ""
    for job in view.jobs:
        is_new = job.name not in known and job.name in {coming, coming_wave}
        if (job.is_active or _has_pods_left(view, job)) and not is_new:
            return job
    return None


def _has_pods_left(view: SetView, job: FleetJob) -> bool:
    """Whether a Job that is being deleted may still be at work."""
    return job.is_deleting and any(each.pod.may_be_running for each in view.pods_of(job))


def _continue(view: SetView, status: SetStatus, now: datetime) -> tuple[SetStatus, _Step]:
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
            return status, _Step(paused(SetReason.PAUSED, text))
        if now < due:
            text = (
                f"wave {waiting.name} has succeeded: the next one begins at {format_timestamp(due)}"
            )
            return status, _Step(in_progress(SetReason.PAUSED, text), look_at=due)
    if view.resource.spec.suspend:
        text = "spec.suspend is set: no further wave is started"
        return status, _Step(paused(VerdictReason.SUSPENDED, text))
    order = _next_wave(view, status)
    while order is not None and order.wave is not None and _is_empty(status, order.wave.name):
        status = rollouts.skip_wave(status, order.wave.name, now)
        order = _next_wave(view, status)
    if order is None:
        status = rollouts.finish(status, now)
        retry_at = _retry_due(view, status, now)
        _, due = _find_trigger(view, status, status.rollout.intent if status.rollout else "", now)
        return replace(status, next_retry_at=retry_at), _rest(view, status, due, now)
    if view.rejection is not None:
        return status, _describe_rejection(view.rejection)
    name = order.name_for(view.resource)
    status = rollouts.start_wave(status, order, name, now)
    return status, _Step(
        _kept(status) or _at_work(status), order=order, look_at=now + LOOK_INTERVAL
    )


def _prepare(view: SetView, status: SetStatus, now: datetime) -> tuple[SetStatus, _Step] | None:
    """What comes between the survey and the first wave: a rehearsal, and a person's approval."""
    plan, rollout = status.plan, status.rollout
    if rollout is None or plan is None or not plan.steps_total:
        return None
    rehearsal = _next_rehearsal(view, status)
    if rehearsal is not None:
        if view.resource.spec.suspend:
            text = "spec.suspend is set: nothing is started"
            return status, _Step(paused(VerdictReason.SUSPENDED, text))
        if view.rejection is not None:
            return status, _describe_rejection(view.rejection)
        status = rollouts.start_rehearsal(status, rehearsal.name_for(view.resource))
        verdict = _kept(status) or in_progress(SetReason.SURVEYING, REHEARSING)
        return status, _Step(verdict, order=rehearsal, look_at=now + LOOK_INTERVAL)
    if needs_approval(view, status):
        text = f"plan {plan.hash} waits for a MigrationAction that approves it"
        return status, _Step(paused(VerdictReason.AWAITING_APPROVAL, text))
    return None


def _next_rehearsal(view: SetView, status: SetStatus) -> FleetOrder | None:
    """The Job that rehearses the plans of the samples, unless that is done or not wanted."""
    plan, rollout = status.plan, status.rollout
    if view.resource.spec.template.rehearse is not Rehearse.BEFORE_APPLY:
        return None
    if rollout is None or plan is None or not plan.steps_total or not rollout.is_surveyed:
        return None
    if not rollout.is_active or rollout.is_rehearsed or rollout.server_version is None:
        return None
    major = rollout.server_version.partition(".")[0]
    return FleetOrder(rollout.intent, rollout.attempt, rollout.generation, rehearsed_on=major)


def _next_wave(view: SetView, status: SetStatus) -> FleetOrder | None:
    """The first wave that has not begun."""
    rollout = status.rollout
    if rollout is None or not rollout.is_active or not rollout.is_surveyed:
        return None
    wave = next((each for each in status.waves if each.phase is WavePhase.PENDING), None)
    if wave is None:
        return None
    spec = next((each for each in view.resource.spec.waves if each.name == wave.name), None)
    if spec is None:
        return None
    return FleetOrder(
        rollout.intent,
        rollout.attempt,
        rollout.generation,
        wave=spec,
        shards=view.resource.spec.shards_for(wave.totals.total),
        allowed_failures=spec.allowed_failures(wave.totals.total),
        plans=rollout.plans if view.resource.spec.template.approval is Approval.MANUAL else (),
    )


def _is_empty(status: SetStatus, name: str) -> bool:
    return any(wave.name == name and not wave.totals.total for wave in status.waves)


def _find_trigger(
    view: SetView, status: SetStatus, intent: str, now: datetime
) -> tuple[RolloutTrigger | None, datetime | None]:
    """Why a rollout begins now, or when the next one is due."""
    last = status.rollout
    if last is None or last.intent != intent or last.is_active:
        return RolloutTrigger.CHANGE, None
    if last.reason is not None and last.generation != view.resource.identity.generation:
        return RolloutTrigger.CHANGE, None
    if find_retry(view, status) is not None:
        return RolloutTrigger.ACTION, None
    coming = FleetOrder(
        intent, rollouts.next_attempt(status, intent), view.resource.identity.generation
    ).name_for(view.resource)
    if view.find_job(coming) is not None:
        return RolloutTrigger.RESYNC, None
    retry_at, resync_at = _retry_due(view, status, now), _resync_due(view, status)
    if retry_at is not None and now >= retry_at:
        return RolloutTrigger.RETRY, None
    if resync_at is not None and now >= resync_at:
        return RolloutTrigger.RESYNC, None
    return None, min((each for each in (retry_at, resync_at) if each is not None), default=None)


def _retry_due(view: SetView, status: SetStatus, now: datetime) -> datetime | None:
    """When a rollout that has failed is tried again; None: not by itself."""
    rollout, retry = status.rollout, view.resource.spec.template.retry
    if rollout is None or rollout.finished_at is None or rollout.reason is None:
        return None
    del now
    is_temporary = rollouts.is_temporary(status)
    if not retry.limit or not (is_temporary or rollouts.is_environmental(status)):
        return None
    number = rollout.failures_in_a_row + 1
    is_slow = not is_temporary or number > retry.limit
    seed = f"{view.resource.identity.uid}/{rollout.intent}/fleet"
    pace = ENVIRONMENT if is_slow else retry
    return rollout.finished_at + retry_delay(pace, attempt=number, seed=seed)


def _resync_due(view: SetView, status: SetStatus) -> datetime | None:
    own = view.resource.spec.check_interval
    interval = view.resync if own is None else own
    if interval is None or interval == NEVER:
        return None
    ended = status.rollout.finished_at if status.rollout is not None else None
    return ended + interval if ended is not None else None


def _rest(view: SetView, status: SetStatus, due: datetime | None, now: datetime) -> _Step:
    """The verdict on a rollout that has ended."""
    rollout = status.rollout
    if rollout is None or rollout.reason is None:
        total = sum_totals(status.waves).total
        targets = "its one target is" if total == 1 else f"all {total:,} targets are"
        text = f"{targets} current" if total else "the list of targets is empty"
        return _Step(ready(SetReason.ALL_CURRENT, text), look_at=due)
    retry_at = _retry_due(view, status, now)
    limit = view.resource.spec.template.retry.limit
    is_soon = rollouts.is_temporary(status) and rollout.failures_in_a_row < limit
    if retry_at is not None and is_soon:
        text = f"{rollout.message} (to be tried again)"
        return _Step(in_progress(rollout.reason, text), look_at=due)
    return _Step(stalled(rollout.reason, rollout.message), look_at=due)


def _describe_job(view: SetView, status: SetStatus, job: FleetJob, now: datetime) -> Verdict:
    """The verdict while a Job of the present rollout is at work."""
    trouble = _find_trouble(view, job, now)
    if trouble is not None:
        return trouble
    kept = _kept(status)
    if kept is not None:
        return kept
    if job.wave is None:
        is_rehearsal = status.rollout is not None and job.name == status.rollout.rehearsal
        return in_progress(SetReason.SURVEYING, REHEARSING if is_rehearsal else COUNTING)
    return _at_work(status)


def _at_work(status: SetStatus) -> Verdict:
    names = [wave.name for wave in status.waves]
    running = next((wave for wave in status.waves if wave.phase is WavePhase.RUNNING), None)
    if running is None:
        return in_progress(VerdictReason.RUNNING, "a wave is at work")
    number = names.index(running.name) + 1
    text = f"wave {running.name} ({number} of {len(names)}) is at work: Job {running.job}"
    return in_progress(VerdictReason.RUNNING, text)


def _find_trouble(view: SetView, job: FleetJob, now: datetime) -> Verdict | None:
    """Why Pods do not start, if none has."""
    pods: list[Pod] = [each.pod for each in view.pods_of(job) if not each.pod.is_gone]
    if any(pod.has_started for pod in pods):
        return None
    is_slow = now - job.created_at > SLOW_START
    for pod in pods:
        if pod.waiting is not None:
            label = f"Job {job.name}"
            found = describe_waiting(label, pod, pod.waiting, None, is_slow=is_slow)
            if found is not None:
                return found
    if not pods and is_slow and job.is_active:
        text = f"Job {job.name} has no Pod yet: see its events"
        return in_progress(VerdictReason.POD_NOT_STARTING, text)
    return None


def _kept(status: SetStatus) -> Verdict | None:
    """The verdict before, while a fleet that was well is only looked at again."""
    rollout = status.rollout
    is_look = rollout is not None and rollout.trigger is RolloutTrigger.RESYNC
    is_well = all(wave.totals.bad == 0 for wave in status.waves)
    return same_as_before(status) if is_look and is_well else None


def _find_hindrance(view: SetView, now: datetime) -> _Step | None:
    """What prevents any Job."""
    unknown = view.resource.spec.unknown
    if unknown:
        return _Step(stalled(VerdictReason.UNKNOWN_FIELDS, describe_unknown(unknown)))
    if view.files.missing is not None:
        text = f"ConfigMap {view.files.missing} does not exist yet"
        verdict = in_progress(VerdictReason.SOURCE_MISSING, text)
        return _Step(verdict, look_at=now + LOOK_INTERVAL)
    if view.files.invalid is not None:
        return _Step(stalled(VerdictReason.SOURCE_INVALID, view.files.invalid))
    return None


def _describe_rejection(rejection: Rejection) -> _Step:
    """No Job could be created; it is tried again whatever the reason."""
    verdict = in_progress(VerdictReason.JOB_REJECTED, rejection.message)
    if rejection.is_passing:
        verdict = in_progress(VerdictReason.JOB_NOT_CREATED, rejection.message)
    elif rejection.is_final:
        verdict = stalled(VerdictReason.JOB_REJECTED, rejection.message)
    return _Step(verdict, look_at=rejection.retry_at)


def _choose_discarded(view: SetView, status: SetStatus) -> tuple[str, ...]:
    """Jobs that have ended and belong neither to the present rollout nor to the one before."""
    rollout = status.rollout
    if rollout is None:
        return ()
    kept = {rollout.survey, rollout.rehearsal, *(wave.job for wave in status.waves)}
    old = [
        job
        for job in view.jobs
        if not job.is_active and not job.is_deleting and job.name not in kept
    ]
    newest = max((job.created_at for job in old), default=None)
    if newest is None:
        return ()
    last = next(job for job in old if job.created_at == newest)
    same = {(last.intent, last.attempt)}
    return tuple(job.name for job in old if (job.intent, job.attempt) not in same)


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
