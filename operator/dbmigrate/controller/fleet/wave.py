"""A wave: how its Job begins, what its Pods have reported, and how it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from dbmigrate.api.conditions import shorten
from dbmigrate.api.fleet.spec import MOST_SHARDS
from dbmigrate.api.fleet.status import SetStatus, Totals, WavePhase, WaveStatus
from dbmigrate.api.fleet.waves import WaveSpec
from dbmigrate.controller.decisions.runs import RunState
from dbmigrate.controller.fleet.jobs import FleetJob
from dbmigrate.controller.fleet.reports import read_shards, take_in
from dbmigrate.controller.fleet.rollout import fail
from dbmigrate.controller.fleet.shards import parse_indexes
from dbmigrate.controller.fleet.starting import describe_overdue, is_overdue
from dbmigrate.controller.fleet.verdicts import SetReason, describe_failure
from dbmigrate.controller.fleet.view import FleetOrder, SetView
from dbmigrate.report.bounds import EXCERPT_LIMIT
from dbmigrate.untrusted import plus

EXCEEDED = "PodFailurePolicy"
"""Kubernetes' reason for a Job that a Pod's exit code has ended."""


def start_wave(status: SetStatus, order: FleetOrder, job: str, now: datetime) -> SetStatus:
    """The status once the Job of a wave exists: nothing of it is counted yet."""
    name = order.wave.name if order.wave is not None else ""
    waves = tuple(
        replace(
            each,
            phase=WavePhase.RUNNING,
            job=job,
            shards=order.shards,
            reported="",
            totals=Totals(total=each.totals.total),
            migrated=0,
            started_at=now,
        )
        if each.name == name
        else each
        for each in status.waves
    )
    failures = tuple(each for each in status.failures if each.wave != name)
    return replace(status, waves=waves, failures=failures)


def skip_wave(status: SetStatus, name: str, now: datetime) -> SetStatus:
    """The status with a wave ended that has no target."""
    return _put(
        replace(status, failures=tuple(each for each in status.failures if each.wave != name)),
        WaveStatus(name, phase=WavePhase.SUCCEEDED, started_at=now, finished_at=now),
    )


def follow_wave(view: SetView, status: SetStatus, wave: WaveStatus, now: datetime) -> SetStatus:
    """The status with what the Pods of the running wave have reported, and with its end."""
    job = view.find_job(wave.job)
    if job is None:
        left = (each for each in view.pods if each.pod.job == wave.job)
        status, wave = take_in(status, wave, left, is_over=True)
        if has_exceeded(view, wave):
            return _stop_exceeded(view, status, wave, now)
        text = f"Job {wave.job} is gone before each of its shards has reported"
        return _stop(status, wave, SetReason.WAVE_FAILED, text, now)
    if is_overdue(view, job, now):
        text = f"wave {wave.name}: {describe_overdue(view, job, now)}"
        return _stop(status, wave, SetReason.WAVE_FAILED, text, now)
    pods = view.pods_of(job)
    is_ended_early = job.is_deleting and not any(each.pod.may_be_running for each in pods)
    is_over = not job.is_active or (is_ended_early and has_exceeded(view, wave))
    status, wave = take_in(status, wave, pods, is_over=is_over)
    return _end_wave(view, status, wave, job, now) if is_over else status


def find_exceeded(view: SetView, status: SetStatus) -> FleetJob | None:
    """The Job of a running wave in which more targets have failed than may: it is ended before
    all of its shards have been worked on."""
    wave = next((each for each in status.waves if each.phase is WavePhase.RUNNING), None)
    job = view.find_job(wave.job) if wave is not None else None
    if wave is None or job is None or not job.is_active or not has_exceeded(view, wave):
        return None
    has_all = len(parse_indexes(wave.reported, most=MOST_SHARDS)) == job.shards
    return None if has_all else job


def has_exceeded(view: SetView, wave: WaveStatus) -> bool:
    """Whether more of its targets have failed than may, by what its Pods have reported."""
    spec = _spec_of(view, wave)
    allowed = spec.allowed_failures(wave.totals.total) if spec is not None else None
    return allowed is not None and wave.totals.bad > allowed


def describe_exceeded(view: SetView, status: SetStatus, wave: WaveStatus) -> str:
    """Why the rollout stops at that wave."""
    spec = _spec_of(view, wave)
    failures = tuple(each for each in status.failures if each.wave == wave.name)
    return (
        f"wave {wave.name}: {wave.totals.bad:,} of {wave.totals.total:,} targets failed, more than"
        f" maxFailures ({spec.max_failures if spec else 0}) allows{describe_failure(failures)}"
    )


def _spec_of(view: SetView, wave: WaveStatus) -> WaveSpec | None:
    return next((each for each in view.resource.spec.waves if each.name == wave.name), None)


def _end_wave(
    view: SetView, status: SetStatus, wave: WaveStatus, job: FleetJob, now: datetime
) -> SetStatus:
    if job.failure_reason == EXCEEDED or has_exceeded(view, wave):
        return _stop_exceeded(view, status, wave, now)
    reported = parse_indexes(wave.reported, most=MOST_SHARDS)
    missing = job.shards - len(reported)
    if missing or job.state is not RunState.SUCCEEDED:
        told = read_shards(job.shards, view.pods_of(job)).values()
        first = next((each.problem for each in told if each.problem), "")
        text = f"wave {wave.name}: "
        text += f"{missing:,} of {job.shards:,} shards have not reported" if missing else "its Job"
        text += f" failed: {job.failure_message}" if job.failure_message and not missing else ""
        text += f": {first}" if first else ""
        return _stop(status, wave, SetReason.WAVE_FAILED, text, now)
    known = wave.totals
    total = plus(known.current, known.pending, known.bad)
    ended = replace(
        wave,
        phase=WavePhase.SUCCEEDED,
        finished_at=now,
        totals=replace(known, total=total),
        message="",
    )
    return _put(status, ended)


def _stop_exceeded(view: SetView, status: SetStatus, wave: WaveStatus, now: datetime) -> SetStatus:
    text = describe_exceeded(view, status, wave)
    return _stop(status, wave, SetReason.TOO_MANY_FAILURES, text, now)


def _stop(status: SetStatus, wave: WaveStatus, reason: str, text: str, now: datetime) -> SetStatus:
    """A wave that has failed ends the rollout."""
    message = shorten(text, EXCERPT_LIMIT)
    failed = replace(wave, phase=WavePhase.FAILED, finished_at=now, message=message)
    return fail(_put(status, failed), reason, text, now)


def _put(status: SetStatus, wave: WaveStatus) -> SetStatus:
    waves = tuple(wave if each.name == wave.name else each for each in status.waves)
    return replace(status, waves=waves)
