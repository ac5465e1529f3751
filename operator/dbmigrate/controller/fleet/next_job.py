"""Which Job of a set works, which comes next, and which are not kept."""

from __future__ import annotations

from datetime import datetime

from dbmigrate.api.fleet.status import SetStatus, WavePhase
from dbmigrate.api.spec import Approval, Rehearse
from dbmigrate.controller.fleet import rollout as rollouts
from dbmigrate.controller.fleet.goal import choose_goal, find_rollback
from dbmigrate.controller.fleet.jobs import FleetJob
from dbmigrate.controller.fleet.starting import is_outdated
from dbmigrate.controller.fleet.view import FleetOrder, SetView


def next_survey(view: SetView, status: SetStatus, intent: str, now: datetime) -> FleetOrder:
    """The Job that the next rollout begins with."""
    goal = choose_goal(view, status, now)
    return FleetOrder(
        intent,
        rollouts.next_attempt(status, intent),
        view.resource.identity.generation,
        rollback=goal.ordered or goal.rollback,
        is_new=goal.ordered is not None,
    )


def next_rehearsal(view: SetView, status: SetStatus) -> FleetOrder | None:
    """The Job that rehearses the plans of the samples, unless that is done or not wanted."""
    plan, rollout = status.plan, status.rollout
    if view.resource.spec.template.rehearse is not Rehearse.BEFORE_APPLY:
        return None
    if rollout is None or plan is None or not plan.steps_total or not rollout.is_surveyed:
        return None
    if not rollout.is_active or rollout.is_rehearsed or rollout.server_version is None:
        return None
    if rollout.rollback is not None:
        return None  # what leads up is rehearsed, as for a DatabaseMigration
    major = rollout.server_version.partition(".")[0]
    return FleetOrder(rollout.intent, rollout.attempt, rollout.generation, rehearsed_on=major)


def next_wave(view: SetView, status: SetStatus) -> FleetOrder | None:
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
        rollback=rollout.rollback,
        held_intent=None if rollout.is_resumed else view.template_intent,
    )


def find_busy(view: SetView, status: SetStatus, intent: str, now: datetime) -> FleetJob | None:
    """A Job that is at work; not the survey of a rollout that the status does not know yet."""
    coming = next_survey(view, status, intent, now).name_for(view.resource)
    rollout = status.rollout
    known = {wave.job for wave in status.waves} | {
        *((rollout.survey, rollout.rehearsal) if rollout else ()),
    }
    following = None
    if find_rollback(view, status, now) is None:
        following = next_rehearsal(view, status) or next_wave(view, status)
    coming_wave = following.name_for(view.resource) if following is not None else ""
    is_over = rollout is None or not rollout.is_active
    for job in view.jobs:
        is_next = job.name in {coming, coming_wave}
        is_kept = not job.is_deleting and not is_outdated(view, status, job, now)
        is_new = job.name not in known and is_next and is_kept
        # The Job of a wave that was ended early is only deleted once its Pods are gone.
        is_at_work = job.is_active and not (job.is_deleting and is_over)
        # Another one gets its name.
        is_at_work = is_at_work or (job.is_deleting and is_next)
        if (is_at_work or _has_pods_left(view, job)) and not is_new:
            return job
    return None


def _has_pods_left(view: SetView, job: FleetJob) -> bool:
    """Whether a Job that is being deleted may still be at work."""
    return job.is_deleting and any(each.pod.may_be_running for each in view.pods_of(job))


def is_empty(status: SetStatus, name: str) -> bool:
    """Whether the wave of that name has no target."""
    return any(wave.name == name and not wave.totals.total for wave in status.waves)


def choose_discarded(view: SetView, status: SetStatus) -> tuple[str, ...]:
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
