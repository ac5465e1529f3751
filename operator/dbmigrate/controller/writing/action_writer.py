"""Writing to MigrationActions: their results, and the resource that owns them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from dbmigrate.api.action import Action, ActionPhase, dump_action_status
from dbmigrate.api.migration import Identity
from dbmigrate.controller.cluster import Cluster, Refused
from dbmigrate.controller.decisions.view import ActionUpdate

log = logging.getLogger(__name__)

UNSUCCESSFUL = frozenset({ActionPhase.FAILED, ActionPhase.REFUSED})
"""Ends of an order that are logged as warnings."""


class KnownActions(Protocol):
    """The orders that the watch streams have shown."""

    def see_action(self, action: Action, /) -> object:
        """An order has been changed."""

    def see_owner(self, action: Action, /) -> None:
        """The order has got an owner."""

    def forget_action(self, action: Action, /) -> None:
        """It has been deleted."""


class ActionWriter:
    """Writes to the orders for resources of one kind, which is the key of its log lines."""

    def __init__(
        self, cluster: Cluster, known: KnownActions, kind: str, *, clock: Callable[[], datetime]
    ) -> None:
        self._cluster = cluster
        self._known = known
        self._kind = kind
        self._clock = clock

    async def answer(self, updates: Iterable[ActionUpdate]) -> None:
        """Write the results of orders to their status."""
        for update in updates:
            action = update.action
            status = dump_action_status(action, update.phase, update.message, now=self._clock())
            patch = self._cluster.patch_action(action.namespace, action.name, {"status": status})
            await self._offer(patch, action)
            told = replace(
                action, phase=update.phase, message=status["message"], is_acknowledged=True
            )
            self._known.see_action(told)
            level = logging.WARNING if update.phase in UNSUCCESSFUL else logging.INFO
            text = f"action {action.name}: {update.phase}: {status['message']}"
            log.log(level, "%s", text, extra=self._fields(action))

    async def keep(
        self, identity: Identity, *, adopt: Iterable[Action], expired: tuple[Action, ...]
    ) -> None:
        """Make the resource the owner of its orders, and delete those that are not kept."""
        for action in expired:
            await self._cluster.delete_action(action.namespace, action.name, action.uid)
            self._known.forget_action(action)
        owner = {**identity.owner_reference, "controller": False, "blockOwnerDeletion": False}
        for action in adopt:
            if action in expired:
                continue
            patch = {"metadata": {"uid": action.uid, "ownerReferences": [owner]}}
            owned = self._cluster.own_action(action.namespace, action.name, patch)
            await self._offer(owned, action)
            self._known.see_owner(action)

    async def _offer(self, write: Awaitable[object], action: Action) -> None:
        """Write to an order. A write that the API server refuses for the order's content is
        skipped: it would be refused every time, and the resource has other work to do."""
        try:
            await write
        except Refused as refusal:
            if not refusal.is_final:
                raise
            text = "a write to action %s was refused: %s"
            log.warning(text, action.name, refusal, extra=self._fields(action))

    def _fields(self, action: Action) -> dict[str, str]:
        return {"namespace": action.namespace, self._kind: action.migration}
