"""A Pod's status, as the node keeps it, and as the API server gets it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.cluster.api import Document

HOST = "127.0.0.1"


def stamp() -> str:
    """The time now, as the API writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True)
class ContainerStatus:
    """Of one container, over all of its runs."""

    name: str
    image: str
    state: Document
    last_state: Document = field(default_factory=dict)
    restarts: int = 0
    is_sidecar: bool = False
    """An init container that goes on beside the others."""

    @property
    def is_running(self) -> bool:
        """Whether a run is going on."""
        return "running" in self.state

    @property
    def exit_code(self) -> int | None:
        """Of the last run, if it has ended."""
        code: int | None = self.state.get("terminated", {}).get("exitCode")
        return code

    @property
    def has_made_way(self) -> bool:
        """Of an init container: whether what comes after it may start."""
        return self.is_running if self.is_sidecar else self.exit_code == 0

    def render(self, *, is_init: bool) -> Document:
        """As in `containerStatuses`."""
        has_run = "waiting" not in self.state
        return {
            "name": self.name,
            "image": self.image,
            "imageID": f"registered://{self.image}" if has_run else "",
            "state": self.state,
            "lastState": self.last_state,
            "ready": self.has_made_way if is_init else self.is_running,
            "started": self.is_running,
            "restartCount": self.restarts,
        }


class PodStatus:
    """Of one Pod. Threads change it under `change`; one thread waits and sends it."""

    def __init__(self, pod: Document) -> None:
        spec = pod["spec"]
        starting = "PodInitializing" if spec.get("initContainers") else "ContainerCreating"
        self.init = [
            _new(container, "PodInitializing") for container in spec.get("initContainers", [])
        ]
        self.containers = [_new(container, starting) for container in spec["containers"]]
        self.phase = "Pending"
        self.reason: str | None = None
        self.message: str | None = None
        self.conditions: dict[str, Document] = {}
        self.has_ended = False
        self._started = stamp()
        self._uid = pod["metadata"]["uid"]
        self._changes = 0
        self._condition = threading.Condition()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Change it inside; who waits for changes is told."""
        with self._condition:
            yield
            self._changes += 1
            self._condition.notify_all()

    def wait_for_change(self, seen: int) -> int:
        """Return the number of changes when it is not `seen` any more."""
        with self._condition:
            self._condition.wait_for(lambda: self._changes != seen)
            return self._changes

    def end(self, phase: str, reason: str | None = None, message: str | None = None) -> None:
        """The Pod is over, once and for all."""
        with self.change():
            self.phase, self.reason, self.message = phase, reason, message
            self.has_ended = True

    def render(self) -> Document:
        """A strategic merge patch of the status, for this very Pod and no later one."""
        with self._condition:
            status = {
                "phase": self.phase,
                "reason": self.reason,
                "message": self.message,
                "hostIP": HOST,
                "hostIPs": [{"ip": HOST}],
                "podIP": HOST,
                "podIPs": [{"ip": HOST}],
                "startTime": self._started,
                "initContainerStatuses": [c.render(is_init=True) for c in self.init],
                "containerStatuses": [c.render(is_init=False) for c in self.containers],
                "conditions": self._render_conditions(),
            }
            return {"metadata": {"uid": self._uid}, "status": status}

    def _render_conditions(self) -> list[Document]:
        beside = [status for status in self.init if status.is_sidecar]
        initialized = all(status.has_made_way for status in self.init)
        running = all(status.is_running for status in (*beside, *self.containers))
        over = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(self.phase)
        unready = over or "ContainersNotReady"
        for kind, holds, reason in (
            ("PodReadyToStartContainers", not self.has_ended, None),
            ("Initialized", initialized, "ContainersNotInitialized"),
            ("ContainersReady", running, unready),
            ("Ready", running, unready),
        ):
            self._set(kind, holds, None if holds else reason)
        return list(self.conditions.values())

    def _set(self, kind: str, holds: bool, reason: str | None) -> None:
        status = "True" if holds else "False"
        old = self.conditions.get(kind)
        if old is None or (old["status"], old["reason"]) != (status, reason):
            self.conditions[kind] = {
                "type": kind,
                "status": status,
                "reason": reason,
                "lastTransitionTime": stamp(),
            }


def _new(container: Document, reason: str) -> ContainerStatus:
    waiting = {"waiting": {"reason": reason}}
    is_sidecar = container.get("restartPolicy") == "Always"
    return ContainerStatus(container["name"], container["image"], waiting, is_sidecar=is_sidecar)
