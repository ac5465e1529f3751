"""What was found before anything was changed: lint's findings and the rehearsal's result.

A run and a plan both have one; in the status its fields are among theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from dbmigrate.api.fields import Document
from dbmigrate.codec import Bound
from dbmigrate.report import Report
from dbmigrate.report.bounds import FINDINGS_LIMIT, Count
from dbmigrate.report.preparation import LintFinding, RehearsalSummary


@dataclass(frozen=True, slots=True)
class Trial:
    """Empty where there was no trial, or nothing was found."""

    findings: Annotated[tuple[LintFinding, ...], Bound(FINDINGS_LIMIT)] = ()
    """The worst first."""
    findings_total: Count = 0
    """All of them; only some are kept."""
    rehearsal: RehearsalSummary | None = None
    """None: there was none, or it failed."""

    def completed(self, raw: Document) -> Trial:
        """With a number of findings, where the document gives none."""
        del raw
        return self if self.findings_total else replace(self, findings_total=len(self.findings))


NO_TRIAL = Trial()


def read_trial(report: Report) -> Trial:
    """The trial in a report."""
    return Trial(report.findings, report.findings_total, report.rehearsal)
