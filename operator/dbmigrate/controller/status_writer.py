"""Writing the status of a resource.

Everything in a status is bounded to fit the schema. If the API server refuses it all the
same, because of an older schema or a policy, a smaller status is written without the details
and with the reason; the whole status is not tried again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import Enum

from dbmigrate.api.fields import Document
from dbmigrate.api.migration import Identity
from dbmigrate.api.status import MigrationStatus
from dbmigrate.controller.cluster import Cluster, Refused
from dbmigrate.controller.status_patch import note_refusal, reduce_status, status_patch
from dbmigrate.controller.watches.observed import Key, Observed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Refusal:
    subject: tuple[int, str | None]
    """The generation and the Job that the refused status was about."""
    message: str


class Write(Enum):
    """What has become of a status."""

    DONE = "done"
    NEEDLESS = "needless"
    """It is there already, or its resource is gone, or it was refused before."""
    REFUSED = "refused"
    """The API server takes none: of a resource whose spec does not fit the schema, for instance."""


class StatusWriter:
    """Writes a status if it differs from the present one."""

    def __init__(self, cluster: Cluster, observed: Observed) -> None:
        self._cluster = cluster
        self._observed = observed
        self._refusals: dict[Key, _Refusal] = {}
        self._untold: set[Key] = set()
        """Of those with a refusal, where no smaller status was written either."""

    async def write(self, body: Document, identity: Identity, status: MigrationStatus) -> Write:
        """Write it, or a smaller one. Raises ClusterError."""
        key = (identity.namespace, identity.name)
        subject = (status.observed_generation, status.last_run.job if status.last_run else None)
        known = self._refusals.get(key)
        if known is not None and known.subject != subject:
            self.forget(key)
        elif known is not None:
            status = note_refusal(status, known.message)
        try:
            return await self._patch(body, identity, status)
        except Refused as refusal:
            if not refusal.is_final:
                raise
            fields = {"namespace": identity.namespace, "migration": identity.name}
            if known is None or known.subject != subject:
                log.warning("the API server refused the status: %s", refusal, extra=fields)
                self._refusals[key] = _Refusal(subject, str(refusal))
                status = note_refusal(status, str(refusal))
        try:
            return await self._patch(body, identity, reduce_status(status))
        except Refused as refusal:
            if not refusal.is_final:
                raise
            if key in self._untold:
                return Write.NEEDLESS
            self._untold.add(key)
            fields = {"namespace": identity.namespace, "migration": identity.name}
            log.warning("the API server refused a smaller status, too: %s", refusal, extra=fields)
            return Write.REFUSED

    def forget(self, key: Key) -> None:
        """The resource is gone, or its refused status is out of date."""
        self._refusals.pop(key, None)
        self._untold.discard(key)

    async def _patch(self, body: Document, identity: Identity, status: MigrationStatus) -> Write:
        patch = status_patch(body.get("status") or {}, status.to_dict())
        if not patch:
            return Write.NEEDLESS
        # The version prevents a look at an old state from overwriting a newer one.
        version = body["metadata"]["resourceVersion"]
        written = await self._cluster.patch_status(
            identity.namespace,
            identity.name,
            {"metadata": {"resourceVersion": version}, "status": patch},
        )
        if written is None:
            return Write.NEEDLESS
        self._observed.see_body(written)
        return Write.DONE
