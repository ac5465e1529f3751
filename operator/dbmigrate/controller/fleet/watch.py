"""What the watch streams have shown of sets, and which set an event wakes.

Of Jobs and Pods only what a decision needs is kept. A Pod whose report is counted already is kept
until its Job goes: it costs little, and the decision asks for it by its shard.

Jobs and Pods come by streams of their own, so a Job may be seen to go before the last events of its
Pods, which hold their reports. It is kept as one that is being deleted until those have come, and
its Pods until a status that needs none of their reports is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from dbmigrate.api.action import Action, read_action
from dbmigrate.api.fields import Document
from dbmigrate.api.fleet.resource import SetResource, parse_set
from dbmigrate.api.fleet.targets import ConfigMapTargets
from dbmigrate.api.names import SET_UID_LABEL
from dbmigrate.api.source import ConfigMapsSource
from dbmigrate.controller.cluster import Cluster, ResourceKind
from dbmigrate.controller.fleet.job_object import parse_fleet_job, parse_shard_pod
from dbmigrate.controller.fleet.jobs import FleetJob, ShardPod
from dbmigrate.controller.reading import read, read_all
from dbmigrate.controller.watches.observed import Key
from dbmigrate.controller.watches.work_queue import WorkQueue

Body = Mapping[str, Any]
EVENT_DELAY = timedelta(seconds=10)
"""How long the stream may take longer than a list to show that a Pod is gone."""


class SetWatch:
    """The receiver of the watch streams, and the cache behind them."""

    def __init__(self, wakes: WorkQueue) -> None:
        self._wakes = wakes
        self._keys: dict[str, Key] = {}
        self._config_maps: dict[Key, frozenset[Key]] = {}
        self._jobs: dict[str, dict[str, FleetJob]] = defaultdict(dict)
        self._pods: dict[str, dict[str, ShardPod]] = defaultdict(dict)
        self._actions: dict[Key, dict[str, Action]] = defaultdict(dict)
        self._missing: dict[str, dict[str, datetime]] = {}
        """By set, the Pods that its last list did not have, and since when."""
        self._leaving: set[str] = set()
        """The Jobs, by uid, that are gone and kept."""

    async def take_stock(self, cluster: Cluster, namespaces: tuple[str, ...]) -> None:
        """Record all existing objects, and wake all sets. Raises ClusterError."""
        for namespace in namespaces or (None,):
            async for body in cluster.list_all(ResourceKind.SETS, namespace):
                self.on_set(body, is_gone=False)
            async for body in cluster.list_all(ResourceKind.ACTIONS, namespace):
                self.on_action(body, is_gone=False)
            async for body in cluster.list_all(ResourceKind.JOBS, namespace, SET_UID_LABEL):
                self.on_job(body, is_gone=False)
            async for body in cluster.list_all(ResourceKind.PODS, namespace, SET_UID_LABEL):
                self.on_pod(body, is_gone=False)

    def list_keys(self) -> tuple[Key, ...]:
        """All sets that have been seen and are not gone."""
        return tuple(self._keys.values())

    # Events

    def on_set(self, body: Body, *, is_gone: bool) -> None:
        """A set has been created, changed or deleted."""
        metadata = body["metadata"]
        key = metadata["namespace"], metadata["name"]
        if is_gone:
            self._wakes.forget(key)
            self.forget(key, metadata["uid"])
        else:
            self._keys[metadata["uid"]] = key
            found = read(parse_set, dict(body))
            if found is not None:
                self.see(found)
        self._wakes.wake(key)

    def on_action(self, body: Body, *, is_gone: bool) -> None:
        """An order has been created, changed or deleted."""
        action = read(read_action, dict(body))
        if action is None or not action.is_for_set:
            return
        key = action.namespace, action.migration
        if is_gone:
            self._actions[key].pop(action.name, None)
            return
        self.see_action(action)
        self._wakes.wake(key)

    def on_job(self, body: Body, *, is_gone: bool) -> None:
        """A Job has been created, changed or deleted."""
        job = read(parse_fleet_job, dict(body))
        if job is None:
            return
        if is_gone:
            self._let_go(job)
        else:
            self._jobs[job.set_uid][job.name] = job
        self._wake_owner(job.set_uid)

    def on_pod(self, body: Body, *, is_gone: bool) -> None:
        """A Pod has been created, changed or deleted; what it said last is kept with its Job."""
        found = read(partial(parse_shard_pod, is_gone=is_gone), dict(body))
        if found is None:
            return
        uid, pod = found.pod.migration_uid, found.pod
        if is_gone and pod.job not in self._jobs[uid] and pod.name not in self._pods[uid]:
            return
        known = self._pods[uid].get(pod.name)
        self._pods[uid][pod.name] = found
        job = self._jobs[uid].get(pod.job)
        if job is not None and job.uid in self._leaving:
            self._let_go(job)
        # A wave of a thousand shards makes thousands of events: only these change a decision.
        if known is None or _has_moved(known, found):
            self._wake_owner(uid)

    def on_config_map(self, body: Body) -> None:
        """A ConfigMap has been created, changed or deleted."""
        changed = body["metadata"]["namespace"], body["metadata"]["name"]
        for key, used in self._config_maps.items():
            if changed in used:
                self._wakes.wake(key)

    def _wake_owner(self, uid: str) -> None:
        key = self._keys.get(uid)
        if key is not None:
            self._wakes.wake(key)

    # The cache

    def see(self, found: SetResource) -> None:
        """Record which ConfigMaps a set uses."""
        identity, source, targets = found.identity, found.spec.template.source, found.spec.targets
        key = identity.namespace, identity.name
        self._keys[identity.uid] = key
        names = {*source.names} if isinstance(source, ConfigMapsSource) else set()
        if isinstance(targets, ConfigMapTargets):
            names.add(targets.name)
        self._config_maps[key] = frozenset((identity.namespace, name) for name in names)

    def see_action(self, action: Action) -> None:
        """An order has been created or answered."""
        self._actions[action.namespace, action.migration][action.name] = action

    def see_owner(self, action: Action) -> None:
        """The order has got its owner; its phase may have changed meanwhile."""
        known = self._actions.get((action.namespace, action.migration), {})
        if action.name in known:
            known[action.name] = replace(known[action.name], is_owned=True)

    def forget_action(self, action: Action) -> None:
        """The order has been deleted."""
        self._actions[action.namespace, action.migration].pop(action.name, None)

    def see_job(self, job: FleetJob) -> None:
        """A Job has just been created."""
        self._jobs[job.set_uid][job.name] = job

    def find(self, uid: str) -> tuple[tuple[FleetJob, ...], tuple[ShardPod, ...]]:
        """The Jobs and Pods of a set."""
        return tuple(self._jobs[uid].values()), tuple(self._pods[uid].values())

    def find_actions(self, key: Key) -> tuple[Action, ...]:
        """The orders for a set."""
        return tuple(self._actions.get(key, {}).values())

    def replace(self, uid: str, jobs: list[Document], pods: list[Document], now: datetime) -> None:
        """Replace what the streams have shown by what the API server has just answered.

        Pods that are gone remain until they are released: their reports may still be needed. The
        event with the report of one that a list lacks may still come, for a while.
        """
        before, known = self._jobs[uid], self._pods[uid]
        self._jobs[uid] = {job.name: job for job in read_all(parse_fleet_job, jobs)}
        self._pods[uid] = {each.pod.name: each for each in read_all(parse_shard_pod, pods)}
        since, names = self._missing.get(uid, {}), known.keys() - self._pods[uid].keys()
        self._missing[uid] = {name: since.get(name, now) for name in names}
        for name, moment in self._missing[uid].items():
            pod = known[name].pod
            is_gone = pod.is_gone or now - moment > EVENT_DELAY
            self._pods[uid][name] = replace(known[name], pod=replace(pod, is_gone=is_gone))
        for job in before.values():
            if job.name not in self._jobs[uid]:
                self._let_go(job)

    def release(self, uid: str, needed: Collection[str]) -> None:
        """Forget the Pods of Jobs that are gone, but for those Jobs whose reports are needed."""
        kept = {*self._jobs[uid], *needed}
        pods = self._pods[uid].items()
        self._pods[uid] = {name: each for name, each in pods if each.pod.job in kept}

    def _let_go(self, job: FleetJob) -> None:
        """Forget a Job that is gone, unless a Pod of it may be at work by what is known."""
        jobs, pods = self._jobs[job.set_uid], self._pods[job.set_uid].values()
        if any(each.pod.job == job.name and each.pod.may_be_running for each in pods):
            jobs[job.name] = replace(job, is_deleting=True)
            self._leaving.add(job.uid)
        else:
            jobs.pop(job.name, None)
            self._leaving.discard(job.uid)

    def forget(self, key: Key, uid: str | None = None) -> None:
        """The set is gone."""
        uids = [uid] if uid is not None else [u for u, each in self._keys.items() if each == key]
        for each in uids:
            self._keys.pop(each, None)
            self._jobs.pop(each, None)
            self._pods.pop(each, None)
            self._missing.pop(each, None)
        if key not in self._keys.values():
            self._config_maps.pop(key, None)


def _has_moved(known: ShardPod, found: ShardPod) -> bool:
    before, after = known.pod, found.pod
    return (before.has_told, before.has_started, before.waiting, before.is_gone) != (
        after.has_told,
        after.has_started,
        after.waiting,
        after.is_gone,
    )
