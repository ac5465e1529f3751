"""What the watch streams have shown so far, reduced.

Bodies of resources are kept only while they are being worked on; of Jobs, Pods and
ConfigMaps only what a decision needs. All of it may be behind the API server: a
decision that rests on the absence of something is made again on a fresh view
before it is carried out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from dbmigrate.api.action import Action
from dbmigrate.api.fields import Document
from dbmigrate.api.migration import MigrationResource
from dbmigrate.api.source import ConfigMapsSource
from dbmigrate.controller.decisions.files import ConfigMapFiles
from dbmigrate.controller.decisions.pods import Pod
from dbmigrate.controller.decisions.runs import JobRun

Key = tuple[str, str]
"""Namespace and name of a DatabaseMigration."""
USED = (
    "namespace",
    "name",
    "uid",
    "generation",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
)
"""The metadata that a look reads; managedFields alone may be larger than all the rest."""


class News(Enum):
    """What a body shows that was not known."""

    NOTHING = "nothing"
    STATUS = "status"
    """Or labels or the like; the spec is that of the body before."""
    SPEC = "spec"


@dataclass(frozen=True, slots=True, order=True)
class Claim:
    """A resource's wish for a database; the least of several is the older."""

    created_at: datetime
    uid: str
    name: str


class Observed:
    """The cache of the watch streams."""

    def __init__(self) -> None:
        self._bodies: dict[Key, Document] = {}
        self._keys: dict[str, Key] = {}
        self._shown: dict[str, tuple[str, int]] = {}
        """By uid, the newest version that a list or the stream has shown, and its generation."""
        self._moved: set[str] = set()
        """The uids of which a Job or a Pod has been shown since `begin_read`."""
        self._runs: dict[str, dict[str, JobRun]] = defaultdict(dict)
        self._pods: dict[str, dict[str, Pod]] = defaultdict(dict)
        self._config_maps: dict[Key, ConfigMapFiles] = {}
        self._claims: dict[tuple[str, str], dict[Key, Claim]] = defaultdict(dict)
        self._claimed: dict[Key, tuple[str, str]] = {}
        self._actions: dict[Key, dict[str, Action]] = defaultdict(dict)
        self._users: dict[Key, set[Key]] = defaultdict(set)
        self._used: dict[Key, frozenset[Key]] = {}

    # Resources

    def see_version(self, body: Document) -> News:
        """A list or the stream shows a resource. Returns what of it none has shown before."""
        metadata = body["metadata"]
        uid, version = str(metadata["uid"]), str(metadata["resourceVersion"])
        generation = int(metadata.get("generation", 0))
        before, known = self._shown.get(uid, (None, None))
        self._shown[uid] = version, generation
        if version == before:
            return News.NOTHING
        return News.STATUS if generation == known and generation else News.SPEC

    def see_body(self, body: Document) -> None:
        """A resource has been created or changed; a version older than the known one is ignored."""
        metadata = body["metadata"]
        key = (metadata["namespace"], metadata["name"])
        known = self._bodies.get(key)
        if known is None or known["metadata"]["uid"] != metadata["uid"] or _is_newer(body, known):
            self._bodies[key] = _reduce(body)
        self._keys[metadata["uid"]] = key

    def list_keys(self) -> tuple[Key, ...]:
        """All resources that have been seen and are not gone."""
        return tuple(self._keys.values())

    def find_body(self, key: Key) -> Document | None:
        """The last body that was seen, unless it has been dropped."""
        return self._bodies.get(key)

    def drop_body(self, key: Key) -> None:
        """Its body can be read again when needed."""
        self._bodies.pop(key, None)

    def rest(self, key: Key) -> None:
        """Nothing more is known to do for it: its body goes, unless a run of it is active.

        No event is expected soon, and ten thousand idle bodies would take too much memory.
        """
        body = self._bodies.get(key)
        runs = self._runs.get(body["metadata"]["uid"], {}) if body is not None else {}
        if not any(run.is_active for run in runs.values()):
            self.drop_body(key)

    def see_migration(self, migration: MigrationResource) -> list[Key]:
        """Record which database and which ConfigMaps a resource uses.

        Returns the other resources on the database that it has left, and on the one it has come to.
        """
        identity = migration.identity
        key = (identity.namespace, identity.name)
        self._keys[identity.uid] = key
        slot = (identity.namespace, migration.spec.database.identity)
        concerned: list[Key] = []
        if self._claimed.get(key, slot) != slot:
            left = self._claims[self._claimed[key]]
            left.pop(key, None)
            concerned = [*left, *self._claims[slot]]
            if not left:
                del self._claims[self._claimed[key]]
        self._claimed[key] = slot
        self._claims[slot][key] = Claim(identity.created_at, identity.uid, identity.name)
        source = migration.spec.source
        names = source.names if isinstance(source, ConfigMapsSource) else ()
        self._use(key, frozenset((identity.namespace, name) for name in names))
        return concerned

    def forget_migration(self, key: Key, uid: str | None = None) -> list[Key]:
        """The resource is gone. Returns those that had to wait for it."""
        if uid is not None:
            self._keys.pop(uid, None)
            self._shown.pop(uid, None)
            self._moved.discard(uid)
            self._runs.pop(uid, None)
            self._pods.pop(uid, None)
        body = self._bodies.get(key)
        if body is not None and uid is not None and body["metadata"]["uid"] != uid:
            return []  # its name belongs to another resource
        self._bodies.pop(key, None)
        self._use(key, frozenset())
        slot = self._claimed.pop(key, None)
        if slot is None:
            return []
        self._claims[slot].pop(key, None)
        waiting = list(self._claims[slot])
        if not waiting:
            del self._claims[slot]
        return waiting

    def find_older(self, migration: MigrationResource) -> Claim | None:
        """The oldest other resource on the same database, if it is older than this one."""
        identity = migration.identity
        claims = self._claims.get((identity.namespace, migration.spec.database.identity), {})
        mine = Claim(identity.created_at, identity.uid, identity.name)
        oldest = min(claims.values(), default=mine)
        return oldest if oldest < mine else None

    def find_key(self, uid: str) -> Key | None:
        """The resource of that uid."""
        return self._keys.get(uid)

    # Actions

    def see_action(self, action: Action) -> bool:
        """An order has been created or changed. Returns whether that was unknown."""
        known = self._actions[action.namespace, action.migration]
        is_news = known.get(action.name) != action
        known[action.name] = action
        return is_news

    def see_owner(self, action: Action) -> None:
        """The order has got an owner; its phase may have changed meanwhile."""
        known = self._actions.get((action.namespace, action.migration), {})
        if action.name in known:
            known[action.name] = replace(known[action.name], is_owned=True)

    def forget_action(self, action: Action) -> None:
        """It has been deleted."""
        key = (action.namespace, action.migration)
        self._actions[key].pop(action.name, None)
        if not self._actions[key]:
            del self._actions[key]

    def find_actions(self, key: Key) -> tuple[Action, ...]:
        """All orders for a resource, ended or not."""
        return tuple(self._actions.get(key, {}).values())

    # ConfigMaps

    def see_config_map(self, key: Key, files: ConfigMapFiles) -> bool:
        """A ConfigMap has been created or changed. Returns whether its migrations have."""
        is_news = self._config_maps.get(key) != files
        self._config_maps[key] = files
        return is_news

    def forget_config_map(self, key: Key) -> None:
        """It is gone, or holds no migrations any more."""
        self._config_maps.pop(key, None)

    def find_config_map(self, key: Key) -> ConfigMapFiles | None:
        """Its files, if it was seen."""
        return self._config_maps.get(key)

    def users_of(self, config_map: Key) -> Iterable[Key]:
        """The resources whose source names it."""
        return tuple(self._users.get(config_map, ()))

    def _use(self, key: Key, config_maps: frozenset[Key]) -> None:
        before = self._used.pop(key, frozenset())
        for config_map in before - config_maps:
            self._users[config_map].discard(key)
            if not self._users[config_map]:
                del self._users[config_map]
        for config_map in config_maps:
            self._users[config_map].add(key)
        if config_maps:
            self._used[key] = config_maps

    # Jobs and Pods

    def begin_read(self, uid: str) -> None:
        """The Jobs and Pods of a resource are about to be listed."""
        self._moved.discard(uid)

    def has_moved(self, uid: str) -> bool:
        """Whether an event of them has come since: the lists may be older than what is known."""
        return uid in self._moved

    def see_run(self, run: JobRun) -> bool:
        """A Job of the operator has been created or changed. Returns whether the run has."""
        self._moved.add(run.migration_uid)
        is_news = self._runs[run.migration_uid].get(run.name) != run
        self._runs[run.migration_uid][run.name] = run
        return is_news

    def forget_run(self, run: JobRun) -> None:
        """The Job is gone, and what was kept of its Pods with it."""
        self._moved.add(run.migration_uid)
        known = self._runs.get(run.migration_uid, {})
        if run.name in known and known[run.name].uid == run.uid:
            del known[run.name]
        pods = self._pods.get(run.migration_uid, {})
        for name in [n for n, pod in pods.items() if pod.job == run.name and pod.is_gone]:
            del pods[name]
        self._prune(run.migration_uid)

    def see_pod(self, pod: Pod) -> bool:
        """A Pod has been created, changed or deleted: its end is kept with its Job.

        Returns whether anything of it was unknown.
        """
        self._moved.add(pod.migration_uid)
        pods = self._pods[pod.migration_uid]
        is_news = pods.get(pod.name) != pod
        if pod.is_gone and pod.job not in self._runs.get(pod.migration_uid, {}):
            pods.pop(pod.name, None)
            self._prune(pod.migration_uid)
        else:
            pods[pod.name] = pod
        return is_news

    def find_runs(self, uid: str) -> tuple[JobRun, ...]:
        """The Jobs of the resource with that uid."""
        return tuple(self._runs.get(uid, {}).values())

    def find_pods(self, uid: str) -> tuple[Pod, ...]:
        """The Pods of the resource with that uid."""
        return tuple(self._pods.get(uid, {}).values())

    def replace_runs(self, uid: str, runs: Iterable[JobRun], pods: Iterable[Pod]) -> None:
        """Replace what the streams have shown by what the API server has just answered.

        Pods that are gone remain, marked so: their reports may still be needed.
        """
        self._runs[uid] = {run.name: run for run in runs}
        before = self._pods.get(uid, {})
        self._pods[uid] = {pod.name: pod for pod in pods}
        for name, pod in before.items():
            if name not in self._pods[uid] and pod.job in self._runs[uid]:
                self._pods[uid][name] = replace(pod, is_gone=True)
        self._prune(uid)

    def _prune(self, uid: str) -> None:
        """Remove empty entries: ten thousand idle resources must need little memory."""
        if uid in self._runs and not self._runs[uid]:
            del self._runs[uid]
        if uid in self._pods and not self._pods[uid]:
            del self._pods[uid]


def _reduce(body: Document) -> Document:
    """The parts of a body that a look reads."""
    metadata = body["metadata"]
    reduced: Document = {key: body[key] for key in ("spec", "status") if key in body}
    reduced["metadata"] = {key: metadata[key] for key in USED if key in metadata}
    return reduced


def _is_newer(body: Document, known: Document) -> bool:
    """Whether a body is at least as new. Resource versions are ordered numbers (KEP-5504)."""
    try:
        mine, other = (int(b["metadata"]["resourceVersion"]) for b in (body, known))
    except (KeyError, ValueError):
        return True
    return mine >= other
