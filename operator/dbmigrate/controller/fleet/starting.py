"""The start of a set's Jobs: what it waits for, and which Job is replaced that never started.

As for a DatabaseMigration: a Job that has begun is never stopped because something else is wanted.
One of which no Pod has run the runner has changed nothing, and is replaced at once.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from dbmigrate.api.action import ActionKind
from dbmigrate.api.fleet.status import SetStatus, WavePhase
from dbmigrate.controller.decisions.pods import Pod
from dbmigrate.controller.decisions.progress import SLOW_START, SUSPENDED, describe_waiting
from dbmigrate.controller.decisions.verdict import Verdict, VerdictReason, in_progress
from dbmigrate.controller.fleet.goal import find_rollback, is_served, waiting
from dbmigrate.controller.fleet.jobs import FleetJob, has_begun
from dbmigrate.controller.fleet.view import SetView


def find_trouble(view: SetView, job: FleetJob, now: datetime) -> Verdict | None:
    """Why Pods do not start, if none has."""
    pods: list[Pod] = [each.pod for each in view.pods_of(job) if not each.pod.is_gone]
    if any(pod.has_started for pod in pods):
        return None
    label, trouble = f"Job {job.name}", view.troubles.get(job.name)
    if job.is_suspended and job.is_active and not job.is_deleting:
        return in_progress(VerdictReason.JOB_SUSPENDED, f"{label} {SUSPENDED}")
    is_slow = now - job.runs_since > SLOW_START
    for pod in pods:
        if pod.waiting is not None:
            found = describe_waiting(label, pod, pod.waiting, trouble, is_slow=is_slow)
            if found is not None:
                return found
    if pods or not job.is_active or job.is_deleting or not (trouble or is_slow):
        return None
    text = f"has no Pod: {trouble}" if trouble else "has no Pod yet: see its events"
    return in_progress(VerdictReason.POD_NOT_STARTING, f"{label} {text}")


def is_outdated(view: SetView, status: SetStatus, job: FleetJob, now: datetime) -> bool:
    """Whether a Job is to be removed that never started: the spec, the files, an order or a setting
    of the operator has changed since it was made, or its time is over."""
    if not job.is_active or has_begun(job, view.pods_of(job)):
        return False
    resource = view.resource
    wanted = (resource.identity.generation, resource.spec.intent(view.files.digest))
    if (job.generation, job.intent) != wanted or _has_other_settings(view, job):
        return True
    if find_rollback(view, status, now) is not None or is_overdue(view, job, now):
        return True
    if job.is_suspended:
        return False
    # A Pod that is about to start reads the list itself: only one that can't start is replaced.
    return find_trouble(view, job, now) is not None and any(
        action.kind is ActionKind.RETRY
        and action.problem is None
        and action.created_at >= job.created_at
        and not is_served(view, status, action)
        for action in waiting(view)
    )


def is_overdue(view: SetView, job: FleetJob, now: datetime) -> bool:
    """Whether a Job has not started within the time that a Pod may take."""
    deadline = view.resource.spec.template.timeouts.deadline
    is_late = now - job.runs_since > deadline
    return (
        job.is_active and not job.is_suspended and is_late and not has_begun(job, view.pods_of(job))
    )


def describe_overdue(view: SetView, job: FleetJob, now: datetime) -> str:
    """The same as a sentence, with what it waits for."""
    text = f"Job {job.name} has not started within template.timeouts.deadline"
    trouble = find_trouble(view, job, now)
    return text if trouble is None else f"{text}: {trouble.message}"


def undo_start(status: SetStatus, job: FleetJob) -> SetStatus:
    """The status as if that Job of the present rollout had not been created.

    The rollout continues with another one when it is gone; a survey without a Job begins again.
    """
    rollout = status.rollout
    if rollout is None or not rollout.is_active:
        return status
    if rollout.survey == job.name:
        rollout = replace(rollout, survey="")
    elif rollout.rehearsal == job.name:
        rollout = replace(rollout, rehearsal=None)
    waves = tuple(
        replace(wave, phase=WavePhase.PENDING, job=None, shards=0, started_at=None)
        if wave.phase is WavePhase.RUNNING and wave.job == job.name
        else wave
        for wave in status.waves
    )
    return replace(status, rollout=rollout, waves=waves)


def _has_other_settings(view: SetView, job: FleetJob) -> bool:
    """As for a run: only of Jobs that were there before this operator began to work."""
    if view.template is None or view.since is None or job.template == view.template:
        return False
    return job.created_at < view.since
