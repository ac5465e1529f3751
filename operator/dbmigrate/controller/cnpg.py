"""Asks whether what CloudNativePG makes for a resource is ready, before a run is started.

Its objects are read and not watched: only while a run is due, every few seconds. An operator
without the rights for it says so and starts the run, which fails and is tried again as long as
the database is not there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from dbmigrate.api.database import CnpgCluster
from dbmigrate.api.migration import Identity, MigrationResource
from dbmigrate.controller.cluster import Cluster, Refused
from dbmigrate.controller.decisions.cnpg import judge_cluster, judge_database
from dbmigrate.controller.decisions.view import Rejection
from dbmigrate.controller.watches.observed import Key

INTERVAL = timedelta(seconds=10)
"""After which a cluster that is not ready is read again."""
NOT_READ = (
    "the operator may not read CloudNativePG's objects, so that the run does not wait until they"
    " are ready (rbac.cloudnativepg of the chart)"
)

Tell = Callable[[Identity, str], Awaitable[None]]


class CnpgGate:
    """Reads CloudNativePG's objects with the operator's own rights."""

    def __init__(self, cluster: Cluster, *, clock: Callable[[], datetime], tell: Tell) -> None:
        self._cluster = cluster
        self._clock = clock
        self._tell = tell
        self._told: dict[Key, int] = {}
        """By resource, the generation for which it was reported that nothing could be read."""

    async def find_rejection(self, migration: MigrationResource) -> Rejection | None:
        """Why a run would find no database and has to wait; None: no reason is known."""
        access, identity = migration.spec.database.access, migration.identity
        if not isinstance(access, CnpgCluster):
            return None
        try:
            problem = await self._find_problem(identity.namespace, access)
        except Refused:
            key = (identity.namespace, identity.name)
            if self._told.get(key) != identity.generation:
                self._told[key] = identity.generation
                await self._tell(identity, NOT_READ)
            return None
        if problem is None:
            return None
        retry_at = self._clock() + INTERVAL
        return Rejection(problem, is_final=False, awaits_database=True, retry_at=retry_at)

    def forget(self, key: Key) -> None:
        """The resource has been deleted."""
        self._told.pop(key, None)

    async def _find_problem(self, namespace: str, access: CnpgCluster) -> str | None:
        found = await self._cluster.find_cnpg_cluster(namespace, access.cluster)
        problem = judge_cluster(found) if found is not None else None
        if problem is not None or access.database is None:
            return problem
        databases = await self._cluster.list_cnpg_databases(namespace)
        return judge_database(databases, access.cluster, access.database)
