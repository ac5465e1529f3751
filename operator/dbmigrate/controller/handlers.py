"""What the operator watches: registration only, all of it on one page.

For each kind an index function takes in what a decision needs, and an event
handler wakes the resources that it concerns. kopf calls no event handler before
all kinds are listed and went through their index functions: nothing is decided
on half a picture. Nothing is written onto any object here, and nothing returned.
"""

from __future__ import annotations

from typing import Any

import kopf

from dbmigrate.api.fields import Document
from dbmigrate.api.names import ACTIONS, GROUP, MIGRATIONS, VERSION
from dbmigrate.controller.watch import Watch

Body = Any
"""kopf's view of a body: a mapping like the document, and more."""


def register(registry: kopf.OperatorRegistry, watch: Watch) -> None:
    """Connect the watch streams to what takes them in."""
    migrations = (GROUP, VERSION, MIGRATIONS)
    actions = (GROUP, VERSION, ACTIONS)
    jobs = ("batch", "v1", "jobs")
    pods = ("", "v1", "pods")
    config_maps = ("", "v1", "configmaps")

    @kopf.index(*migrations, registry=registry, id="migration")
    async def index_migration(body: Body, **_: Any) -> Document:
        watch.take_in_migration(body)
        return {}

    @kopf.on.event(*migrations, registry=registry, id="migration-event")
    async def on_migration(type: str | None, body: Body, **_: Any) -> None:
        watch.on_migration(body, is_gone=type == "DELETED")

    @kopf.index(*actions, registry=registry, id="action")
    async def index_action(body: Body, **_: Any) -> Document:
        watch.take_in_action(body)
        return {}

    @kopf.on.event(*actions, registry=registry, id="action-event")
    async def on_action(type: str | None, body: Body, **_: Any) -> None:
        watch.on_action(body, is_gone=type == "DELETED")

    @kopf.index(*jobs, registry=registry, id="job")
    async def index_job(body: Body, **_: Any) -> Document:
        watch.take_in_job(body)
        return {}

    @kopf.on.event(*jobs, registry=registry, id="job-event")
    async def on_job(type: str | None, body: Body, **_: Any) -> None:
        watch.on_job(body, is_gone=type == "DELETED")

    @kopf.index(*pods, registry=registry, id="pod")
    async def index_pod(body: Body, **_: Any) -> Document:
        watch.take_in_pod(body)
        return {}

    @kopf.on.event(*pods, registry=registry, id="pod-event")
    async def on_pod(type: str | None, body: Body, **_: Any) -> None:
        watch.on_pod(body, is_gone=type == "DELETED")

    @kopf.index(*config_maps, registry=registry, id="config-map")
    async def index_config_map(body: Body, **_: Any) -> Document:
        watch.take_in_config_map(body)
        return {}

    @kopf.on.event(*config_maps, registry=registry, id="config-map-event")
    async def on_config_map(type: str | None, body: Body, **_: Any) -> None:
        watch.on_config_map(body, is_gone=type == "DELETED")
