"""A wave: how its Job begins, what its Pods have reported, and how it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from dbmigrate.api.conditions import shorten
from dbmigrate.api.fleet.spec import MOST_SHARDS
from dbmigrate.api.fleet.status import SetStatus, Totals, WavePhase, WaveStatus
from dbmigrate.controller.decisions.runs import RunState
from dbmigrate.controller.fleet.jobs import FleetJob
from dbmigrate.controller.fleet.reports import plus, read_shards, take_in
from dbmigrate.controller.fleet.rollout import fail
from dbmigrate.controller.fleet.shards import parse_indexes
from dbmigrate.controller.fleet.verdicts import SetReason, describe_failure
from dbmigrate.controller.fleet.view import FleetOrder, SetView
from dbmigrate.report import EXCERPT_LIMIT

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
    job = view.find_job(wave.job)
    if job is None:
        text = f"Job {wave.job} is gone before each of its shards has reported"
        return _stop(status, wave, SetReason.WAVE_FAILED, text, now)
    pods = view.pods_of(job)
    status, wave = take_in(status, wave, job, pods)
    if job.is_active:
        return status
    return _end_wave(view, status, wave, job, now)


def _end_wave(
    view: SetView, status: SetStatus, wave: WaveStatus, job: FleetJob, now: datetime
) -> SetStatus:
    spec = next((each for each in view.resource.spec.waves if each.name == wave.name), None)
    allowed = spec.allowed_failures(wave.totals.total) if spec is not None else None
    bad = wave.totals.bad
    if job.failure_reason == EXCEEDED or (allowed is not None and bad > allowed):
        limit = f"more than maxFailures ({spec.max_failures if spec else 0}) allows"
        failures = tuple(each for each in status.failures if each.wave == wave.name)
        text = f"wave {wave.name}: {bad:,} of {wave.totals.total:,} targets failed, {limit}"
        text += describe_failure(failures)
        return _stop(status, wave, SetReason.TOO_MANY_FAILURES, text, now)
    reported = parse_indexes(wave.reported, most=MOST_SHARDS)
    missing = job.shards - len(reported)
    if missing or job.state is not RunState.SUCCEEDED:
        told = read_shards(job, view.pods_of(job)).values()
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


def _stop(status: SetStatus, wave: WaveStatus, reason: str, text: str, now: datetime) -> SetStatus:
    """A wave that has failed ends the rollout."""
    message = shorten(text, EXCERPT_LIMIT)
    failed = replace(wave, phase=WavePhase.FAILED, finished_at=now, message=message)
    return fail(_put(status, failed), reason, text, now)


def _put(status: SetStatus, wave: WaveStatus) -> SetStatus:
    waves = tuple(wave if each.name == wave.name else each for each in status.waves)
    return replace(status, waves=waves)
