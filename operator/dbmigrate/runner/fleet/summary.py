"""What a run on a fleet comes to: counts, failures by their error, versions.

Its size does not depend on the number of targets.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from dbmigrate.printable import clip
from dbmigrate.report import Reason, ReportError
from dbmigrate.report.bounds import FAILURES_LIMIT
from dbmigrate.report.fleet import FleetCounts, FleetFailure
from dbmigrate.runner.fleet.target import FleetTarget
from dbmigrate.runner.fleet.verdict import TargetOutcome, TargetVerdict

NAMES_LIMIT = 5
"""Targets that a group of failures names."""
GROUPS_LIMIT = 100
VERSIONS_LIMIT = 100
_MESSAGE_LIMIT = 500
_OTHER = "..."
_TOLD = frozenset({Reason.ROLLED_BACK, Reason.ALREADY_DONE})
"""The report names these targets, too, although nothing has failed on them."""


@dataclass(slots=True)
class FailureGroup:
    """Targets that have failed alike."""

    error: ReportError
    message: str
    """Without what differs from target to target."""
    count: int = 0
    names: list[str] = field(default_factory=list)
    """The first of them."""


class Summary:
    """Counts verdicts as they come. Not safe to use from several threads at once."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.outcomes: Counter[TargetOutcome] = Counter()
        self.steps = 0
        self.groups: dict[tuple[object, ...], FailureGroup] = {}
        self.failures: list[FleetFailure] = []
        self.versions: Counter[str] = Counter()
        """How many targets are at each version; `""`: at none, or it is not known."""
        self.waiting: Counter[str] = Counter()
        """How many targets have each plan, by its note."""

    @property
    def done(self) -> int:
        """How many targets have a verdict."""
        return sum(self.outcomes.values())

    @property
    def failed(self) -> int:
        """How many count for the limit of failures."""
        return sum(count for outcome, count in self.outcomes.items() if outcome.is_failure)

    @property
    def is_good(self) -> bool:
        """Whether all targets are where they should be."""
        return self.total == sum(n for outcome, n in self.outcomes.items() if outcome.is_good)

    def add(self, verdict: TargetVerdict) -> None:
        """Count one more target."""
        self.outcomes[verdict.outcome] += 1
        self.steps += verdict.steps
        if verdict.outcome is TargetOutcome.SKIPPED:
            return
        self._count(self.versions, verdict.version or "", VERSIONS_LIMIT)
        if verdict.note and verdict.error is None:
            self._count(self.waiting, verdict.note, GROUPS_LIMIT)
        if verdict.error is not None:
            self._add_failure(verdict, verdict.error)

    def to_counts(self) -> FleetCounts:
        """The counts, for the report."""
        number: Mapping[TargetOutcome, int] = self.outcomes
        return FleetCounts(
            total=self.total,
            current=number[TargetOutcome.CURRENT] + number[TargetOutcome.MIGRATED],
            migrated=number[TargetOutcome.MIGRATED],
            pending=number[TargetOutcome.PENDING],
            failed=number[TargetOutcome.FAILED],
            dirty=number[TargetOutcome.DIRTY],
            unreachable=number[TargetOutcome.UNREACHABLE],
            skipped=self.total - self.done + number[TargetOutcome.SKIPPED],
        )

    def sorted_groups(self) -> list[FailureGroup]:
        """The largest first."""
        return sorted(self.groups.values(), key=lambda group: -group.count)

    def _add_failure(self, verdict: TargetVerdict, error: ReportError) -> None:
        message = clip(_generalise(error.message, verdict.target), _MESSAGE_LIMIT)
        key: tuple[object, ...] = (error.reason, message, error.file, error.line)
        if key not in self.groups and len(self.groups) >= GROUPS_LIMIT:
            key = (error.reason,)
        group = self.groups.get(key)
        if group is None:
            is_other = len(self.groups) >= GROUPS_LIMIT
            group = FailureGroup(error, "various errors" if is_other else message)
            self.groups[key] = group
        group.count += 1
        if len(group.names) < NAMES_LIMIT:
            group.names.append(verdict.target.name)
        is_told = verdict.outcome.is_failure or error.reason in _TOLD
        if is_told and len(self.failures) < FAILURES_LIMIT:
            self.failures.append(
                FleetFailure(
                    verdict.target.name,
                    verdict.outcome.value,
                    error.reason,
                    clip(error.message, _MESSAGE_LIMIT),
                    error.file,
                    error.line,
                )
            )

    @staticmethod
    def _count(counter: Counter[str], key: str, limit: int) -> None:
        counter[key if key in counter or len(counter) < limit else _OTHER] += 1


def _generalise(message: str, target: FleetTarget) -> str:
    """The message without the names of the one target, by which equal errors would differ."""
    names = {target.name, target.schema, target.dbname, target.user, target.host} - {""}
    for name in sorted(names, key=len, reverse=True):
        message = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", _OTHER, message)
    return message


def summary_error(summary: Summary) -> ReportError | None:
    """The one error that stands for all, as the report has it; None: nothing has failed."""
    groups = summary.sorted_groups()
    if not groups:
        return None
    first = groups[0]
    others = f", and {len(groups) - 1} other errors" if len(groups) > 1 else ""
    affected = sum(group.count for group in groups)
    return ReportError(
        reason=first.error.reason,
        message=f"{affected} of {summary.total} targets: {first.message}{others}",
        retryable=all(group.error.retryable for group in groups),
        file=first.error.file,
        line=first.error.line,
        hint=first.error.hint,
        sqlstate=first.error.sqlstate,
    )
