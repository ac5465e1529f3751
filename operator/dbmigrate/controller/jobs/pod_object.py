"""A Pod of the API server, read as a Pod of a run."""

from __future__ import annotations

from collections.abc import Iterable

from dbmigrate.api.fields import Document
from dbmigrate.api.forms import IMAGE
from dbmigrate.api.names import JOB_NAME_LABEL, REHEARSAL_CONTAINER, RUNNER_CONTAINER, UID_LABEL
from dbmigrate.controller.decisions.pods import ContainerEnd, Pod, Waiting
from dbmigrate.timestamps import read_timestamp


def find_image(body: Document) -> str:
    pod = ((body.get("spec") or {}).get("template") or {}).get("spec") or {}
    images = (c.get("image") for c in pod.get("containers") or () if c["name"] == RUNNER_CONTAINER)
    return str(next(images, None) or "")[: IMAGE.limit]


def parse_pod(body: Document, *, is_gone: bool = False, label: str = UID_LABEL) -> Pod:
    """Read a Pod. Raises KeyError for a Pod that this operator did not make.

    `label` holds the uid of the resource that it is for.
    """
    metadata, status = body["metadata"], body.get("status") or {}
    conditions = {c["type"]: c for c in status.get("conditions") or ()}
    disruption = conditions.get("DisruptionTarget") or {}
    is_disrupted = disruption.get("status") == "True"
    return Pod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        migration_uid=metadata["labels"][label],
        job=metadata["labels"][JOB_NAME_LABEL],
        phase=status.get("phase", "Pending"),
        is_gone=is_gone,
        node=(body.get("spec") or {}).get("nodeName"),
        started_at=read_timestamp(status.get("startTime")),
        waiting=_find_waiting(status, conditions),
        has_started=_has_started(status),
        held_by=_find_holder(body.get("spec") or {}, status),
        ended=_find_end(status),
        failed=_find_failure(status),
        disrupted=str(disruption.get("message", "")) if is_disrupted else None,
        status_reason=status.get("reason"),
        is_cut_off=_is_cut_off(conditions),
        gone_by=read_timestamp(metadata.get("deletionTimestamp")),
    )


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


def _find_holder(spec: Document, status: Document) -> str | None:
    """The init container that runs at present and has to come further before the next one starts.

    A container that Kubernetes restarts runs in parallel: it only has to have started.
    """
    known = spec.get("initContainers") or ()
    beside = {c["name"] for c in known if c.get("restartPolicy") == "Always"}
    for container in status.get("initContainerStatuses") or ():
        name, state = container["name"], container.get("state") or {}
        if "running" not in state:
            continue
        if name not in beside:
            return (
                f"init container {name} has not ended: one that is to run beside the runner needs"
                " restartPolicy Always"
            )
        if not container.get("started"):
            return f"container {name} has not started: its startupProbe has not succeeded yet"
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
