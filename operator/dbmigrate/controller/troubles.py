"""Why Pods are missing or do not start, from the events of their Jobs or of themselves."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from dbmigrate.controller.cluster import Cluster, Refused
from dbmigrate.controller.decisions.progress import ActiveJob

log = logging.getLogger(__name__)


async def read_troubles(
    cluster: Cluster, jobs: Iterable[tuple[ActiveJob, str | None]]
) -> dict[str, str]:
    """The newest warning for each Job, by its name.

    Each Job comes with the uid of the object whose events are read; None: they are not needed.
    """
    troubles = {}
    for job, uid in jobs:
        if uid is None:
            continue
        try:
            found = await cluster.find_warning(job.namespace, uid)
        except Refused as problem:
            log.warning("events cannot be read: %s", problem)
            continue
        if found is not None:
            troubles[job.name] = found
    return troubles
