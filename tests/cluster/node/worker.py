"""One Pod on this node: its life in one thread, the reports about it in another.

A slow or absent API server holds up the reports, and never the containers, as
with a kubelet: it gets the newest status when it is back.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from urllib3.exceptions import HTTPError

from tests.cluster.api import STRATEGIC, Api, ApiError, Document
from tests.cluster.node.container import Container, Surroundings
from tests.cluster.node.images import Images
from tests.cluster.node.lifecycle import Ending, Lifecycle
from tests.cluster.node.lookup import Lookup
from tests.cluster.node.pod import grace_of, key_of, path_of, uid_of
from tests.cluster.node.status import PodStatus, stamp
from tests.cluster.node.volumes import VolumeMaker

RETRY = 0.1
"""Seconds until a request that failed is made again."""


@dataclass(slots=True)
class Tools:
    """What all Pods of a node share."""

    api: Api
    images: Images
    directory: Path
    server_port: int
    node: str
    names: dict[str, str] = field(default_factory=dict)
    """Host names that Pods can resolve, with their addresses."""
    closing: threading.Event = field(default_factory=threading.Event)
    """The node is stopped: no more reports."""

    def log_of(self, namespace: str, pod: str, container: str) -> Path:
        """Where a container's output is kept, also after the Pod is gone."""
        return self.directory / "logs" / namespace / pod / f"{container}.log"


class PodWorker:
    """Runs one Pod, and reports."""

    def __init__(self, pod: Document, tools: Tools) -> None:
        self.pod = pod
        self._tools = tools
        self._directory = tools.directory / "pods" / uid_of(pod)
        self._status = PodStatus(pod)
        self._lifecycle = Lifecycle(pod, self._status, prepare=self._prepare, tell=self.tell)
        self._lock = threading.Lock()
        self._is_reported = False
        self._is_deleted = False
        self._life = threading.Thread(target=self._lifecycle.run, daemon=True)
        self._reports = threading.Thread(target=self._report, daemon=True)

    def start(self) -> None:
        """Let it live."""
        self._life.start()
        self._reports.start()

    def stop(self, ending: Ending) -> None:
        """Stop it before its end; see Lifecycle."""
        self._lifecycle.stop(ending)

    def delete(self, pod: Document) -> None:
        """Its deletion was asked for: stop it, and take it out of the API when it is over."""
        self._lifecycle.stop(Ending(grace=grace_of(pod)))
        with self._lock:
            first, self._is_deleted = not self._is_deleted, True
            if not (first and self._is_reported):
                return
        threading.Thread(target=self._remove, daemon=True).start()

    def abandon(self) -> None:
        """It is not in the API any more: kill what is left of it."""
        self._lifecycle.stop(Ending(grace=0))

    def wait(self, seconds: float) -> None:
        """Return when its processes are gone, or after that time."""
        self._life.join(seconds)

    def is_running(self, container: str) -> bool:
        """Whether a container of that name may still write to its log."""
        statuses = [*self._status.init, *self._status.containers]
        return not self._status.has_ended and any(
            status.name == container and status.is_running for status in statuses
        )

    def tell(self, reason: str, message: str, kind: str = "Warning") -> None:
        """Record an Event. It is not worth a second try."""
        namespace, name = key_of(self.pod)
        now = stamp()
        event: Document = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{name}.", "namespace": namespace},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "namespace": namespace,
                "name": name,
                "uid": uid_of(self.pod),
            },
            "reason": reason,
            "message": message[:1024],
            "type": kind,
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": "kubelet", "host": self._tools.node},
        }
        try:
            self._tools.api.post(f"/api/v1/namespaces/{namespace}/events", event)
        except (ApiError, HTTPError):
            pass

    def _prepare(self) -> dict[str, Container]:
        namespace, name = key_of(self.pod)
        lookup = Lookup(self._tools.api, namespace)
        maker = VolumeMaker(self.pod, lookup, self._tools.images, self._directory / "volumes")
        spec = self.pod["spec"]
        volumes = {volume["name"]: maker.make(volume) for volume in spec.get("volumes", [])}
        around = Surroundings(
            pod=self.pod,
            images=self._tools.images,
            lookup=lookup,
            volumes=volumes,
            directory=self._directory,
            hosts=self._write_hosts(),
            server_port=self._tools.server_port,
        )
        containers = {}
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            log = self._tools.log_of(namespace, name, container["name"])
            log.parent.mkdir(parents=True, exist_ok=True)
            log.touch()
            containers[container["name"]] = Container(container, around, log)
        return containers

    def _write_hosts(self) -> Path:
        lines = ["127.0.0.1 localhost", f"127.0.0.1 {self.pod['metadata']['name']}"]
        lines += [f"{address} {name}" for name, address in self._tools.names.items()]
        for alias in self.pod["spec"].get("hostAliases", []):
            lines.append(" ".join([alias["ip"], *alias["hostnames"]]))
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / "hosts"
        path.write_text("\n".join(lines) + "\n")
        return path

    def _report(self) -> None:
        seen = 0
        while True:
            seen = self._status.wait_for_change(seen)
            is_last = self._status.has_ended
            self._insist(self._send_status)
            if is_last:
                break
        with self._lock:
            self._is_reported = True
            if not self._is_deleted:
                return
        self._remove()

    def _send_status(self) -> None:
        path = f"{path_of(self.pod)}/status"
        self._tools.api.patch(path, self._status.render(), STRATEGIC)

    def _remove(self) -> None:
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": uid_of(self.pod)}}
        self._insist(lambda: self._tools.api.delete(path_of(self.pod), options))
        shutil.rmtree(self._directory, ignore_errors=True)

    def _insist(self, request: Callable[[], object]) -> None:
        """Make the request until the server has taken it, or there is no such Pod any more."""
        while not self._tools.closing.is_set():
            try:
                request()
                return
            except ApiError as error:
                if error.status in {404, 409, 422}:
                    return
            except HTTPError:
                pass
            time.sleep(RETRY)
