"""A rollout through the waves: how it begins, what the ends of its Jobs mean, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from dbmigrate.api.conditions import shorten
from dbmigrate.api.fleet.spec import MOST_SHARDS
from dbmigrate.api.fleet.status import (
    RolloutStatus,
    RolloutTrigger,
    SetStatus,
    Totals,
    WavePhase,
    WaveStatus,
)
from dbmigrate.api.status import PlanStatus
from dbmigrate.controller.decisions.approval import show_plan
from dbmigrate.controller.decisions.outcome import parse_message
from dbmigrate.controller.decisions.runs import RunState
from dbmigrate.controller.fleet.jobs import FleetJob, ShardPod
from dbmigrate.controller.fleet.reports import plus, read_shards, sum_totals, take_in
from dbmigrate.controller.fleet.shards import parse_indexes
from dbmigrate.controller.fleet.verdicts import SetReason, describe_failure, describe_totals
from dbmigrate.controller.fleet.view import FleetOrder, SetView
from dbmigrate.report import (
    EXCERPT_LIMIT,
    RETRYABLE,
    FleetReport,
    Reason,
    Report,
    ReportError,
    UnknownReport,
)

EXCEEDED = "PodFailurePolicy"
"""Kubernetes' reason for a Job that a Pod's exit code has ended."""


@dataclass(frozen=True, slots=True)
class _Samples:
    """What a Job on one sample of each version has reported."""

    report: Report
    fleet: FleetReport
    job: FleetJob

    @property
    def plans(self) -> tuple[str, ...]:
        """The checksums of the samples' plans."""
        return tuple(each.checksum for each in self.fleet.versions if each.checksum)


def next_attempt(status: SetStatus, intent: str) -> int:
    """The number of the rollout of this intent that comes next."""
    before = status.rollout
    return plus(before.attempt, 1) if before is not None and before.intent == intent else 1


def begin(
    view: SetView, status: SetStatus, intent: str, trigger: RolloutTrigger, now: datetime
) -> tuple[SetStatus, FleetOrder]:
    """The status of a rollout that begins, and its survey."""
    before, resource = status.rollout, view.resource
    attempt = next_attempt(status, intent)
    order = FleetOrder(intent, attempt, resource.identity.generation)
    in_a_row = 0
    if before is not None and before.intent == intent and trigger is not RolloutTrigger.ACTION:
        in_a_row = _failures_in_a_row(status, before)
    rollout = RolloutStatus(
        intent=intent,
        attempt=attempt,
        generation=resource.identity.generation,
        trigger=trigger,
        survey=order.name_for(resource),
        failures_in_a_row=in_a_row,
        started_at=now,
    )
    return replace(status, rollout=rollout, plan=None, next_retry_at=None), order


def _failures_in_a_row(status: SetStatus, before: RolloutStatus) -> int:
    has_moved = any(wave.migrated for wave in status.waves) and before.is_surveyed
    if before.reason is None:
        return 0
    return 1 if has_moved else plus(before.failures_in_a_row, 1)


def catch_up(view: SetView, status: SetStatus, now: datetime) -> SetStatus:
    """The status with all that the Jobs of the present rollout have reported since."""
    rollout = status.rollout
    if rollout is None or not rollout.is_active:
        return status
    if not rollout.is_surveyed:
        return _read_survey(view, status, rollout, now)
    if rollout.rehearsal is not None and not rollout.is_rehearsed:
        return _read_rehearsal(view, status, rollout, now)
    running = next((wave for wave in status.waves if wave.phase is WavePhase.RUNNING), None)
    return status if running is None else _follow_wave(view, status, running, now)


def _read_survey(
    view: SetView, status: SetStatus, rollout: RolloutStatus, now: datetime
) -> SetStatus:
    surveyed = _read_samples(view, status, rollout.survey, "the survey's Job", now)
    if isinstance(surveyed, SetStatus):
        return surveyed
    found = {wave.name: wave.targets for wave in surveyed.fleet.waves}
    before = {wave.name: wave for wave in status.waves}
    waves = []
    for each in view.resource.spec.waves:
        known = before.get(each.name, WaveStatus(each.name))
        counts = replace(known.totals, total=found.get(each.name, 0))
        if not counts.total:
            counts = Totals()
        waves.append(WaveStatus(each.name, totals=counts))
    version = surveyed.report.server_version
    rollout = replace(rollout, is_surveyed=True, server_version=version, plans=surveyed.plans)
    plan = _make_plan(rollout, surveyed)
    return replace(status, rollout=rollout, waves=tuple(waves), plan=plan)


