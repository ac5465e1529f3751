"""Posting events, and the keys of log lines about a resource."""

from __future__ import annotations

import logging

from dbmigrate.api.fields import Document
from dbmigrate.api.migration import Identity
from dbmigrate.controller.cluster import Cluster, ClusterError

log = logging.getLogger(__name__)


class EventWriter:
    """Posts the events of resources of one kind, which is the key of its log lines."""

    def __init__(self, cluster: Cluster, kind: str) -> None:
        self._cluster = cluster
        self._kind = kind

    async def post(self, identity: Identity, event: Document | None) -> None:
        """Log an event and post it; None: there is none."""
        if event is None:
            return
        fields = log_fields(self._kind, identity, reason=event["reason"])
        level = logging.WARNING if event["type"] == "Warning" else logging.INFO
        log.log(level, "%s", event["message"], extra=fields)
        try:
            await self._cluster.create_event(event)
        except ClusterError as problem:
            # The status has the same content; an event is best effort.
            log.warning("event not posted: %s", problem, extra=fields)


def log_fields(kind: str, identity: Identity, **more: str) -> dict[str, str]:
    """The keys of a log line about a resource."""
    return {"namespace": identity.namespace, kind: identity.name, **more}
