"""The verdict on a set: while its Jobs work, once a rollout has ended, where none can begin."""

from __future__ import annotations

from datetime import datetime

from dbmigrate.api.fields import describe_unknown
from dbmigrate.api.fleet.status import RolloutTrigger, SetStatus, WavePhase
from dbmigrate.controller.decisions.progress import LOOK_INTERVAL
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
from dbmigrate.controller.fleet.reports import sum_totals
from dbmigrate.controller.fleet.starting import find_trouble
from dbmigrate.controller.fleet.triggers import retry_due
from dbmigrate.controller.fleet.verdicts import SetReason, same_as_before
from dbmigrate.controller.fleet.view import SetConclusion, SetView
from dbmigrate.controller.fleet.wave import describe_exceeded, find_exceeded

COUNTING = "the targets are counted before the first wave"
REHEARSING = "the plans are rehearsed on a sample target of each version"


def conclude_rollout(view: SetView, status: SetStatus, due: datetime | None) -> SetConclusion:
    """The verdict on a rollout that has ended."""
    rollout = status.rollout
    if rollout is None or rollout.reason is None:
        total = sum_totals(status.waves).total
        targets = "its one target is" if total == 1 else f"all {total:,} targets are"
        text = f"{targets} current" if total else "the list of targets is empty"
        if rollout is not None and rollout.rollback is not None:
            back = rollout.rollback
            text = f"rolled back to version {back.version} by MigrationAction {back.action}"
            text += f": all {total:,} targets are there"
            return SetConclusion(paused(VerdictReason.ROLLED_BACK, text), look_at=due)
        return SetConclusion(ready(SetReason.ALL_CURRENT, text), look_at=due)
    if rollout.is_refused:
        text = f"{rollout.message}: the targets are looked at again"
        return SetConclusion(in_progress(SetReason.SURVEYING, text), look_at=due)
    if rollout.reason == VerdictReason.ROLLED_BACK:
        return SetConclusion(paused(rollout.reason, rollout.message), look_at=due)
    retry_at = retry_due(view, status)
    limit = view.resource.spec.template.retry.limit
    is_soon = rollouts.is_temporary(status) and rollout.failures_in_a_row < limit
    if retry_at is not None and is_soon:
        text = f"{rollout.message} (to be tried again)"
        return SetConclusion(in_progress(rollout.reason, text), look_at=due)
    return SetConclusion(stalled(rollout.reason, rollout.message), look_at=due)


def describe_job(view: SetView, status: SetStatus, job: FleetJob, now: datetime) -> Verdict:
    """The verdict while a Job of the present rollout is at work."""
    exceeded = find_exceeded(view, status)
    if exceeded is not None:
        wave = next(each for each in status.waves if each.job == exceeded.name)
        text = f"no further target is begun: {describe_exceeded(view, status, wave)}"
        return in_progress(SetReason.TOO_MANY_FAILURES, text)
    trouble = find_trouble(view, job, now)
    if trouble is not None:
        return trouble
    kept = lasting_verdict(status)
    if kept is not None:
        return kept
    if job.wave is None:
        is_rehearsal = status.rollout is not None and job.name == status.rollout.rehearsal
        return in_progress(SetReason.SURVEYING, REHEARSING if is_rehearsal else COUNTING)
    return at_work(status)


def at_work(status: SetStatus) -> Verdict:
    """The verdict while a wave is at work."""
    names = [wave.name for wave in status.waves]
    running = next((wave for wave in status.waves if wave.phase is WavePhase.RUNNING), None)
    if running is None:
        return in_progress(VerdictReason.RUNNING, "a wave is at work")
    number = names.index(running.name) + 1
    text = f"wave {running.name} ({number} of {len(names)}) is at work: Job {running.job}"
    return in_progress(VerdictReason.RUNNING, text)


def lasting_verdict(status: SetStatus) -> Verdict | None:
    """The verdict before, while a fleet that was well is only looked at again."""
    rollout = status.rollout
    is_look = rollout is not None and rollout.trigger is RolloutTrigger.RESYNC
    is_well = all(wave.totals.bad == 0 for wave in status.waves)
    return same_as_before(status) if is_look and is_well else None


def find_hindrance(view: SetView, now: datetime) -> SetConclusion | None:
    """What prevents any Job."""
    unknown = view.resource.spec.unknown
    if unknown:
        return SetConclusion(stalled(VerdictReason.UNKNOWN_FIELDS, describe_unknown(unknown)))
    missing = view.targets.missing
    if view.files.missing is not None:
        missing = f"ConfigMap {view.files.missing} does not exist yet"
    if missing is not None:
        verdict = in_progress(VerdictReason.SOURCE_MISSING, missing)
        return SetConclusion(verdict, look_at=now + LOOK_INTERVAL)
    if view.files.invalid is not None:
        return SetConclusion(stalled(VerdictReason.SOURCE_INVALID, view.files.invalid))
    return None


def describe_rejection(rejection: Rejection) -> SetConclusion:
    """No Job could be created; it is tried again whatever the reason."""
    verdict = in_progress(VerdictReason.JOB_REJECTED, rejection.message)
    if rejection.is_passing:
        verdict = in_progress(VerdictReason.JOB_NOT_CREATED, rejection.message)
    elif rejection.is_final:
        verdict = stalled(VerdictReason.JOB_REJECTED, rejection.message)
    return SetConclusion(verdict, look_at=rejection.retry_at)
