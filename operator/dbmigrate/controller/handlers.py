"""What the operator watches: registration only, all of it in one module.

Each event is recorded and wakes the resources that it concerns. Nothing is written
to any object here, and nothing is returned. kopf's indices are not used: at the
start each object would wake all others that wait, which takes minutes with ten
thousand of them (kopf 1.45.2, ToggleSet.make_toggle).
"""

from __future__ import annotations

from typing import Any

import kopf

from dbmigrate.api.names import ACTIONS, GROUP, MIGRATIONS, SETS, VERSION
from dbmigrate.controller.fleet.watch import SetWatch
from dbmigrate.controller.watches.events import Watch

Body = Any
"""kopf's view of a body: a mapping like the document, and more."""


def register(registry: kopf.OperatorRegistry, watch: Watch, sets: SetWatch | None) -> None:
    """Connect the watch streams to their receivers: one handler for each kind, since kopf's own
    work for a handler costs more than what is done in it. `sets`: None where they are not
    installed."""

    @kopf.on.event(GROUP, VERSION, MIGRATIONS, registry=registry, id="migration-event")
    async def on_migration(type: str | None, body: Body, **_: Any) -> None:
        watch.on_migration(body, is_gone=type == "DELETED")

    @kopf.on.event(GROUP, VERSION, ACTIONS, registry=registry, id="action-event")
    async def on_action(type: str | None, body: Body, **_: Any) -> None:
        watch.on_action(body, is_gone=type == "DELETED")
        if sets is not None:
            sets.on_action(body, is_gone=type == "DELETED")

    @kopf.on.event("batch", "v1", "jobs", registry=registry, id="job-event")
    async def on_job(type: str | None, body: Body, **_: Any) -> None:
        watch.on_job(body, is_gone=type == "DELETED")
        if sets is not None:
            sets.on_job(body, is_gone=type == "DELETED")

    @kopf.on.event("", "v1", "pods", registry=registry, id="pod-event")
    async def on_pod(type: str | None, body: Body, **_: Any) -> None:
        watch.on_pod(body, is_gone=type == "DELETED")
        if sets is not None:
            sets.on_pod(body, is_gone=type == "DELETED")

    @kopf.on.event("", "v1", "configmaps", registry=registry, id="config-map-event")
    async def on_config_map(type: str | None, body: Body, **_: Any) -> None:
        watch.on_config_map(body, is_gone=type == "DELETED")
        if sets is not None:
            sets.on_config_map(body)

    if sets is None:
        return

    @kopf.on.event(GROUP, VERSION, SETS, registry=registry, id="set-event")
    async def on_set(type: str | None, body: Body, **_: Any) -> None:
        sets.on_set(body, is_gone=type == "DELETED")
