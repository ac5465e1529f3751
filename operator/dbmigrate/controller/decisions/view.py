"""The input and the output of a decision. No I/O, no clock.

The reconciler builds the view of a resource from the watch streams or, where a
decision would rest on the absence of something, from the API server. It also
carries out the decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from dbmigrate.api.action import Action, ActionPhase
from dbmigrate.api.migration import MigrationResource
from dbmigrate.api.status import MigrationStatus, PlanStatus
from dbmigrate.controller.decisions.files import SourceFiles
from dbmigrate.controller.decisions.pods import Pod
from dbmigrate.controller.decisions.runs import JobRun, has_begun
from dbmigrate.controller.decisions.verdict import Verdict, VerdictReason
from dbmigrate.controller.jobs.body import RunOrder


@dataclass(frozen=True, slots=True)
class Resync:
    """How often an unchanged database is checked."""

    interval: timedelta | None
    """None: never."""
    since: datetime
    """When this operator started: what fell due before is spread over one interval."""
    unreachable_after: int = 3
    """Checks in a row without an answer after which nothing is said of the database any more."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """The Job that was to be created could not be."""

    message: str
    is_final: bool
    """The Job is invalid, or a policy forbids it: a person must act."""
    is_passing: bool = False
    """The API server could not answer: nothing was refused."""
    retry_at: datetime | None = None
    """When its creation is tried again."""
    awaits_database: bool = False
    """No creation was tried: the database does not exist yet."""

    @property
    def is_temporary(self) -> bool:
        """Whether it does not prevent the Job."""
        return self.is_passing or self.awaits_database

    @property
    def reason(self) -> str:
        """The verdict's reason."""
        if self.awaits_database:
            return VerdictReason.WAITING_FOR_DATABASE
        return VerdictReason.JOB_NOT_CREATED if self.is_passing else VerdictReason.JOB_REJECTED


@dataclass(frozen=True, slots=True)
class ResourceView:
    """One resource and what belongs to it, at one moment."""

    migration: MigrationResource
    files: SourceFiles
    runs: tuple[JobRun, ...] = ()
    pods: tuple[Pod, ...] = ()
    older: str | None = None
    """An older resource of the namespace on the same database and history table."""
    troubles: Mapping[str, str] = field(default_factory=dict)
    """By Job: why its Pod is not there or does not start, as events tell it."""
    departed: str | None = None
    """The owner of the database by its log, where that is a resource that is gone."""
    rejection: Rejection | None = None
    resync: Resync = Resync(None, since=datetime.min.replace(tzinfo=UTC))
    template: str | None = None
    """The template hash that a Job would have now; None: there is no run that could differ."""
    ordered_at: datetime | None = None
    """When this operator last started a run for it, by its own clock."""
    order_age: timedelta | None = timedelta(hours=1)
    """An order that is older when the operator first comes to it is refused; None: never."""
    actions: tuple[Action, ...] = ()
    """What people have ordered for it, ended or not."""


def may_differ(run: JobRun, pods: Iterable[Pod], since: datetime) -> bool:
    """Whether a run that never started may be of other settings than those of this operator.

    They stay while it works: only what was there before is compared. So two operators that
    watch the same resources never replace each other's runs in turn.
    """
    return run.is_active and run.created_at < since and not has_begun(run, pods)


def has_other_settings(run: JobRun, view: ResourceView) -> bool:
    """Whether the operator would make that run's Pod from something else now."""
    if view.template is None or run.template == view.template:
        return False
    return may_differ(run, view.pods, view.resync.since)


@dataclass(frozen=True, slots=True)
class ActionUpdate:
    """An action that has entered another phase."""

    action: Action
    phase: ActionPhase
    message: str


@dataclass(frozen=True, slots=True)
class Conclusion:
    """A verdict with what follows from it."""

    verdict: Verdict
    order: RunOrder | None = None
    look_at: datetime | None = None
    next_retry_at: datetime | None = None
    plan: PlanStatus | None = None
    approved: bool | None = None
    """Whether the plan may be run; None where no approval is needed."""
    updates: tuple[ActionUpdate, ...] = ()
    withdraw: JobRun | None = None
    """The run that never started and is to go for what comes next."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The status to write, the action to take, and when to look again."""

    status: MigrationStatus
    order: RunOrder | None = None
    """The run to start."""
    discard: tuple[str, ...] = ()
    """Jobs that are over and not kept: beyond the history limits, or with leftovers at work."""
    withdraw: tuple[str, ...] = ()
    """Jobs whose runner never started, to be gone with their Pods before another one is made."""
    look_at: datetime | None = None
    """When to look again if nothing happens before; None: only when something does."""
    rests_on_absence: bool = field(default=False)
    """Something was not in the view. Only a view fresh from the API server can be acted upon."""
    adopt: tuple[Action, ...] = ()
    """Actions that get the resource as their owner."""
    expired: tuple[Action, ...] = ()
    """Actions beyond the history limit."""
    answered_at: datetime | None = None
    """When the database last answered, a run or a check."""
    updates: tuple[ActionUpdate, ...] = ()
