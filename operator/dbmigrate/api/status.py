"""`status` of a DatabaseMigration, the only part of it that the operator writes.

Version, dirty, target and pending come from the database, by a run's report. `lastRun` is the last
run that was to migrate, with the intent it served: that is how an operator that has just started
knows what is done already.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Annotated

from dbmigrate.api.conditions import Condition, ConditionType
from dbmigrate.api.drift import DriftStatus
from dbmigrate.api.fields import Document
from dbmigrate.api.last_check import LastCheck
from dbmigrate.api.trial import NO_TRIAL, Trial
from dbmigrate.codec import Bound, always, camel_case, dump, read_or_none, wire
from dbmigrate.report import Outcome, ReportError
from dbmigrate.report.bounds import Count, Excerpt, Hash, Name, OwnerText, VersionText, Word
from dbmigrate.report.document import is_checksum
from dbmigrate.report.preparation import ReportedUnfinished

HISTORY_LIMIT = 20
"""Steps that the status keeps; the database's own log has them all."""

PLAN_LIMIT = 50
"""Steps of a plan that the status shows."""

NEVER_OBSERVED = -1


@dataclass(frozen=True, slots=True)
class LastRun:
    """One run, under way or ended."""

    job: Word
    command: Word = always("")
    generation: int = always(0)
    """The generation of the resource that the run was made for."""
    intent: Word = always("")
    """The hash of what it was to achieve (MigrationSpec.intent)."""
    attempts: Count = always(1)
    """Which run of this intent it is, counted from 1."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    outcome: Outcome | None = None
    """None: it has not ended, or its end is unknown."""
    from_version: VersionText | None = wire(key="from", default=None)
    version: VersionText | None = None
    milliseconds: int | None = None
    error: ReportError | None = None
    plan: Hash | None = None
    """The hash of the plan that it had to match."""
    trial: Trial = wire(is_inline=True, default=NO_TRIAL)
    """Before its first step."""
    without_progress: Count = always(0)
    """How many runs in a row, this one counted once it has failed, came no further; no matter
    after a success."""

    cleared_by: Word | None = None
    """The Job of a Force or Repair that has succeeded since: the target is sought again."""

    def completed(self, raw: Document) -> LastRun:
        """With the usual count, where the document gives none. Raises ValueError without a job."""
        if not self.job:
            raise ValueError("a run without a Job")
        if isinstance(raw.get("withoutProgress"), int):
            return self
        return replace(self, without_progress=self._usual_count)

    def shown(self, document: Document) -> Document:
        """The count is omitted if it equals the number of attempts."""
        if self.has_succeeded or self.without_progress == self._usual_count:
            del document["withoutProgress"]
        return document

    @property
    def _usual_count(self) -> int:
        """The number of attempts without progress, where none made any; an active one is not
        counted yet."""
        return self.attempts if self.has_ended else self.attempts - 1

    @property
    def has_ended(self) -> bool:
        """Whether its outcome is known."""
        return self.outcome is not None

    @property
    def has_succeeded(self) -> bool:
        """Whether it left the database where it was to be."""
        return self.outcome in {Outcome.APPLIED, Outcome.UP_TO_DATE, Outcome.ROLLED_BACK}


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A step that a run of this resource has taken."""

    version: VersionText
    name: Name
    direction: Word
    finished_at: datetime | None
    milliseconds: int


@dataclass(frozen=True, slots=True)
class LastBackup:
    """The newest backup that a run of this resource has made."""

    name: Name
    """The name of its file in spec.backup's directory."""
    size: int
    """Bytes."""
    sha256: Hash
    version: VersionText | None
    """The version of the database that it holds; None: none."""
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class PlanStepStatus:
    """A step of a plan."""

    version: VersionText
    name: Name
    direction: Word
    destructive: bool = always(False)
    excerpt: Excerpt | None = None


@dataclass(frozen=True, slots=True)
class PlanStatus:
    """The steps that wait for a person's approval."""

    hash: Hash
    intent: Word
    steps: Annotated[tuple[PlanStepStatus, ...], Bound(PLAN_LIMIT)]
    created_at: datetime | None
    steps_total: Count = always(0)
    """All of its steps; a long plan shows only some of them."""
    checksum: Hash | None = None
    """What the run is held to: SHA-256 over all steps and their scripts. A runner older than
    the operator gives none."""
    trial: Trial = wire(is_inline=True, default=NO_TRIAL)

    def completed(self, raw: Document) -> PlanStatus:
        """With a number of steps, where the document gives none."""
        del raw
        return self if self.steps_total else replace(self, steps_total=len(self.steps))


@dataclass(frozen=True, slots=True)
class MigratedDatabase:
    """The database that the last successful run was on."""

    id: Word
    """The server's system identifier and the database's oid."""
    reached_by: Hash = always("")
    """A checksum of spec.database as it was; empty: it has changed during the run."""


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """The whole of `status`."""

    observed_generation: int = NEVER_OBSERVED
    version: VersionText | None = None
    dirty: bool | None = None
    unfinished: ReportedUnfinished | None = None
    """The step in batches that makes it dirty, which the next run continues with."""
    target: VersionText | None = None
    pending: Count | None = None
    server_version: Word | None = None
    """PostgreSQL's own."""
    format: Word | None = None
    """Whose files the last run had, by the runner's name for it."""
    owner: OwnerText | None = None
    """Who migrates the database, by its log."""
    database: MigratedDatabase | None = None
    """None: no run has said which one it is."""
    last_run: LastRun | None = None
    last_check: LastCheck | None = None
    """None: the last check found the database as the last run left it."""
    drift: DriftStatus | None = None
    """None: the live schema is not compared, or was not yet."""
    history: Annotated[tuple[HistoryEntry, ...], Bound(HISTORY_LIMIT)] = ()
    backup: LastBackup | None = None
    plan: PlanStatus | None = None
    next_retry_at: datetime | None = None
    conditions: tuple[Condition, ...] = ()

    def condition(self, kind: ConditionType) -> Condition | None:
        """The condition of that type."""
        return next((c for c in self.conditions if c.type is kind), None)

    def to_dict(self) -> Document:
        """As the API server takes it; what is not known is left out."""
        return dump(self)


STATUS_FIELDS = {each.name: camel_case(each.name) for each in fields(MigrationStatus)}
"""The attributes and their names in the document: all fields that the operator writes."""


def parse_status(raw: object) -> MigrationStatus:
    """Read a status back; a part that can't be read counts as absent. Raises nothing."""
    status = read_or_none(MigrationStatus, raw) or MigrationStatus()
    checksum = status.plan.checksum if status.plan is not None else None
    if checksum is not None and not is_checksum(checksum):
        return replace(status, plan=None)  # no run could be held to it
    return status


def describe_unfinished(step: ReportedUnfinished) -> str:
    """A step in batches that is under way, in a phrase."""
    return (
        f"version {step.version} is run in batches: {step.rows} rows are done in"
        f" {step.batches} batches, the next run continues after them"
    )
