"""What the operator reports of a set: `status`, the only part of it that the operator writes.

The counts come from the reports of the Pods; each target's own history is the truth. A rollout is
one way through the waves: `rollout` and `waves` together are all that an operator that has just
started needs to continue it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from dbmigrate.api.conditions import Condition, ConditionType
from dbmigrate.api.fields import Document
from dbmigrate.api.fleet.waves import WAVES_LIMIT
from dbmigrate.api.status import NEVER_OBSERVED, PlanStatus
from dbmigrate.codec import Bound, always, camel_case, dump, read_or_none, wire
from dbmigrate.report import Reason
from dbmigrate.report.bounds import (
    VERSIONS_LIMIT,
    Count,
    Excerpt,
    FileName,
    Hash,
    Name,
    VersionText,
    Word,
)

FAILURES_LIMIT = 50
REPORTED_LIMIT = 4096
"""Characters of the list of shards whose reports are counted."""

Reported = Annotated[str, Bound(REPORTED_LIMIT)]


class WavePhase(StrEnum):
    """The progress of a wave in the present rollout."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    """All its shards have reported, and no more targets failed than may."""
    FAILED = "Failed"
    """It stops the rollout."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Targets by their state; those that were not reported yet are in none of them."""

    total: Count = always(0)
    current: Count = always(0)
    pending: Count = always(0)
    failed: Count = always(0)
    dirty: Count = always(0)
    unreachable: Count = always(0)

    @property
    def bad(self) -> int:
        """Those that count for maxFailures."""
        return self.failed + self.dirty + self.unreachable


@dataclass(frozen=True, slots=True)
class WaveStatus:
    """One wave."""

    name: Name
    phase: WavePhase = wire(unknown=WavePhase.PENDING, always=True, default=WavePhase.PENDING)
    job: Word | None = None
    shards: Count = always(0)
    reported: Reported = always("")
    """The shards whose reports are counted, such as `0-4,7`: each is counted once."""
    totals: Totals = wire(is_inline=True, default=Totals())
    migrated: Count = always(0)
    """The current ones that this rollout has migrated."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    message: Excerpt = always("")


class RolloutTrigger(StrEnum):
    """Why a rollout was begun."""

    CHANGE = "Change"
    """The intent has changed, or the list of targets in its ConfigMap."""
    RETRY = "Retry"
    """The one before it has failed for a temporary reason."""
    ACTION = "Action"
    RESYNC = "Resync"


@dataclass(frozen=True, slots=True)
class SetRollback:
    """A rollback that a person has ordered and that is in force."""

    version: VersionText
    """Where the targets go."""
    action: Name
    """The name of the MigrationAction."""


@dataclass(frozen=True, slots=True)
class RolloutStatus:
    """One way through the waves."""

    intent: Word
    attempt: Count = always(1)
    """Which rollout of this intent it is, counted from 1."""
    generation: int = always(0)
    trigger: RolloutTrigger = wire(
        unknown=RolloutTrigger.CHANGE, always=True, default=RolloutTrigger.CHANGE
    )
    template_intent: Word | None = None
    """The template's intent for each target: a rollback holds until it changes."""
    rollback: SetRollback | None = None
    """None: the targets go where the template says."""
    ordered: SetRollback | None = None
    """A rollback that takes its place once the survey has found that it is no old order."""
    is_resumed: bool = wire(key="resumed", default=False)
    """Whether a person has ended the rollback before it: the versions that it undid are applied
    again."""
    list_digest: Word | None = None
    """The digest of the list of targets, where that is in a ConfigMap: a change begins a
    rollout."""
    survey: Word = always("")
    """The Job that counts the targets before the first wave."""
    is_surveyed: bool = wire(key="surveyed", always=True, default=False)
    server_version: Word | None = None
    """PostgreSQL's own, of a sample."""
    plans: Annotated[tuple[Hash, ...], Bound(VERSIONS_LIMIT)] = ()
    """The checksums of the samples' plans, to which each target is held where a person approves."""
    rehearsal: Word | None = None
    """The Job that rehearses these plans before the first wave."""
    is_rehearsed: bool = wire(key="rehearsed", default=False)
    failures_in_a_row: Count = always(0)
    """Rollouts, up to the one before this, that failed and migrated nothing."""
    action: Word | None = None
    """The MigrationAction that ordered it, by uid."""
    released: Word | None = None
    """The wave after which a person has let the next one begin."""
    released_by: Word | None = None
    """The MigrationAction of that, by uid."""
    approved_by: Word | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    reason: Word | None = None
    """Why it failed; None: it has not, or all is where it should be."""
    message: Excerpt = always("")

    @property
    def is_active(self) -> bool:
        """Whether it has not ended."""
        return self.finished_at is None

    @property
    def is_refused(self) -> bool:
        """Whether it was for an order that the targets' logs have as carried out."""
        return self.reason == Reason.ALREADY_DONE


@dataclass(frozen=True, slots=True)
class TargetFailure:
    """One target that failed."""

    target: Name
    wave: Name = always("")
    outcome: Word = always("")
    reason: Reason = wire(unknown=Reason.INTERNAL, always=True, default=Reason.INTERNAL)
    message: Excerpt = always("")
    file: FileName | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class SetStatus:
    """The whole of `status`."""

    observed_generation: int = NEVER_OBSERVED
    targets: Totals | None = None
    rollout: RolloutStatus | None = None
    waves: Annotated[tuple[WaveStatus, ...], Bound(WAVES_LIMIT)] = ()
    failures: Annotated[tuple[TargetFailure, ...], Bound(FAILURES_LIMIT)] = ()
    plan: PlanStatus | None = None
    next_retry_at: datetime | None = None
    conditions: tuple[Condition, ...] = ()

    def condition(self, kind: ConditionType) -> Condition | None:
        """The condition of that type."""
        return next((c for c in self.conditions if c.type is kind), None)

    def to_dict(self) -> Document:
        """As the API server takes it; what is not known is left out."""
        return dump(self)


SET_STATUS_FIELDS = frozenset(camel_case(each.name) for each in fields(SetStatus))
"""The fields of the document that the operator writes."""


def parse_set_status(raw: object) -> SetStatus:
    """Read a status back; a part that can't be read counts as absent. Raises nothing."""
    return read_or_none(SetStatus, raw) or SetStatus()
