"""Tells a survey: how many targets a list has, which wave takes how many of them, and, with
-samples, which versions were found and what their plans are."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from dbmigrate import __version__
from dbmigrate.cli.arguments.flags import is_set
from dbmigrate.cli.command import Invocation
from dbmigrate.cli.output.document import send_report
from dbmigrate.printable import clip, one_line
from dbmigrate.report import Outcome, Report
from dbmigrate.report.bounds import NAME_LIMIT, WORD_LIMIT
from dbmigrate.report.fleet import FleetCounts, FleetReport, FleetVersion, FleetWave
from dbmigrate.runner.fleet.request import FleetRequest
from dbmigrate.runner.fleet.samples import Sample, find_samples, joined_checksum
from dbmigrate.runner.fleet.waves import Wave, wave_of
from dbmigrate.sources.migration import Direction


def tell_survey(invocation: Invocation, request: FleetRequest, waves: Sequence[Wave]) -> int:
    """Print it, and send the report. The exit code: 1 if a sample can't be migrated."""
    terminal = invocation.terminal
    fleet = FleetReport(FleetCounts(len(request.targets)), waves=_count(invocation, request, waves))
    report = Report(
        command="fleet survey",
        outcome=Outcome.UP_TO_DATE,
        version=None,
        dirty=None,
        tool_version=__version__,
        started_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        fleet=fleet,
    )
    if is_set(invocation.values, "samples"):
        samples = find_samples(request)
        for sample in samples:
            terminal.line(_describe(sample))
        report = _with_samples(report, fleet, samples)
    output = invocation.output if invocation.options.json else None
    send_report(report, terminal, path=invocation.options.report, output=output)
    return 0 if report.error is None else 1


def _count(
    invocation: Invocation, request: FleetRequest, waves: Sequence[Wave]
) -> tuple[FleetWave, ...]:
    found: Counter[str] = Counter()
    left = 0
    for target in request.targets:
        wave = wave_of(target, waves)
        if wave is None:
            left += 1
        else:
            found[wave.name] += 1
    terminal = invocation.terminal
    for wave in waves:
        terminal.line(f"wave {one_line(wave.name)}: {found[wave.name]:,} targets")
    if waves and left:
        terminal.warning(f"no wave takes {left:,} of the targets")
    terminal.line(f"{len(request.targets):,} targets")
    return tuple(
        FleetWave(clip(one_line(wave.name), WORD_LIMIT), found[wave.name]) for wave in waves
    )


def _describe(sample: Sample) -> str:
    at = f"at version {sample.version}" if sample.version else "without a version"
    plan = sample.report
    count = plan.steps_total
    said = f"{count} step{'' if count == 1 else 's'}"
    if plan.error is not None:
        said = f"error: {plan.error.message}"
    name = one_line(sample.target.name)
    targets = "1 target" if sample.targets == 1 else f"{sample.targets:,} targets"
    return f"{targets} {one_line(at)}, such as {name}: {one_line(said)}"


def _weight(sample: Sample) -> tuple[bool, int]:
    """By which plan a person has to see: one that undoes something, or the longest."""
    steps = sample.report.steps
    return any(step.direction is Direction.DOWN for step in steps), sample.report.steps_total


def _with_samples(report: Report, fleet: FleetReport, samples: Sequence[Sample]) -> Report:
    """The report with the plan that is shown, and with the checksums of all."""
    if not samples:
        return report
    versions = tuple(
        FleetVersion(
            sample.version,
            sample.targets,
            clip(one_line(sample.target.name), NAME_LIMIT),
            sample.report.plan_checksum or "",
        )
        for sample in samples
    )
    failed = next((sample for sample in samples if sample.report.error is not None), None)
    shown = failed or max(samples, key=_weight)
    plan, error = shown.report, shown.report.error
    if error is not None:
        name = one_line(shown.target.name)
        error = replace(error, message=f"on target {name}: {error.message}")
    return replace(
        report,
        outcome=Outcome.WAITING if error is None else Outcome.FAILED,
        error=error,
        fleet=replace(fleet, versions=versions),
        server_version=plan.server_version,
        format=plan.format,
        findings=plan.findings,
        findings_total=plan.findings_total,
        rehearsal=plan.rehearsal,
        steps=plan.steps,
        steps_total=plan.steps_total,
        plan_checksum=joined_checksum(list(samples)),
    )
