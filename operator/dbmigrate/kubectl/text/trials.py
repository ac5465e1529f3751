"""Lint's findings and a rehearsal's result, as text."""

from __future__ import annotations

from collections.abc import Iterator

from dbmigrate.api.trial import Trial
from dbmigrate.kubectl.text.table import Cell, Tone


def describe_findings(trial: Trial) -> Iterator[Cell]:
    """One line each, the most severe first, and how many more there are."""
    for finding in trial.findings:
        tone = Tone.BAD if finding.severity == "error" else Tone.BUSY
        place = f"{finding.file}:{finding.line}"
        yield Cell(f"{finding.severity} {finding.rule} at {place}: {finding.message}", tone)
    hidden = trial.findings_total - len(trial.findings)
    if hidden > 0:
        yield Cell(f"... and {hidden} more, which the status does not hold", Tone.BUSY)


def describe_rehearsal(trial: Trial) -> str | None:
    """In one sentence; None: there was none."""
    summary = trial.rehearsal
    if summary is None:
        return None
    text = f"{_count(summary.steps)} went well in {summary.milliseconds} ms"
    if summary.without_down:
        text += f", {summary.without_down} without a down script"
    return text


def _count(steps: int) -> str:
    return f"{steps} step{'' if steps == 1 else 's'}"
