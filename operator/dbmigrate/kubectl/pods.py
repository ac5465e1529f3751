"""The Pods of a resource's runs, and which container of one has a log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dbmigrate.api.fields import Document
from dbmigrate.api.names import COMMAND_LABEL, JOB_NAME_LABEL, REHEARSAL_CONTAINER, UID_LABEL
from dbmigrate.kubectl.collection import Collection
from dbmigrate.printable import one_line

CHECKS = frozenset({"status", "drift"})
"""The commands of runs that only look at the database, every now and then."""


@dataclass(frozen=True, slots=True)
class RunPod:
    """A Pod of a run."""

    namespace: str
    name: str
    job: str
    command: str
    created_at: str
    phase: str
    container: str
    """The container to read: an init container that failed, else the runner's."""
    has_log: bool
    """Whether that container has ever started."""
    waiting: str = ""
    """Why it has not."""


def pods_of(namespace: str, uid: str) -> Collection:
    """The Pods of the resource with that uid."""
    return Collection("pods", namespace, {"labelSelector": f"{UID_LABEL}={uid}"}, "/api/v1")


def choose_pod(bodies: Iterable[Document], job: str | None) -> RunPod | None:
    """The newest Pod: of that Job, or of all except checks where there is another."""
    pods = [read_pod(body) for body in bodies]
    if job is not None:
        pods = [pod for pod in pods if pod.job == job]
    return max(
        pods, key=lambda pod: (pod.command not in CHECKS, pod.created_at, pod.name), default=None
    )


def read_pod(body: Document) -> RunPod:
    """Read the needed parts of a Pod's body."""
    metadata, status = body["metadata"], body.get("status") or {}
    labels = metadata.get("labels") or {}
    failed = _find_failed(status.get("initContainerStatuses") or ())
    runner = body["spec"]["containers"][0]["name"]
    chosen = failed or _find_status(status.get("containerStatuses") or (), runner)
    state = chosen.get("state") or {}
    return RunPod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        job=labels.get(JOB_NAME_LABEL, ""),
        command=labels.get(COMMAND_LABEL, ""),
        created_at=metadata["creationTimestamp"],
        phase=status.get("phase", "Pending"),
        container=chosen.get("name", runner),
        has_log="running" in state or "terminated" in state,
        waiting=_explain_waiting(status, state),
    )


def _find_failed(statuses: Iterable[Document]) -> Document | None:
    for status in statuses:
        ended = (status.get("state") or {}).get("terminated")
        is_sidecar = status.get("name") == REHEARSAL_CONTAINER
        if ended and ended.get("exitCode", 0) != 0 and not is_sidecar:
            return status
    return None


def _find_status(statuses: Iterable[Document], name: str) -> Document:
    return next((status for status in statuses if status.get("name") == name), {"name": name})


def _explain_waiting(status: Document, state: Document) -> str:
    waiting = state.get("waiting") or {}
    parts = [str(waiting.get(part, "")) for part in ("reason", "message")]
    if not any(parts):
        conditions = status.get("conditions") or ()
        scheduled: Document = next((c for c in conditions if c.get("type") == "PodScheduled"), {})
        if scheduled.get("status") == "False":
            parts = [str(scheduled.get(part, "")) for part in ("reason", "message")]
    return one_line(": ".join(part for part in parts if part)) or "it has not started yet"
