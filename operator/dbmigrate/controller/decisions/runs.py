"""Runs: the Jobs of a resource, and what their commands do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from dbmigrate.controller.decisions.pods import Pod

LINGER = timedelta(seconds=30)
"""How long the other containers of a Pod may continue after the runner's end."""


class RunCommand(StrEnum):
    """What a run does to the database: the label of its Job."""

    GOTO = "goto"
    ROLLBACK = "rollback"
    """`goto` to a lower version, on a person's order."""
    STATUS = "status"
    PLAN = "plan"
    FORCE = "force"
    REPAIR = "repair"
    DRIFT = "drift"
    """It only reads, at any time. It delays no other run, and is deleted for one."""


MOVING = frozenset({RunCommand.GOTO, RunCommand.ROLLBACK})
"""The runs that the status calls the last run."""

MENDING = frozenset({RunCommand.FORCE, RunCommand.REPAIR})
"""After one of these the resource is migrated to its target again."""

ASKING = frozenset({RunCommand.STATUS, RunCommand.PLAN})
"""These change nothing in the database."""

CHANGING = MOVING | {RunCommand.REPAIR}
"""These run SQL of the team's: a backup is made before it. Force moves the version alone."""


class RunState(StrEnum):
    """The state of a Job."""

    ACTIVE = "Active"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class JobRun:
    """A Job of the operator."""

    namespace: str
    name: str
    uid: str
    migration_uid: str
    owner_uid: str | None
    command: RunCommand
    generation: int
    intent: str
    attempt: int
    state: RunState
    created_at: datetime
    after: str | None = None
    """The Job of the last run when this one was made; None: an older operator has made it."""
    image: str = ""
    """The runner's."""
    action: str | None = None
    plan: str | None = None
    """The hash of the plan that it must match."""
    template: str = ""
    """The hash of what its Pod was made from besides the order; empty: an older operator has made
    it."""
    is_deleting: bool = False
    is_suspended: bool = False
    """It has no Pod until it is resumed: a queue such as Kueue decides when."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    failure_reason: str | None = None
    """The reason of the Job's Failed condition: BackoffLimitExceeded, DeadlineExceeded, ..."""
    failure_message: str = ""
    deadline_at: datetime | None = None
    """When Kubernetes ends it."""
    lingers_since: datetime | None = None
    """The runner has ended at that time, and its Job continues because of other containers."""

    @property
    def runs_since(self) -> datetime:
        """From when on it is to have a Pod: its creation, or when it was resumed."""
        return self.started_at or self.created_at

    @property
    def is_active(self) -> bool:
        """Whether it has not ended yet."""
        return self.state is RunState.ACTIVE

    def is_leftover(self, now: datetime) -> bool:
        """Whether only other containers are at work, and have had time to end."""
        since = self.lingers_since
        # The node's clock may be ahead of this one: then the time has passed as well.
        return since is not None and not timedelta(0) <= now - since < LINGER


def conclude(run: JobRun, pods: Iterable[Pod]) -> JobRun:
    """The run as the runner's container has ended it, whatever else runs in the Pod.

    One whose Pod is deleted before it started has not failed: it goes as well, or is resumed.
    """
    if not run.is_active:
        return run
    pod = next((pod for pod in pods if pod.job == run.name and _tells_end(pod, run)), None)
    if pod is None or pod.ended is None:
        return run
    state = RunState.SUCCEEDED if pod.ended.exit_code == 0 else RunState.FAILED
    finished = pod.ended.finished_at or run.created_at
    # Where nothing runs any more the Job ends by itself; a suspended one would run once more.
    lingers = run.is_suspended or not (pod.is_gone or pod.has_ended)
    since = finished if lingers else None
    return replace(run, state=state, finished_at=finished, lingers_since=since)


def _tells_end(pod: Pod, run: JobRun) -> bool:
    is_taken_away = run.is_deleting or run.is_suspended or pod.is_gone or pod.gone_by is not None
    return pod.ended is not None and (pod.has_started or not is_taken_away)


def has_begun(run: JobRun, pods: Iterable[Pod]) -> bool:
    """Whether the runner has ever started, so that the database may have been reached."""
    return any(pod.has_started for pod in pods if pod.job == run.name)


def follows(run: JobRun, job: str, ended_at: datetime) -> bool:
    """Whether a run was made after another one had ended.

    The API server's times are whole seconds; within one of them the run's own note decides.
    """
    if run.created_at != ended_at:
        return run.created_at > ended_at
    return run.after in (None, job)


def run_order(run: JobRun) -> tuple[datetime, int, int]:
    """The sort key of runs: the time of their creation."""
    return run.created_at, run.generation, run.attempt


def in_order(runs: Iterable[JobRun]) -> list[JobRun]:
    """The runs, oldest first."""
    return sorted(runs, key=run_order)
