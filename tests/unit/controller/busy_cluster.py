"""A cluster at which many runs are at work at once, in virtual time; it counts the requests.

The operator's parts are the real ones, wired as the service does it. Jobs are taken up and Pods
end after the delays that a test chooses; events arrive in their order a moment later.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from dbmigrate.api.fields import Document
from dbmigrate.api.names import COMMAND_LABEL, JOB_NAME_LABEL, UID_LABEL
from dbmigrate.controller.cluster import Cluster, ResourceKind
from dbmigrate.controller.config import Config
from dbmigrate.controller.metrics import Metrics
from dbmigrate.controller.reconciler import Reconciler
from dbmigrate.controller.watches.events import Watch
from dbmigrate.controller.watches.observed import Key, Observed
from dbmigrate.controller.watches.streams import Streams
from dbmigrate.controller.watches.work_queue import WorkQueue
from dbmigrate.timestamps import format_timestamp
from tests.unit.controller.resources import NOW, make_report, merge

BOOKMARK_SECONDS = 61
EVENT_SECONDS = 0.02


@dataclass(frozen=True)
class Pace:
    """How quickly the cluster does its part, in seconds."""

    request: float = 0.05
    """For one request of the operator."""
    job: float = 0.1
    """From a Job's creation until the Job controller has come to it."""
    pod: float = 0.0
    """From then until it has a Pod."""
    container: float = 0.0
    """From then until its container starts."""
    run: float = 1.0
    """From then until it ends."""
    is_mute: bool = False
    """The streams of Jobs and Pods are dead: they show nothing."""


