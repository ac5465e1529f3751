"""Runs as the cluster shows them: a Job and its Pods, boiled down to what decisions need.

A Job of ours has one Pod and is never tried again by Kubernetes. Its Pod holds
the report (the termination message) or the reason why it can't start. Bodies are
dropped after this: the cache of a big cluster is to stay small.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dbmigrate.api.fields import Document
from dbmigrate.api.names import (
    ACTION_ANNOTATION,
    ATTEMPT_ANNOTATION,
    COMMAND_LABEL,
    GENERATION_ANNOTATION,
    INTENT_ANNOTATION,
    JOB_NAME_LABEL,
    PLAN_ANNOTATION,
    REHEARSAL_CONTAINER,
    UID_LABEL,
)
from dbmigrate.api.timestamps import parse_timestamp, read_timestamp


class RunCommand(StrEnum):
    """What a run does to the database: the label of its Job."""

    GOTO = "goto"
    ROLLBACK = "rollback"
    """`goto` to a lower version, on a person's order."""
    STATUS = "status"
    PLAN = "plan"
    FORCE = "force"
    REPAIR = "repair"


MOVING = frozenset({RunCommand.GOTO, RunCommand.ROLLBACK})
"""The runs that the status calls the last run."""
MENDING = frozenset({RunCommand.FORCE, RunCommand.REPAIR})
"""After one of these the target is sought again."""
ASKING = frozenset({RunCommand.STATUS, RunCommand.PLAN})
"""These change nothing in the database."""
CHANGING = MOVING | {RunCommand.REPAIR}
"""These run SQL of the team's: a backup is made before it. Force moves the version alone."""


class RunState(StrEnum):
    """How far a Job is."""

    ACTIVE = "Active"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container of a Pod does not start."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ContainerEnd:
    """How a container of a Pod ended."""

    container: str
    exit_code: int
    reason: str
    """The kubelet's word: Completed, Error, OOMKilled, ..."""
    message: str
    """The termination message: a report, or the last lines of the log."""
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Pod:
    """A Pod of a run."""

    namespace: str
    name: str
    uid: str
    migration_uid: str
    job: str
    phase: str
    is_gone: bool = False
    """It has been deleted; what it said last is kept as long as its Job is."""
    node: str | None = None
    started_at: datetime | None = None
    waiting: Waiting | None = None
    ended: ContainerEnd | None = None
    disrupted: str | None = None
    """Set when the cluster took the Pod away: the message of DisruptionTarget."""
    status_reason: str | None = None
    """The Pod's own reason, such as Evicted."""

    @property
    def may_be_running(self) -> bool:
        """Whether a process of it may still be at work."""
        return not self.is_gone and self.phase not in {"Succeeded", "Failed"}


@dataclass(frozen=True, slots=True)
class JobRun:
    """A Job of ours."""

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
    action: str | None = None
    plan: str | None = None
    """The hash of the plan that it is held to."""
    is_deleting: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None
    failure_reason: str | None = None
    """The reason of the Job's Failed condition: BackoffLimitExceeded, DeadlineExceeded, ..."""
    failure_message: str = ""

    @property
    def is_active(self) -> bool:
        """Whether its end is still to come."""
        return self.state is RunState.ACTIVE


def parse_run(body: Document) -> JobRun:
    """Read a Job. Raises KeyError or ValueError for a Job that is not of our making."""
    metadata = body["metadata"]
    labels = metadata["labels"]
    annotations = metadata["annotations"]
    status = body.get("status") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or () if c["status"] == "True"}
    state, failed = RunState.ACTIVE, conditions.get("Failed")
    if "Complete" in conditions:
        state = RunState.SUCCEEDED
    elif failed is not None:
        state = RunState.FAILED
    finished = read_timestamp(status.get("completionTime"))
    if failed is not None:
        finished = read_timestamp(failed.get("lastTransitionTime"))
    return JobRun(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        migration_uid=labels[UID_LABEL],
        owner_uid=_controller_uid(metadata),
        command=RunCommand(labels[COMMAND_LABEL]),
        generation=int(annotations[GENERATION_ANNOTATION]),
        intent=annotations[INTENT_ANNOTATION],
        attempt=int(annotations[ATTEMPT_ANNOTATION]),
        state=state,
        created_at=parse_timestamp(metadata["creationTimestamp"]),
        action=annotations.get(ACTION_ANNOTATION),
        plan=annotations.get(PLAN_ANNOTATION),
        is_deleting="deletionTimestamp" in metadata,
        started_at=read_timestamp(status.get("startTime")),
        finished_at=finished,
        failure_reason=failed.get("reason") if failed else None,
        failure_message=failed.get("message", "") if failed else "",
    )


def parse_pod(body: Document, *, is_gone: bool = False) -> Pod:
    """Read a Pod. Raises KeyError for a Pod that is not of our making."""
    metadata, status = body["metadata"], body.get("status") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    disruption = conditions.get("DisruptionTarget") or {}
    is_disrupted = disruption.get("status") == "True"
    return Pod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        migration_uid=metadata["labels"][UID_LABEL],
        job=metadata["labels"][JOB_NAME_LABEL],
        phase=status.get("phase", "Pending"),
        is_gone=is_gone,
        node=(body.get("spec") or {}).get("nodeName"),
        started_at=read_timestamp(status.get("startTime")),
        waiting=_find_waiting(status, conditions),
        ended=_find_end(status),
        disrupted=str(disruption.get("message", "")) if is_disrupted else None,
        status_reason=status.get("reason"),
    )


def _controller_uid(metadata: Document) -> str | None:
    owners = metadata.get("ownerReferences") or ()
    return next((o["uid"] for o in owners if o.get("controller")), None)


def _container_statuses(status: Document) -> Iterable[Document]:
    """Init containers first: they decide whether the runner starts at all."""
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def _find_waiting(status: Document, conditions: dict[str, Document]) -> Waiting | None:
    scheduled = conditions.get("PodScheduled") or {}
    if scheduled.get("status") == "False":
        return Waiting(scheduled.get("reason", "Unschedulable"), scheduled.get("message", ""))
    for container in _container_statuses(status):
        waiting = (container.get("state") or {}).get("waiting")
        if waiting and waiting.get("reason") not in {None, "PodInitializing"}:
            return Waiting(waiting["reason"], waiting.get("message", ""))
    return None


def _find_end(status: Document) -> ContainerEnd | None:
    """The end of the container that decides: the first that failed, else the last."""
    ended = None
    for container in _container_statuses(status):
        terminated = (container.get("state") or {}).get("terminated")
        if terminated is None or container["name"] == REHEARSAL_CONTAINER:
            continue  # a sidecar is ended when the runner has
        ended = ContainerEnd(
            container=container["name"],
            exit_code=int(terminated.get("exitCode", 0)),
            reason=terminated.get("reason", ""),
            message=terminated.get("message", ""),
            finished_at=read_timestamp(terminated.get("finishedAt")),
        )
        if ended.exit_code != 0:
            return ended
    return ended
