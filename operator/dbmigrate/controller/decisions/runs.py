"""Runs as the cluster shows them: a Job and its Pods, reduced to what decisions need.

A Job has one Pod and is never retried by Kubernetes. Its Pod holds the report (the
termination message) or the reason why it cannot start. Bodies are dropped after
this, to keep the cache of a large cluster small.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from dbmigrate.api.fields import Document
from dbmigrate.api.forms import IMAGE
from dbmigrate.api.names import (
    ACTION_ANNOTATION,
    ATTEMPT_ANNOTATION,
    COMMAND_LABEL,
    GENERATION_ANNOTATION,
    INTENT_ANNOTATION,
    JOB_NAME_LABEL,
    PLAN_ANNOTATION,
    REHEARSAL_CONTAINER,
    RUNNER_CONTAINER,
    UID_LABEL,
)
from dbmigrate.report import WORD_LIMIT
from dbmigrate.timestamps import parse_timestamp, read_timestamp
from dbmigrate.untrusted import INT32, INT64

OVERDUE = timedelta(seconds=30)
"""How much later than asked for a Pod's end is still no sign of a lost node."""
NEEDS_CP = (
    " (spec.source.image.mode Copy needs the program cp in the image; mode Volume needs none, on"
    " Kubernetes 1.35 and newer)"
)
"""Said of a copying container that the container runtime could not start."""
LINGER = timedelta(seconds=30)
"""How long the other containers of a Pod may go on after the runner's end."""


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
    """The state of a Job."""

    ACTIVE = "Active"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container of a Pod does not start."""

    reason: str
    message: str
    container: str = ""
    """Its name; empty where the Pod as a whole waits."""


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
    has_started: bool = False
    """Whether the runner's container has ever run."""
    ended: ContainerEnd | None = None
    """How the runner's container ended."""
    failed: ContainerEnd | None = None
    """Another container that failed, the first one."""
    disrupted: str | None = None
    """Set when the cluster took the Pod away: the message of DisruptionTarget."""
    status_reason: str | None = None
    """The Pod's own reason, such as Evicted."""
    is_cut_off: bool = False
    """Whether its node has stopped to report: what its containers do is not known."""
    gone_by: datetime | None = None
    """When it must be gone, once its deletion has been asked for."""

    @property
    def may_be_running(self) -> bool:
        """Whether the runner may be at work in it, or may still start."""
        is_over = self.ended is not None or self.phase in {"Succeeded", "Failed"}
        return not self.is_gone and not is_over

    @property
    def has_told(self) -> bool:
        """Whether it tells how the run ended."""
        return self.ended is not None or self.failed is not None

    def has_lost_node(self, now: datetime) -> bool:
        """Whether its node does not answer, as far as is visible."""
        is_overdue = self.gone_by is not None and now > self.gone_by + OVERDUE
        return self.may_be_running and (self.is_cut_off or is_overdue)


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
    image: str = ""
    """The runner's."""
    action: str | None = None
    plan: str | None = None
    """The hash of the plan that it is held to."""
    is_deleting: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None
    failure_reason: str | None = None
    """The reason of the Job's Failed condition: BackoffLimitExceeded, DeadlineExceeded, ..."""
    failure_message: str = ""
    deadline_at: datetime | None = None
    """When Kubernetes ends it."""
    lingers_since: datetime | None = None
    """The runner has ended at that time, and its Job goes on for other containers' sake."""

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
    """The run as the runner's container has ended it, whatever else runs in the Pod."""
    if not run.is_active:
        return run
    ended = next((p.ended for p in pods if p.job == run.name and p.ended is not None), None)
    if ended is None:
        return run
    state = RunState.SUCCEEDED if ended.exit_code == 0 else RunState.FAILED
    finished = ended.finished_at or run.created_at
    return replace(run, state=state, finished_at=finished, lingers_since=finished)


def has_begun(run: JobRun, pods: Iterable[Pod]) -> bool:
    """Whether the runner has ever started, so that the database may have been reached."""
    return any(pod.has_started for pod in pods if pod.job == run.name)


def run_order(run: JobRun) -> tuple[datetime, int, int]:
    """The sort key of runs: the time of their creation."""
    return run.created_at, run.generation, run.attempt


def in_order(runs: Iterable[JobRun]) -> list[JobRun]:
    """The runs, oldest first."""
    return sorted(runs, key=run_order)


