"""What was found before anything was changed: lint's findings and the rehearsal's result.

A run and a plan both have one; in the status its fields are among theirs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from dbmigrate.api.fields import Document
from dbmigrate.report import (
    LintFinding,
    RehearsalSummary,
    Report,
    dump_rehearsal,
    parse_findings,
    parse_rehearsal,
)
from dbmigrate.untrusted import INT32, read_whole


@dataclass(frozen=True, slots=True)
class Trial:
    """Empty where there was no trial, or nothing was found."""

    findings: tuple[LintFinding, ...] = ()
    """The worst first."""
    findings_total: int = 0
    """All of them; only some are kept."""
    rehearsal: RehearsalSummary | None = None
    """None: there was none, or it failed."""


NO_TRIAL = Trial()


def read_trial(report: Report) -> Trial:
    """The trial in a report."""
    return Trial(report.findings, report.findings_total, report.rehearsal)


def dump_trial(trial: Trial) -> Document:
    """The fields that are not empty."""
    document: Document = {}
    if trial.findings_total:
        document["findings"] = [asdict(finding) for finding in trial.findings]
        document["findingsTotal"] = trial.findings_total
    if trial.rehearsal is not None:
        document["rehearsal"] = dump_rehearsal(trial.rehearsal)
    return document


def parse_trial(raw: Document) -> Trial:
    """Read it back from among other fields; an invalid one counts as absent."""
    try:
        findings = parse_findings(raw.get("findings") or ())
        total = read_whole(raw.get("findingsTotal") or len(findings), most=INT32)
    except (KeyError, ValueError):
        findings, total = (), 0
    return Trial(findings, total, _read_rehearsal(raw.get("rehearsal")))


def _read_rehearsal(raw: Any) -> RehearsalSummary | None:
    try:
        return parse_rehearsal(raw) if raw else None
    except (KeyError, TypeError, ValueError):
        return None
