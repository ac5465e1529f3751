"""The Jobs before the first wave: the survey, and the rehearsal on the samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from dbmigrate.api.fleet.status import RolloutStatus, SetStatus, Totals, WaveStatus
from dbmigrate.api.status import PlanStatus
from dbmigrate.controller.decisions.approval import show_plan
from dbmigrate.controller.decisions.outcome import parse_message
from dbmigrate.controller.decisions.runs import RunState
from dbmigrate.controller.fleet.jobs import FleetJob, ShardPod
from dbmigrate.controller.fleet.rollout import fail
from dbmigrate.controller.fleet.starting import describe_overdue, is_overdue
from dbmigrate.controller.fleet.verdicts import SetReason
from dbmigrate.controller.fleet.view import SetView
from dbmigrate.report import Reason, Report, ReportError, UnknownReport
from dbmigrate.report.fleet import FleetReport


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


def read_survey(
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
    rollout = replace(
        rollout,
        is_surveyed=True,
        server_version=version,
        plans=surveyed.plans,
        rollback=rollout.ordered or rollout.rollback,
        ordered=None,
    )
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


def start_rehearsal(status: SetStatus, job: str) -> SetStatus:
    """The status once the Job exists that rehearses on the samples."""
    rollout = status.rollout
    return status if rollout is None else replace(status, rollout=replace(rollout, rehearsal=job))


def read_rehearsal(
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
    if is_overdue(view, job, now):
        return fail(status, SetReason.SURVEY_FAILED, describe_overdue(view, job, now), now)
    if job.is_active:
        return status
    report, problem = _read_report(view.pods_of(job))
    if report is not None and report.error is not None:
        if report.error.reason is Reason.ALREADY_DONE and status.rollout is not None:
            status = replace(status, rollout=replace(status.rollout, ordered=None))
        return fail(status, report.error.reason.value, _describe(report.error), now)
    if report is None or report.fleet is None or job.state is not RunState.SUCCEEDED:
        text = problem or job.failure_message or f"Job {job.name} left no report"
        return fail(status, SetReason.SURVEY_FAILED, text, now)
    return _Samples(report, report.fleet, job)


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
