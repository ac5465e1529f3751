"""Creating Jobs. One that could not be created is tried again with a growing delay.

An API server that cannot answer now is asked again soon. A refusal is caused by a policy, a
quota or a mistake in the resource; it may be corrected elsewhere, so it is never final either.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from dbmigrate.api.fields import Document
from dbmigrate.api.job_defaults import fill_in
from dbmigrate.api.spec import JobOptions, Retry
from dbmigrate.controller.cluster import AlreadyExists, Cluster, Fenced, Refused, Unavailable
from dbmigrate.controller.decisions.backoff import ENVIRONMENT, retry_delay
from dbmigrate.controller.decisions.view import Rejection
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
    """Creates the Jobs of all resources of a kind, and remembers the last refusal of each."""

    def __init__(
        self,
        cluster: Cluster,
        defaults: JobOptions,
        *,
        clock: Callable[[], datetime],
        kind: str = "migration",
        within: str = "spec.job",
    ) -> None:
        """`kind`: the key of its log lines; `within`: where the resource has its Job's options."""
        self._cluster = cluster
        self._defaults = defaults
        self._clock = clock
        self._kind = kind
        self._within = within
        self._failed: dict[Key, _Attempts] = {}

    async def create(
        self, key: Key, name: str, options: JobOptions, build: Callable[[JobOptions], Document]
    ) -> Document | Rejection:
        """The Job of that name, built with the options and the defaults, or why there is none yet.

        Within the delay after a refusal the same Job is not tried again. Raises
        AlreadyExists when a Job of its name is there, Fenced when this operator does not lead.
        """
        failed = self._failed.get(key)
        if failed is not None and failed.job == name and self._clock() < failed.until:
            return failed.last
        options = fill_in(options, self._defaults)
        body = build(options)
        try:
            made = await self._cluster.create_job(body, is_strict=needs_strictness(options))
        except (AlreadyExists, Fenced):
            raise
        except Unavailable as problem:
            text = f"the API server could not create the Job: {problem}"
            return self._remember(key, name, text, OUTAGE, is_passing=True)
        except Refused as refusal:
            said = name_fields(str(refusal), body, options, within=self._within)
            text = f"the API server refused the Job: {said}"
            return self._remember(key, name, text, ENVIRONMENT, is_final=refusal.is_final)
        self._failed.pop(key, None)
        log.info("job created", extra={"namespace": key[0], self._kind: key[1], "job": name})
        return made

    def reject_stranger(self, key: Key, name: str) -> Rejection:
        """The Job's name is taken by a Job that is not the resource's."""
        text = f"a Job {name} is there that does not belong to this resource: delete it"
        return self._remember(key, name, text, ENVIRONMENT)

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