def parse_run(body: Document) -> JobRun:
    """Read a Job. Raises KeyError or ValueError for a Job that this operator did not make."""
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
        generation=_read_number(annotations[GENERATION_ANNOTATION], INT64),
        intent=_read_hash(annotations[INTENT_ANNOTATION]),
        attempt=_read_number(annotations[ATTEMPT_ANNOTATION], INT32),
        state=state,
        created_at=parse_timestamp(metadata["creationTimestamp"]),
        image=_find_image(body),
        action=annotations.get(ACTION_ANNOTATION),
        plan=_read_hash(annotations[PLAN_ANNOTATION]) if PLAN_ANNOTATION in annotations else None,
        is_deleting="deletionTimestamp" in metadata,
        started_at=read_timestamp(status.get("startTime")),
        finished_at=finished,
        failure_reason=failed.get("reason") if failed else None,
        failure_message=failed.get("message", "") if failed else "",
        deadline_at=_find_deadline(body),
    )


def _find_image(body: Document) -> str:
    pod = ((body.get("spec") or {}).get("template") or {}).get("spec") or {}
    images = (c.get("image") for c in pod.get("containers") or () if c["name"] == RUNNER_CONTAINER)
    return str(next(images, None) or "")[: IMAGE.limit]


def _find_deadline(body: Document) -> datetime | None:
    started = read_timestamp((body.get("status") or {}).get("startTime"))
    seconds = (body.get("spec") or {}).get("activeDeadlineSeconds")
    if started is None or not isinstance(seconds, int):
        return None
    return started + timedelta(seconds=seconds)


def parse_pod(body: Document, *, is_gone: bool = False) -> Pod:
    """Read a Pod. Raises KeyError for a Pod that this operator did not make."""
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
        has_started=_has_started(status),
        ended=_find_end(status),
        failed=_find_failure(status),
        disrupted=str(disruption.get("message", "")) if is_disrupted else None,
        status_reason=status.get("reason"),
        is_cut_off=_is_cut_off(conditions),
        gone_by=read_timestamp(metadata.get("deletionTimestamp")),
    )


def _read_number(text: str, most: int) -> int:
    number = int(text) if len(text) < 20 else most + 1
    if not 0 <= number <= most:
        raise ValueError("a number that the operator would not have written")
    return number


def _read_hash(text: str) -> str:
    if len(text) > WORD_LIMIT:
        raise ValueError("a hash that the operator would not have written")
    return text


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
            return Waiting(waiting["reason"], waiting.get("message", ""), container["name"])
    return None


def _find_runner(status: Document) -> Document:
    """The state of the runner's container; empty while there is none."""
    containers = status.get("containerStatuses") or ()
    return next((c.get("state") or {} for c in containers if c["name"] == RUNNER_CONTAINER), {})


def _has_started(status: Document) -> bool:
    state = _find_runner(status)
    return "running" in state or bool((state.get("terminated") or {}).get("startedAt"))


def _find_end(status: Document) -> ContainerEnd | None:
    """The end of the runner's container."""
    terminated = _find_runner(status).get("terminated")
    return None if terminated is None else _read_end(RUNNER_CONTAINER, terminated)


def _find_failure(status: Document) -> ContainerEnd | None:
    """The first other container that failed; the scratch server ends when the runner has."""
    for container in _container_statuses(status):
        name = container["name"]
        terminated = (container.get("state") or {}).get("terminated")
        if terminated is None or name in {RUNNER_CONTAINER, REHEARSAL_CONTAINER}:
            continue
        if terminated.get("exitCode", 0) != 0:
            return _read_end(name, terminated)
    return None


def _read_end(container: str, terminated: Document) -> ContainerEnd:
    return ContainerEnd(
        container=container,
        exit_code=int(terminated.get("exitCode", 0)),
        reason=terminated.get("reason", ""),
        message=terminated.get("message", ""),
        finished_at=read_timestamp(terminated.get("finishedAt")),
    )


def _is_cut_off(conditions: dict[str, Document]) -> bool:
    """Whether the node controller has marked the Pod as not ready, as it does for a lost node.

    It changes Ready alone and gives no reason; a kubelet gives one, and changes both.
    """
    ready, containers = (conditions.get(kind) or {} for kind in ("Ready", "ContainersReady"))
    return (
        ready.get("status") == "False"
        and not ready.get("reason")
        and containers.get("status") == "True"
    )
