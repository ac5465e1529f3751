"""One sample target of each version that is found: its plan stands for all at that version.

The histories of all targets are read, and nothing is changed. Equal files lead from one version
by one plan, so that lint, a rehearsal and a person's approval need one target of each.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace

from dbmigrate.report import Reason, Report
from dbmigrate.runner.commands.read_only.plan import preview
from dbmigrate.runner.fleet.request import FleetRequest
from dbmigrate.runner.fleet.run import run_fleet
from dbmigrate.runner.fleet.shards import hash_name
from dbmigrate.runner.fleet.summary import Summary
from dbmigrate.runner.fleet.target import FleetTarget
from dbmigrate.runner.fleet.verdict import TargetOutcome, TargetVerdict
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.request import Request

SAMPLES_LIMIT = 20
"""Versions that a survey reports, those of the most targets."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A version that targets are at which are behind, and what would be done on one of them."""

    version: str
    """Empty: nothing is applied."""
    targets: int
    target: FleetTarget
    report: Report
    """Of its plan; its error is what lint, the rehearsal or the plan itself found."""


class _Finder:
    """Finds the samples among the verdicts of `status`: by the names' hashes, so that the same
    fleet has the same ones."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.samples: dict[str, FleetTarget] = {}
        self.lost: FleetTarget | None = None
        """A target without a plan, because the wanted version is unknown."""
        self.moved = 0
        """Targets that have carried out the run's order, and were migrated since."""
        self.first_moved: FleetTarget | None = None

    def finished(self, verdict: TargetVerdict, summary: Summary) -> None:
        """Those that are dirty or could not be asked are no samples: their run reports why."""
        del summary
        if verdict.error is not None and verdict.error.reason is Reason.MISSING_VERSION:
            self.lost = self.lost or verdict.target
        if verdict.error is not None and verdict.error.reason is Reason.ALREADY_DONE:
            self.moved += 1
            self.first_moved = self.first_moved or verdict.target
        if verdict.outcome is not TargetOutcome.PENDING or verdict.error is not None:
            return
        version, target = verdict.version or "", verdict.target
        self.counts[version] += 1
        known = self.samples.get(version)
        if known is None or hash_name(target.name) < hash_name(known.name):
            self.samples[version] = target

    def notice(self, target: FleetTarget, notice: Notice) -> None:
        """Nothing is said of single targets."""

    def tick(self, summary: Summary) -> None:
        """Nothing is drawn."""


def find_samples(request: FleetRequest) -> list[Sample]:
    """The samples with their plans, those of the most targets first."""
    finder = _Finder()
    quiet = replace(request.options, rehearsal_server=None)
    run_fleet(replace(request, command="status", observer=finder, options=quiet))
    found = []
    for version, count in finder.counts.most_common(SAMPLES_LIMIT):
        target = finder.samples[version]
        found.append(Sample(version, count, target, _plan(request, target)))
    if not found and request.version is not None and finder.lost is not None:
        # A mistyped version is found before the first wave.
        found.append(Sample("", 1, finder.lost, _plan(request, finder.lost)))
    if finder.first_moved is not None:
        # The order is an old one that was created again: it is not for those that are new, either.
        report = _plan(request, finder.first_moved)
        found.insert(0, Sample(report.version or "", finder.moved, finder.first_moved, report))
    return found


def joined_checksum(samples: list[Sample]) -> str:
    """One checksum for all plans: SHA-256 over theirs."""
    checksums = sorted({sample.report.plan_checksum or "" for sample in samples})
    return hashlib.sha256("\n".join(checksums).encode()).hexdigest()


def _plan(request: FleetRequest, target: FleetTarget) -> Report:
    """What a run would do there, with lint and a rehearsal where these are asked for."""
    order = Request(
        command="fleet survey",
        target=request.addresses.database(target),
        source=request.source(),
        options=request.options,
        stop=request.stop,
    )
    return preview(order, request.version).report