def _make_plan(rollout: RolloutStatus, samples: _Samples) -> PlanStatus | None:
    """What a person approves: the plans of all samples, of which the longest is shown.

    Its hash follows from these plans and the intent alone, so that an approval holds for new
    targets which are at the same versions.
    """
    report = samples.report
    if report.plan_checksum is None:
        return None
    words = (rollout.intent, report.plan_checksum)
    return show_plan(report, words, intent=rollout.intent, created_at=samples.job.finished_at)


def _read_rehearsal(
    view: SetView, status: SetStatus, rollout: RolloutStatus, now: datetime
) -> SetStatus:
    tried = _read_samples(view, status, rollout.rehearsal, "the Job of the rehearsal", now)
    if isinstance(tried, SetStatus):
        return tried
    rehearsed = replace(rollout, is_rehearsed=True, plans=tried.plans)
    return replace(status, rollout=rehearsed, plan=_make_plan(rehearsed, tried))


def _read_samples(
    view: SetView, status: SetStatus, name: str | None, what: str, now: datetime
) -> _Samples | SetStatus:
    """What a Job on the samples has found; else the status while it works, or has failed."""
    job = view.find_job(name)
    if job is None:
        return fail(status, SetReason.SURVEY_FAILED, f"{what} {name} is gone", now)
    if job.is_active:
        return status
    report, problem = _read_report(view.pods_of(job))
    if report is not None and report.error is not None:
        return fail(status, report.error.reason.value, _describe(report.error), now)
    if report is None or report.fleet is None or job.state is not RunState.SUCCEEDED:
        text = problem or job.failure_message or f"Job {job.name} left no report"
        return fail(status, SetReason.SURVEY_FAILED, text, now)
    return _Samples(report, report.fleet, job)


def start_rehearsal(status: SetStatus, job: str) -> SetStatus:
    """The status once the Job exists that rehearses on the samples."""
    rollout = status.rollout
    return status if rollout is None else replace(status, rollout=replace(rollout, rehearsal=job))


def _describe(error: ReportError) -> str:
    place = f"{error.file}:{error.line or 1}: " if error.file else ""
    hint = f" ({error.hint})" if error.hint else ""
    return f"{place}{error.message}{hint}"


def _read_report(pods: tuple[ShardPod, ...]) -> tuple[Report | None, str]:
    for each in sorted(pods, key=lambda each: each.pod.ended is None):
        try:
            report = parse_message(each.pod.ended)
        except UnknownReport as unknown:
            return None, f"{unknown}: update the operator"
        if report is not None:
            return report, ""
        told = each.pod.ended or each.pod.failed
        if told is not None:
            text = f"container {told.container} ended with exit code {told.exit_code}"
            return None, f"{text}: {told.message.strip() or told.reason}"
    return None, ""


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


def _follow_wave(view: SetView, status: SetStatus, wave: WaveStatus, now: datetime) -> SetStatus:
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


def fail(status: SetStatus, reason: str, text: str, now: datetime) -> SetStatus:
    """The status with the rollout ended without success."""
    rollout = status.rollout
    if rollout is None:
        return status
    message = shorten(text, EXCERPT_LIMIT)
    ended = replace(rollout, finished_at=now, reason=reason, message=message)
    return replace(status, rollout=ended)


def finish(status: SetStatus, now: datetime) -> SetStatus:
    """The status once the last wave has ended: with success, if every target is current."""
    rollout, totals = status.rollout, sum_totals(status.waves)
    if rollout is None:
        return status
    if totals.current == totals.total:
        return replace(status, rollout=replace(rollout, finished_at=now))
    text = describe_totals(totals) + describe_failure(status.failures)
    return fail(status, SetReason.TARGETS_FAILED, text, now)


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
    }


def _put(status: SetStatus, wave: WaveStatus) -> SetStatus:
    waves = tuple(wave if each.name == wave.name else each for each in status.waves)
    return replace(status, waves=waves)
