"""What a watch event means: what to record, and which resources to wake.

Before the streams are opened, all existing objects are read once (`take_stock`), so
that no decision rests on a partial view. An object of another maker that carries
the operator's label is ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from dbmigrate.api.action import Action, read_action
from dbmigrate.api.migration import parse_migration
from dbmigrate.controller.cluster import Cluster, ResourceKind
from dbmigrate.controller.decisions.files import read_migrations
from dbmigrate.controller.decisions.pods import Pod
from dbmigrate.controller.decisions.runs import JobRun
from dbmigrate.controller.jobs.job_object import parse_run
from dbmigrate.controller.jobs.pod_object import parse_pod
from dbmigrate.controller.reading import read
from dbmigrate.controller.watches.observed import Key, Observed
from dbmigrate.controller.watches.work_queue import WorkQueue

Body = Mapping[str, Any]


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
            ResourceKind.MIGRATIONS: self._remember_migration,
            ResourceKind.ACTIONS: self._remember_action,
            ResourceKind.JOBS: self._remember_job,
            ResourceKind.PODS: self._remember_pod,
        }
        for namespace in namespaces or (None,):
            for kind, remember in kinds.items():
                async for body in cluster.list_all(kind, namespace):
                    remember(body)

    def on_migration(self, body: Body, *, is_gone: bool) -> None:
        """A resource has been created, changed or deleted."""
        key = _key(body)
        if not is_gone:
            self._observed.see_body(dict(body))
            if not self._is_leading():
                # It may be long until a look drops the body: ten thousand of them are large.
                self._observed.drop_body(key)
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
        action = self._remember_action(body)
        if action is None:
            return
        if is_gone:
            self._observed.forget_action(action)
        self._wakes.wake((action.namespace, action.migration))

    def on_job(self, body: Body, *, is_gone: bool) -> None:
        """A Job has been created, changed or deleted."""
        run = self._remember_job(body)
        if run is None:
            return
        if is_gone:
            self._observed.forget_run(run)
        self._wake_owner(run.migration_uid)

    def on_pod(self, body: Body, *, is_gone: bool) -> None:
        """A Pod has been created, changed or deleted."""
        pod = self._remember_pod(body, is_gone=is_gone)
        if pod is not None:
            self._wake_owner(pod.migration_uid)

    def on_config_map(self, body: Body, *, is_gone: bool) -> None:
        """A ConfigMap has been created, changed or deleted."""
        key = _key(body)
        if is_gone:
            self._observed.forget_config_map(key)
        else:
            self._remember_config_map(body)
        for user in self._observed.users_of(key):
            self._wakes.wake(user)

    def _remember_migration(self, body: Body) -> None:
        """The database and the ConfigMaps that a resource uses."""
        migration = read(parse_migration, dict(body))
        if migration is not None:
            self._observed.see_migration(migration)
        # Otherwise it is reconciled all the same: its status will say what is wrong.

    def _remember_action(self, body: Body) -> Action | None:
        action = read(read_action, dict(body))
        if action is None or action.is_for_set:
            return None
        self._observed.see_action(action)
        return action

    def _remember_job(self, body: Body) -> JobRun | None:
        run = read(parse_run, dict(body))
        if run is not None:
            self._observed.see_run(run)
        return run

    def _remember_pod(self, body: Body, *, is_gone: bool = False) -> Pod | None:
        pod = read(partial(parse_pod, is_gone=is_gone), dict(body))
        if pod is not None:
            self._observed.see_pod(pod)
        return pod

    def _remember_config_map(self, body: Body) -> None:
        """The content of a ConfigMap that holds migrations, as a hash."""
        files = read(read_migrations, dict(body))
        if files is not None:
            self._observed.see_config_map(_key(body), files)
        else:
            self._observed.forget_config_map(_key(body))

    def _wake_owner(self, uid: str) -> None:
        key = self._observed.find_key(uid)
        if key is not None:
            self._wakes.wake(key)


def _key(body: Body) -> Key:
    metadata = body["metadata"]
    return metadata["namespace"], metadata["name"]
