"""The node: binds the cluster's Pods to itself and runs them."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

from urllib3.exceptions import HTTPError

from tests.cluster.api import STRATEGIC, Api, ApiError, Document
from tests.cluster.credentials import NODE_NAME
from tests.cluster.node.images import Images
from tests.cluster.node.lifecycle import Ending
from tests.cluster.node.log_server import LogServer
from tests.cluster.node.pod import is_over, key_of, path_of, uid_of
from tests.cluster.node.probe import find_obstacle
from tests.cluster.node.status import stamp
from tests.cluster.node.worker import PodWorker, Tools
from tests.cluster.unavailable import ClusterUnavailable

RETRY = 0.1
"""Seconds before the server is asked again after it did not answer."""
LABELS = {
    "kubernetes.io/hostname": NODE_NAME,
    "kubernetes.io/os": "linux",
    "kubernetes.io/arch": "amd64",
}


class Node:
    """Runs every Pod of the cluster, as the scheduler and the only kubelet."""

    def __init__(
        self, api: Api, directory: Path, *, server_port: int, certificate: tuple[Path, Path]
    ) -> None:
        self.images = Images(directory / "images")
        self.directory = directory
        self._tools = Tools(api, self.images, directory, server_port, NODE_NAME)
        self._api = api
        self._workers: dict[str, PodWorker] = {}
        self._lock = threading.Lock()
        self._held: dict[str, Document] | None = None
        self._log_server = LogServer(*certificate, find=self._find_log, is_running=self._is_running)
        self._watcher = threading.Thread(target=self._watch_for_ever, daemon=True)

    @staticmethod
    def check() -> None:
        """ClusterUnavailable if this machine does not let a container be made."""
        obstacle = find_obstacle()
        if obstacle is not None:
            raise ClusterUnavailable(f"Pods cannot run as processes here: {obstacle}")

    @property
    def names(self) -> dict[str, str]:
        """Host names that Pods can resolve, with their addresses; for Pods that start later."""
        return self._tools.names

    def start(self) -> None:
        """Join the cluster."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._log_server.start()
        self._register()
        self._watcher.start()

    def stop(self) -> None:
        """Kill all Pods' processes. The API server is told nothing."""
        self._tools.closing.set()
        self._log_server.stop()
        with self._lock:
            workers = list(self._workers.values())
        for worker in workers:
            worker.abandon()
        for worker in workers:
            worker.wait(5)
        shutil.rmtree(self.directory, ignore_errors=True)

    def logs(self, namespace: str, pod: str, container: str) -> str:
        """What a container has written to both outputs, also after its Pod is gone."""
        path = self._tools.log_of(namespace, pod, container)
        return path.read_text(errors="replace") if path.exists() else ""

    def claim_directory(self, namespace: str, claim: str) -> Path:
        """The directory behind a PersistentVolumeClaim."""
        directory = self.directory / "claims" / namespace / claim
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    def evict(
        self,
        namespace: str,
        pod: str,
        *,
        message: str = "The node was low on resource: memory.",
        grace: float | None = None,
    ) -> None:
        """Evict a Pod as a kubelet under pressure does. LookupError if it is not here."""
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "TerminationByKubelet",
            "message": message,
            "lastTransitionTime": stamp(),
        }
        worker = self._find(namespace, pod)
        worker.tell("Evicted", message)
        worker.stop(Ending("Evicted", message, condition, grace))

    def hold(self) -> None:
        """Take no more Pods: new ones stay Pending, until `release`."""
        with self._lock:
            if self._held is None:
                self._held = {}

    def release(self) -> None:
        """Take Pods again, those that wait first."""
        with self._lock:
            held, self._held = self._held or {}, None
        for pod in held.values():
            self._bind(pod)

    def _find_log(self, namespace: str, pod: str, container: str) -> Path | None:
        path = self._tools.log_of(namespace, pod, container)
        return path if path.exists() else None

    def _is_running(self, namespace: str, pod: str, container: str) -> bool:
        try:
            return self._find(namespace, pod).is_running(container)
        except LookupError:
            return False

    def _find(self, namespace: str, name: str) -> PodWorker:
        with self._lock:
            for worker in self._workers.values():
                if key_of(worker.pod) == (namespace, name):
                    return worker
        raise LookupError(f"no Pod {namespace}/{name} runs on the node")

    def _watch_for_ever(self) -> None:
        while not self._tools.closing.is_set():
            try:
                self._watch()
            except (ApiError, HTTPError, OSError, ValueError):
                time.sleep(RETRY)

    def _watch(self) -> None:
        """List, then follow. What was missed in between shows in the list."""
        pods = self._api.get("/api/v1/pods")
        there = {uid_of(pod) for pod in pods["items"]}
        with self._lock:
            lost = [uid for uid in self._workers if uid not in there]
        for uid in lost:
            self._forget(uid)
        for pod in pods["items"]:
            self._see(pod)
        version = pods["metadata"]["resourceVersion"]
        for event in self._api.watch("/api/v1/pods", resourceVersion=version):
            if self._tools.closing.is_set():
                return
            if event["type"] == "ERROR":
                raise ValueError("the watch is too old: list again")
            if event["type"] == "DELETED":
                self._forget(uid_of(event["object"]))
            else:
                self._see(event["object"])

    def _see(self, pod: Document) -> None:
        """Do what a Pod's present state asks for."""
        with self._lock:
            worker = self._workers.get(uid_of(pod))
        bound = pod["spec"].get("nodeName")
        is_deleted = "deletionTimestamp" in pod["metadata"]
        if worker is not None:
            if is_deleted:
                worker.delete(pod)
        elif bound == NODE_NAME and not is_over(pod):
            self._take(pod)
        elif not bound and not is_deleted and not pod["spec"].get("schedulingGates"):
            self._schedule(pod)

    def _schedule(self, pod: Document) -> None:
        wanted = pod["spec"].get("nodeSelector", {})
        if any(LABELS.get(key) != value for key, value in wanted.items()):
            self._refuse_place(pod)
            return
        with self._lock:
            if self._held is not None:
                self._held[uid_of(pod)] = pod
                return
        self._bind(pod)

    def _bind(self, pod: Document) -> None:
        """The binding comes back by the watch. A refusal: it did already, or the Pod is going."""
        namespace, name = key_of(pod)
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE_NAME}
        metadata = {"name": name, "namespace": namespace, "uid": uid_of(pod)}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": metadata, "target": target}
        try:
            self._api.post(f"{path_of(pod)}/binding", binding)
        except ApiError as error:
            if error.status >= 500:
                raise

    def _refuse_place(self, pod: Document) -> None:
        conditions = pod.get("status", {}).get("conditions", [])
        if any(c["type"] == "PodScheduled" and c["status"] == "False" for c in conditions):
            return
        why = "node(s) didn't match Pod's node affinity/selector"
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": f"0/1 nodes are available: 1 {why}.",
            "lastTransitionTime": stamp(),
        }
        self._api.patch(
            f"{path_of(pod)}/status", {"status": {"conditions": [condition]}}, STRATEGIC
        )

    def _take(self, pod: Document) -> None:
        worker = PodWorker(pod, self._tools)
        with self._lock:
            self._workers[uid_of(pod)] = worker
        worker.start()
        if "deletionTimestamp" in pod["metadata"]:
            worker.delete(pod)

    def _forget(self, uid: str) -> None:
        with self._lock:
            worker = self._workers.pop(uid, None)
            if self._held is not None:
                self._held.pop(uid, None)
        if worker is not None:
            worker.abandon()

    def _register(self) -> None:
        node: Document = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": NODE_NAME, "labels": LABELS},
        }
        try:
            self._api.post("/api/v1/nodes", node)
        except ApiError as error:
            if not error.is_conflict:
                raise
        capacity = {"cpu": "4", "memory": "8Gi", "pods": "500", "ephemeral-storage": "50Gi"}
        now = stamp()
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "the node of the tests",
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        status: Document = {
            "capacity": capacity,
            "allocatable": capacity,
            "conditions": [ready],
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._log_server.port}},
        }
        self._api.patch(f"/api/v1/nodes/{NODE_NAME}/status", {"status": status}, STRATEGIC)
