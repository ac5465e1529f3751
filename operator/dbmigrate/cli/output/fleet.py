"""Tells a run on a fleet: a line for each target, a live total, and what it comes to."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dbmigrate import __version__
from dbmigrate.cli.arguments.numbers import format_duration
from dbmigrate.cli.command import Invocation
from dbmigrate.cli.output.document import print_json, send_report
from dbmigrate.cli.output.problem import draw
from dbmigrate.printable import block, clip, one_line
from dbmigrate.report import Outcome, Reason, Report, ReportError
from dbmigrate.report.bounds import WORD_LIMIT
from dbmigrate.report.fleet import FleetReport
from dbmigrate.runner.fleet.summary import FailureGroup, Summary, summary_error
from dbmigrate.runner.fleet.verdict import TargetOutcome, TargetVerdict

if TYPE_CHECKING:
    from dbmigrate.runner.fleet.request import FleetRequest
    from dbmigrate.runner.fleet.run import FleetResult
    from dbmigrate.runner.fleet.shards import Shard
    from dbmigrate.runner.fleet.target import FleetTarget
    from dbmigrate.runner.observer import Notice

WARNINGS_LIMIT = 20
"""Different warnings of targets that are shown; the others only with -verbose."""


class FleetNarrator:
    """The observer of a run on a fleet that people or programs follow."""

    def __init__(self, invocation: Invocation, total: int) -> None:
        self._terminal = invocation.terminal
        self._output = invocation.output if invocation.options.json else None
        self._total = total
        self._started = time.monotonic()
        self._told: set[str] = set()

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self._started

    def finished(self, verdict: TargetVerdict, summary: Summary) -> None:
        """One line, of JSON as well if that is wanted; none for a target that was not begun."""
        del summary
        if self._output is not None:
            print_json(self._output, _dump(_document(verdict)))
        if verdict.outcome is TargetOutcome.SKIPPED:
            return
        line = f"{one_line(verdict.target.name)}: {_describe(verdict)}"
        if verdict.outcome.is_failure:
            self._terminal.error(line)
        else:
            self._terminal.line(line)

    def notice(self, target: FleetTarget, notice: Notice) -> None:
        """Warnings once, whichever target they come from first; all else with -verbose."""
        text = f"{one_line(target.name)}: {block(notice.message, '    ')}"
        if notice.severity != "WARNING":
            self._terminal.detail(text)
        elif notice.message not in self._told and len(self._told) < WARNINGS_LIMIT:
            self._told.add(notice.message)
            self._terminal.warning(text)
        else:
            self._terminal.detail(f"warning: {text}")

    def tick(self, summary: Summary) -> None:
        """The live line: how far it is, and how long it is going to take."""
        if not self._terminal.is_interactive:
            return
        done = summary.done
        text = f"{done:,} of {self._total:,}: {describe_counts(summary)}"
        if 0 < done < self._total and self.seconds > 1:
            left = self.seconds / done * (self._total - done)
            text += f", about {format_duration(round(left) * 1_000_000_000)} left"
        self._terminal.live(text)


def conclude(
    invocation: Invocation,
    request: FleetRequest,
    found: FleetResult,
    narrator: FleetNarrator,
    *,
    wave: str | None,
    shard: Shard | None,
) -> None:
    """The summary for people, and the report."""
    terminal, summary = invocation.terminal, found.summary
    terminal.live("")
    for group in summary.sorted_groups():
        terminal.error(_describe_group(group))
    for text in (*_explain_plans(summary), *_explain_versions(request.command, summary)):
        terminal.line(text)
    terminal.line(f"{_targets(summary.total)}: {describe_counts(summary)}")
    if found.has_exceeded_failures:
        limit = f"more than -max-failures {request.max_failures}"
        terminal.error(f"{summary.failed} have failed, {limit}: no further target was begun")
    if found.results_error is not None:
        terminal.error(f"the table of results is not complete: {draw(found.results_error)}")
    report = _report(request, found, narrator, wave=wave, shard=shard)
    output = invocation.output if invocation.options.json else None
    send_report(report, terminal, path=invocation.options.report, output=output)


def describe_counts(summary: Summary) -> str:
    """`9,900 current (120 of them migrated, 240 steps), 100 failed`."""
    counts = summary.to_counts()
    parts = [f"{counts.current:,} current"]
    if counts.migrated:
        steps = f"{summary.steps:,} {'step' if summary.steps == 1 else 'steps'}"
        parts[0] += f" ({counts.migrated:,} of them migrated, {steps})"
    rest = {
        "pending": counts.pending,
        "failed": counts.failed,
        "dirty": counts.dirty,
        "unreachable": counts.unreachable,
        "not begun": summary.outcomes[TargetOutcome.SKIPPED],
    }
    return ", ".join(parts + [f"{number:,} {word}" for word, number in rest.items() if number])


def _targets(number: int) -> str:
    return "1 target" if number == 1 else f"{number:,} targets"


def _describe(verdict: TargetVerdict) -> str:
    here = f"at {verdict.version}" if verdict.version is not None else "at no version"
    milliseconds = format_duration(verdict.milliseconds * 1_000_000)
    error = verdict.error
    if error is not None:
        place = f" at {_place(error)}" if error.file else ""
        return f"{verdict.outcome}: {one_line(error.message)}{one_line(place)}"
    if verdict.outcome is TargetOutcome.MIGRATED:
        steps = f"{verdict.steps} {'step' if verdict.steps == 1 else 'steps'}"
        return f"migrated, {steps}, {here} ({milliseconds})"
    note = f", {one_line(verdict.note)}" if verdict.note else ""
    return f"{verdict.outcome} {here}{note}"


def _place(error: ReportError) -> str:
    return ":".join(str(part) for part in (error.file, error.line, error.column) if part)


def _describe_group(group: FailureGroup) -> str:
    error = group.error
    lines = [f"{group.count:,} x {error.reason}: {block(group.message, '    ')}"]
    if error.file:
        lines.append(f"  at {one_line(_place(error))}")
    names = ", ".join(one_line(name) for name in group.names)
    more = group.count - len(group.names)
    lines.append(f"  targets: {names}{f' and {more:,} more' if more else ''}")
    if error.hint:
        lines.append(f"  hint: {block(error.hint, '    ')}")
    return "\n".join(lines)


def _explain_plans(summary: Summary) -> list[str]:
    plans = sorted(summary.waiting.items(), key=lambda plan: -plan[1])
    return [f"{one_line(note)}: {_targets(count)}" for note, count in plans]


def _explain_versions(command: str, summary: Summary) -> list[str]:
    """Where the targets are, unless all are at one place."""
    if command != "status" or len(summary.versions) < 2:
        return []
    versions = sorted(summary.versions.items(), key=lambda each: -each[1])
    return [f"at {one_line(v or 'no known version')}: {_targets(count)}" for v, count in versions]


def _document(verdict: TargetVerdict) -> dict[str, Any]:
    error = verdict.error
    return {
        "target": verdict.target.name,
        "outcome": verdict.outcome.value,
        "version": verdict.version,
        "dirty": verdict.dirty,
        "pending": verdict.pending,
        "steps": verdict.steps,
        "milliseconds": verdict.milliseconds,
        "error": None
        if error is None
        else {key: value for key, value in asdict(error).items() if value is not None},
    }


def _dump(document: dict[str, Any]) -> str:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace").decode()


def _report(
    request: FleetRequest,
    found: FleetResult,
    narrator: FleetNarrator,
    *,
    wave: str | None,
    shard: Shard | None,
) -> Report:
    summary = found.summary
    counts = summary.to_counts()
    bad = (
        summary.failed
        + counts.skipped
        + (counts.pending if request.command in ("up", "goto") else 0)
    )
    error = summary_error(summary)
    if bad and error is None:
        error = ReportError(
            Reason.INTERRUPTED,
            f"stopped: {counts.skipped + counts.pending} of {counts.total} targets are left",
            retryable=True,
        )
    if error is None and found.results_error is not None:
        error = found.results_error.to_report()
        bad = 1
    outcome = Outcome.UP_TO_DATE
    if bad:
        outcome = Outcome.FAILED
    elif counts.pending:
        outcome = Outcome.WAITING
    elif counts.migrated:
        outcome = Outcome.APPLIED
    seconds = narrator.seconds
    began = time.gmtime(time.time() - seconds)
    return Report(
        command=f"fleet {request.command}",
        outcome=outcome,
        version=None,
        dirty=None,
        tool_version=__version__,
        started_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", began),
        milliseconds=round(1000 * seconds),
        error=error if bad else None,
        fleet=FleetReport(
            counts,
            wave=wave if wave is None else clip(one_line(wave), WORD_LIMIT),
            shard=None if shard is None else str(shard),
            failures=tuple(summary.failures),
        ),
    )
