"""What a watch event means: what to record, and which resources to wake.

Before the streams are opened, all existing objects are read once (`take_stock`), so
that no decision rests on a partial view. An object of another maker that carries
the operator's label is ignored.

An event that shows nothing new wakes no resource: each stream begins with all objects
that exist, at the start and whenever it is opened again, and most changes of a Job or
a Pod are none that a decision reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from dbmigrate.api.action import Action, read_action
from dbmigrate.api.fields import Document
from dbmigrate.api.migration import parse_migration
from dbmigrate.controller.cluster import Cluster, ResourceKind
from dbmigrate.controller.decisions.files import read_migrations
from dbmigrate.controller.jobs.job_object import parse_run
from dbmigrate.controller.jobs.pod_object import parse_pod
from dbmigrate.controller.reading import read
from dbmigrate.controller.watches.observed import Key, News, Observed
from dbmigrate.controller.watches.work_queue import WorkQueue

Body = Mapping[str, Any]
Item = TypeVar("Item")


class Watch:
    """The receiver of the watch streams."""

    def __init__(
        self,
        observed: Observed,
        wakes: WorkQueue,
        *,
        is_leading: Callable[[], bool] = lambda: True,
    ) -> None:
        self._observed = observed
        self._wakes = wakes
        self._is_leading = is_leading

    async def take_stock(self, cluster: Cluster, namespaces: tuple[str, ...]) -> None:
        """Record all existing objects, in these namespaces or, with none named, in all.

        Raises ClusterError.
        """
        kinds: dict[ResourceKind, Callable[[Body], object]] = {
            ResourceKind.CONFIG_MAPS: self._remember_config_map,
            ResourceKind.MIGRATIONS: self._list_migration,
            ResourceKind.ACTIONS: partial(_record, _read_order, self._observed.see_action),
            ResourceKind.JOBS: partial(_record, parse_run, self._observed.see_run),
            ResourceKind.PODS: partial(_record, parse_pod, self._observed.see_pod),
        }
        for namespace in namespaces or (None,):
            for kind, remember in kinds.items():
                async for body in cluster.list_all(kind, namespace):
                    remember(body)

    async def wake_all(self, cluster: Cluster, namespaces: tuple[str, ...]) -> None:
        """Wake every resource, with bodies that a few lists have shown, not a request for each.

        Most are idle: the look at one is over before the next one is listed, and its body is
        dropped. Ten thousand bodies that wait at a time would take too much memory.

        Raises ClusterError.
        """
        listed: set[Key] = set()
        for namespace in namespaces or (None,):
            async for body in cluster.list_all(ResourceKind.MIGRATIONS, namespace):
                key = _key(body)
                listed.add(key)
                self._list_migration(body)
                self._observed.see_body(body)
                self._wakes.wake(key)
                await asyncio.sleep(0)
        for key in self._observed.list_keys():
            if key not in listed:
                self._wakes.wake(key)

    def on_migration(self, body: Body, *, is_gone: bool) -> None:
        """A resource has been created, changed or deleted."""
        key = _key(body)
        if not is_gone:
            news = self._observed.see_version(dict(body))
            if news is News.NOTHING:
                return
            self._observed.see_body(dict(body))
            if not self._is_leading():
                # It may be long until a look drops the body: ten thousand of them are large.
                self._observed.drop_body(key)
            if news is News.SPEC:
                self._remember_migration(body)
            self._wakes.wake(key)
            return
        for waiting in self._observed.forget_migration(key, body["metadata"]["uid"]):
            self._wakes.wake(waiting)
        self._wakes.forget(key)
        # A last look finds nothing, and releases what is kept of it.
        self._wakes.wake(key)

    def on_action(self, body: Body, *, is_gone: bool) -> None:
        """An order has been created, changed or deleted."""
        action = read(_read_order, dict(body))
        if action is None:
            return
        is_news = self._observed.see_action(action)
        if is_gone:
            self._observed.forget_action(action)
        # Where its resource does not exist, no other event leads to an answer.
        if is_news or is_gone or not action.has_ended:
            self._wakes.wake((action.namespace, action.migration))

    def on_job(self, body: Body, *, is_gone: bool) -> None:
        """A Job has been created, changed or deleted."""
        run = read(parse_run, dict(body))
        if run is None:
            return
        is_news = self._observed.see_run(run)
        if is_gone:
            self._observed.forget_run(run)
        if is_news or is_gone:
            self._wake_owner(run.migration_uid)

    def on_pod(self, body: Body, *, is_gone: bool) -> None:
        """A Pod has been created, changed or deleted."""
        pod = read(partial(parse_pod, is_gone=is_gone), dict(body))
        if pod is not None and self._observed.see_pod(pod):
            self._wake_owner(pod.migration_uid)

    def on_config_map(self, body: Body, *, is_gone: bool) -> None:
        """A ConfigMap has been created, changed or deleted."""
        key = _key(body)
        if is_gone:
            self._observed.forget_config_map(key)
        elif not self._remember_config_map(body):
            return
        for user in self._observed.users_of(key):
            self._wakes.wake(user)

    def _list_migration(self, body: Body) -> None:
        if self._observed.see_version(dict(body)) is News.SPEC:
            self._remember_migration(body)

    def _remember_migration(self, body: Body) -> None:
        """The database and the ConfigMaps that a resource uses."""
        migration = read(parse_migration, dict(body))
        if migration is not None:
            for concerned in self._observed.see_migration(migration):
                self._wakes.wake(concerned)
        # Otherwise it is reconciled all the same: its status will say what is wrong.

    def _remember_config_map(self, body: Body) -> bool:
        """The content of a ConfigMap that holds migrations, as a hash; whether it is new."""
        files = read(read_migrations, dict(body))
        if files is not None:
            return self._observed.see_config_map(_key(body), files)
        self._observed.forget_config_map(_key(body))
        return True

    def _wake_owner(self, uid: str) -> None:
        key = self._observed.find_key(uid)
        if key is not None:
            self._wakes.wake(key)


def _read_order(body: Document) -> Action:
    """An action for a DatabaseMigration. Raises ValueError for one that is for a set."""
    action = read_action(body)
    if action.is_for_set:
        raise ValueError("it is for a set")
    return action


def _record(parse: Callable[[Document], Item], see: Callable[[Item], bool], body: Body) -> None:
    item = read(parse, dict(body))
    if item is not None:
        see(item)


def _key(body: Body) -> Key:
    metadata = body["metadata"]
    return metadata["namespace"], metadata["name"]