@dataclass
class BusyCluster:
    """The API server, the Job controller and a kubelet."""

    pace: Pace
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._version = 0
        self._untold: deque[tuple[ResourceKind, Document]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._streams = Streams(monotonic=self._loop.time)
        self._objects: dict[ResourceKind, dict[str, Document]] = {kind: {} for kind in ResourceKind}
        observed = Observed()
        reconciler = Reconciler(
            cast(Cluster, self),
            observed,
            Config(resync=None),
            clock=self.clock,
            server_version=(1, 36),
            cluster_name="here",
            metrics=Metrics("1"),
        )
        self._queue = WorkQueue(
            reconciler.look,
            clock=self.clock,
            on_error=self._fail,
            on_end=lambda *_: None,
            workers=16,
            has_heard=self._streams.have_shown,
            on_rest=observed.rest,
            monotonic=self._loop.time,
        )
        self._watch = Watch(observed, self._queue)
        self.errors: list[Exception] = []

    def clock(self) -> datetime:
        """The time of the operator and of the cluster."""
        return NOW + timedelta(seconds=self._loop.time())

    def _fail(self, _: Key, error: Exception) -> None:
        self.errors.append(error)

    async def migrate(self, count: int) -> None:
        """Apply that many resources at once, and return when all are Ready and at rest."""
        work = [asyncio.create_task(self._queue.run()), asyncio.create_task(self._bookmark())]
        self._put(ResourceKind.CONFIG_MAPS, "files", data={"000001_x.up.sql": "SELECT 1;"})
        for number in range(count):
            secret = {"name": f"db-{number}", "key": "url"}
            spec = {
                "database": {"urlFrom": {"secretKeyRef": secret}},
                "source": {"configMaps": [{"name": "files"}]},
            }
            self._put(ResourceKind.MIGRATIONS, f"m-{number}", generation=1, spec=spec)
        while self.count_ready() < count or self._tasks:
            await asyncio.sleep(1)
            assert self._loop.time() < 3600, f"{self.count_ready()} of {count} are Ready"
        await asyncio.sleep(10)
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        assert self.errors == []

    def count_ready(self) -> int:
        """How many are Ready."""
        return sum(
            condition["type"] == "Ready" and condition["status"] == "True"
            for body in self._objects[ResourceKind.MIGRATIONS].values()
            for condition in body.get("status", {}).get("conditions", ())
        )

    # The streams

    async def _bookmark(self) -> None:
        while True:
            await asyncio.sleep(BOOKMARK_SECONDS)
            for kind in ResourceKind:
                self._hear(kind)

    def _hear(self, kind: ResourceKind) -> bool:
        """Whether the stream of a kind shows anything."""
        is_dead = self.pace.is_mute and kind in {ResourceKind.JOBS, ResourceKind.PODS}
        if not is_dead:
            self._streams.hear(kind.path(None))
        return not is_dead

    def _put(self, kind: ResourceKind, name: str, **parts: Any) -> Document:
        """Create or change an object, and let its stream show it."""
        self._version += 1
        known = self._objects[kind].get(name) or {
            "metadata": {
                "namespace": "team",
                "name": name,
                "uid": f"uid-of-{name}",
                "creationTimestamp": format_timestamp(self.clock()),
            }
        }
        metadata = {"resourceVersion": str(self._version), **parts.pop("metadata", {})}
        if "generation" in parts:
            metadata["generation"] = parts.pop("generation")
        body = merge(known, {**parts, "metadata": metadata})
        self._objects[kind][name] = body
        self._untold.append((kind, deepcopy(body)))
        self._loop.call_later(EVENT_SECONDS, self._show_next)
        return deepcopy(body)

    def _show_next(self) -> None:
        """Show the oldest change: timers of the same moment run in any order."""
        kind, body = self._untold.popleft()
        receivers = {
            ResourceKind.MIGRATIONS: self._watch.on_migration,
            ResourceKind.JOBS: self._watch.on_job,
            ResourceKind.PODS: self._watch.on_pod,
            ResourceKind.CONFIG_MAPS: self._watch.on_config_map,
        }
        if self._hear(kind):
            receivers[kind](body, is_gone=False)

    # The Job controller and the kubelet

    async def _work(self, job: Document) -> None:
        name, uid = job["metadata"]["name"], job["metadata"]["labels"][UID_LABEL]
        await asyncio.sleep(self.pace.job)
        self._put(ResourceKind.JOBS, name, status={"startTime": format_timestamp(self.clock())})
        await asyncio.sleep(self.pace.pod)
        pod = f"{name}-x"
        labels = {UID_LABEL: uid, JOB_NAME_LABEL: name}
        creating = {"waiting": {"reason": "ContainerCreating"}}
        self._put_pod(pod, "Pending", creating, metadata={"labels": labels})
        await asyncio.sleep(self.pace.container)
        self._put_pod(pod, "Running", {"running": {"startedAt": format_timestamp(self.clock())}})
        await asyncio.sleep(self.pace.run)
        moment = format_timestamp(self.clock())
        end = {"exitCode": 0, "startedAt": moment, "finishedAt": moment}
        report = make_report(steps=(), steps_total=0).to_json(4096)
        self._put_pod(pod, "Succeeded", {"terminated": {**end, "message": report}})
        await asyncio.sleep(0.5)
        done = {"completionTime": moment, "conditions": [{"type": "Complete", "status": "True"}]}
        self._put(ResourceKind.JOBS, name, status=done)

    def _put_pod(self, name: str, phase: str, state: Document, **parts: Any) -> None:
        containers = [{"name": "dbmigrate", "state": state}]
        status = {"phase": phase, "containerStatuses": containers}
        self._put(ResourceKind.PODS, name, status=status, **parts)

    # The API server, as far as the operator uses it

    async def _answer(self, request: str) -> None:
        self.counts[request] += 1
        await asyncio.sleep(self.pace.request)

    async def find_migration(self, _: str, name: str) -> Document | None:
        await self._answer("get migration")
        return deepcopy(self._objects[ResourceKind.MIGRATIONS].get(name))

    async def find_config_map(self, _: str, name: str) -> Document | None:
        await self._answer("get configmap")
        return deepcopy(self._objects[ResourceKind.CONFIG_MAPS].get(name))

    async def list_jobs(self, _: str, uids: Collection[str]) -> list[Document]:
        await self._answer("list jobs")
        return self._select(ResourceKind.JOBS, uids)

    async def list_pods(self, _: str, uids: Collection[str]) -> list[Document]:
        await self._answer("list pods")
        return self._select(ResourceKind.PODS, uids)

    def _select(self, kind: ResourceKind, uids: Collection[str]) -> list[Document]:
        found = self._objects[kind].values()
        return [deepcopy(b) for b in found if b["metadata"]["labels"][UID_LABEL] in uids]

    async def find_warning(self, *_: str) -> str | None:
        await self._answer("list events")
        return None

    async def create_job(self, body: Document, **_: bool) -> Document:
        await self._answer("create job")
        metadata = body["metadata"]
        assert metadata["labels"][COMMAND_LABEL] == "goto"
        kept: Mapping[str, Any] = {
            key: metadata[key] for key in ("labels", "annotations", "ownerReferences")
        }
        name = metadata["name"]
        assert name not in self._objects[ResourceKind.JOBS]
        made = self._put(ResourceKind.JOBS, name, metadata=dict(kept), spec=body["spec"])
        task = asyncio.create_task(self._work(made))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return made

    async def patch_status(self, _: str, name: str, patch: Document) -> Document:
        await self._answer("patch status")
        known = self._objects[ResourceKind.MIGRATIONS][name]["metadata"]["resourceVersion"]
        assert patch["metadata"]["resourceVersion"] == known
        return self._put(ResourceKind.MIGRATIONS, name, status=patch["status"])

    async def create_event(self, _: Document) -> None:
        await self._answer("create event")
