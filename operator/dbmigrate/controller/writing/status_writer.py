"""Writing the status of a resource, a migration or a set.

Everything in a status is bounded to fit the schema. If the API server refuses it all the
same, because of an older schema or a policy, a smaller status is written without the details
and with the reason; the whole status is not tried again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Generic

from dbmigrate.api.fields import Document
from dbmigrate.api.fleet.status import SetStatus
from dbmigrate.api.migration import Identity
from dbmigrate.api.status import MigrationStatus
from dbmigrate.controller.cluster import Refused
from dbmigrate.controller.watches.observed import Key
from dbmigrate.controller.writing.event_writer import log_fields
from dbmigrate.controller.writing.status_patch import (
    Told,
    note_refusal,
    reduce_set_status,
    reduce_status,
    set_status_patch,
    status_patch,
)

log = logging.getLogger(__name__)


Subject = tuple[int, str | None]
"""The generation and the Job that a status is about."""


@dataclass(frozen=True, slots=True)
class StatusForm(Generic[Told]):
    """What differs between the statuses of the two kinds."""

    kind: str
    """The key of log lines."""
    subject: Callable[[Told], Subject]
    patch: Callable[[Document, Document], Document]
    """The patch for the current status, to the wanted one."""
    reduce: Callable[[Told], Told]
    """A smaller status."""


def _migration_subject(status: MigrationStatus) -> Subject:
    return status.observed_generation, status.last_run.job if status.last_run else None


def _set_subject(status: SetStatus) -> Subject:
    return status.observed_generation, status.rollout.survey if status.rollout else None


OF_MIGRATIONS = StatusForm("migration", _migration_subject, status_patch, reduce_status)
OF_SETS = StatusForm("set", _set_subject, set_status_patch, reduce_set_status)


@dataclass(frozen=True, slots=True)
class _Refusal:
    subject: Subject
    message: str


class Write(Enum):
    """The result of writing a status."""

    DONE = "done"
    NEEDLESS = "needless"
    """It is written already, or its resource is deleted, or it was refused before."""
    REFUSED = "refused"
    """The API server accepts none, for example because the spec does not fit the schema."""


class StatusWriter(Generic[Told]):
    """Writes a status if it differs from the present one."""

    def __init__(
        self,
        form: StatusForm[Told],
        send: Callable[[str, str, Document], Awaitable[Document | None]],
        *,
        on_written: Callable[[Document], object] = lambda _: None,
    ) -> None:
        """`send` patches the status of that namespace and name; it returns None where the
        resource is gone, and otherwise the resource, which `on_written` is called with."""
        self._form: StatusForm[Told] = form
        self._send = send
        self._on_written = on_written
        self._refusals: dict[Key, _Refusal] = {}
        self._untold: set[Key] = set()
        """Of those with a refusal, where no smaller status was written either."""

    async def write(self, body: Document, identity: Identity, status: Told) -> Write:
        """Write it, or a smaller one. Raises ClusterError."""
        key = (identity.namespace, identity.name)
        subject = self._form.subject(status)
        known = self._refusals.get(key)
        if known is not None and known.subject != subject:
            self.forget(key)
            known = None
        try:
            noted = status if known is None else note_refusal(status, known.message)
            return await self._patch(body, identity, noted)
        except Refused as refusal:
            if not refusal.is_final:
                raise
            if known is None:
                fields = log_fields(self._form.kind, identity)
                log.warning("the API server refused the status: %s", refusal, extra=fields)
                known = self._refusals[key] = _Refusal(subject, str(refusal))
        try:
            smaller = note_refusal(self._form.reduce(status), known.message)
            return await self._patch(body, identity, smaller)
        except Refused as refusal:
            if not refusal.is_final:
                raise
            if key in self._untold:
                return Write.NEEDLESS
            self._untold.add(key)
            fields = log_fields(self._form.kind, identity)
            log.warning("the API server refused a smaller status, too: %s", refusal, extra=fields)
            return Write.REFUSED

    def forget(self, key: Key) -> None:
        """The resource is gone, or its refused status is out of date."""
        self._refusals.pop(key, None)
        self._untold.discard(key)

    async def _patch(self, body: Document, identity: Identity, status: Told) -> Write:
        patch = self._form.patch(body.get("status") or {}, status.to_dict())
        if not patch:
            return Write.NEEDLESS
        # The version prevents a look at an old state from overwriting a newer one.
        version = body["metadata"]["resourceVersion"]
        told = {"metadata": {"resourceVersion": version}, "status": patch}
        written = await self._send(identity.namespace, identity.name, told)
        if written is None:
            return Write.NEEDLESS
        self._on_written(written)
        return Write.DONE
