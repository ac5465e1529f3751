"""Creating Jobs. One that could not be created is tried again with a growing delay.

An API server that cannot answer now is asked again soon. A refusal is caused by a policy, a
quota or a mistake in the resource; it may be corrected elsewhere, so it is never final either.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dbmigrate.api.job_defaults import fill_in
from dbmigrate.api.migration import MigrationResource
from dbmigrate.api.spec import Retry
from dbmigrate.controller.cluster import AlreadyExists, Cluster, Fenced, Refused, Unavailable
from dbmigrate.controller.config import Config
from dbmigrate.controller.decisions.backoff import ENVIRONMENT, retry_delay
from dbmigrate.controller.decisions.runs import JobRun
from dbmigrate.controller.decisions.view import Rejection
from dbmigrate.controller.jobs.body import Images, RunOrder, build_job
from dbmigrate.controller.jobs.job_object import parse_run
from dbmigrate.controller.jobs.refused_fields import name_fields, needs_strictness
from dbmigrate.controller.watches.observed import Key

log = logging.getLogger(__name__)

OUTAGE = Retry(initial_delay=timedelta(seconds=2), max_delay=timedelta(minutes=1))
"""For an API server, or a webhook of it, that cannot answer now."""


@dataclass(frozen=True, slots=True)
class _Attempts:
    """The failed attempts to create one Job."""

    job: str
    count: int
    until: datetime
    """No other one is made before."""
    last: Rejection


class JobCreation:
    """Creates the Jobs of all resources, and remembers the last refusal of each."""

    def __init__(
        self,
        cluster: Cluster,
        config: Config,
        *,
        clock: Callable[[], datetime],
        server_version: tuple[int, int],
        names_ids: bool,
        cluster_name: str,
    ) -> None:
        self._cluster_name = cluster_name
        self._cluster = cluster
        self._images = Images(config.runner_image, config.rehearsal_image)
        self._clock = clock
        self._server_version = server_version
        self._names_ids = names_ids
        self._defaults = config.job_defaults
        self._failed: dict[Key, _Attempts] = {}

    async def create(self, migration: MigrationResource, order: RunOrder) -> JobRun | Rejection:
        """The Job for that order, or why there is none yet.

        Within the delay after a refusal the same Job is not tried again. Raises
        AlreadyExists when a Job of its name is there, Fenced when this operator does not lead.
        """
        key, name = _key(migration), order.name_for(migration)
        failed = self._failed.get(key)
        if failed is not None and failed.job == name and self._clock() < failed.until:
            return failed.last
        options = fill_in(migration.spec.job, self._defaults)
        body = build_job(
            replace(migration, spec=replace(migration.spec, job=options)),
            order,
            images=self._images,
            server_version=self._server_version,
            names_ids=self._names_ids,
            cluster=self._cluster_name,
        )
        try:
            is_strict = needs_strictness(options)
            run = parse_run(await self._cluster.create_job(body, is_strict=is_strict))
        except (AlreadyExists, Fenced):
            raise
        except Unavailable as problem:
            text = f"the API server could not create the Job: {problem}"
            return self._remember(key, name, text, OUTAGE, is_passing=True)
        except Refused as refusal:
            said = name_fields(str(refusal), body, options)
            text = f"the API server refused the Job: {said}"
            return self._remember(key, name, text, ENVIRONMENT, is_final=refusal.is_final)
        self._failed.pop(key, None)
        fields = {"namespace": key[0], "migration": key[1], "job": name}
        log.info("job created", extra=fields)
        return run

    def reject_stranger(self, migration: MigrationResource, order: RunOrder) -> Rejection:
        """The Job's name is taken by a Job that is not the resource's."""
        name = order.name_for(migration)
        text = f"a Job {name} is there that does not belong to this resource: delete it"
        return self._remember(_key(migration), name, text, ENVIRONMENT)

    def forget(self, key: Key) -> None:
        """The resource is gone."""
        self._failed.pop(key, None)

    def _remember(
        self,
        key: Key,
        job: str,
        message: str,
        retry: Retry,
        *,
        is_final: bool = False,
        is_passing: bool = False,
    ) -> Rejection:
        before = self._failed.get(key)
        count = before.count + 1 if before is not None and before.job == job else 1
        retry_at = self._clock() + retry_delay(retry, attempt=count, seed=job)
        rejection = Rejection(message, is_final, is_passing=is_passing, retry_at=retry_at)
        self._failed[key] = _Attempts(job, count, retry_at, rejection)
        return rejection


def _key(migration: MigrationResource) -> Key:
    return migration.identity.namespace, migration.identity.name
