"""What the operator watches: registration only, all of it in one module.

Each event is recorded and wakes the resources that it concerns. Nothing is written
to any object here, and nothing is returned. kopf's indices are not used: at the
start each object would wake all others that wait, which takes minutes with ten
thousand of them (kopf 1.45.2, ToggleSet.make_toggle).
"""

from __future__ import annotations

from typing import Any, Protocol

import kopf

from dbmigrate.api.names import ACTIONS, GROUP, MIGRATIONS, SETS, VERSION
from dbmigrate.controller.fleet.watch import SetWatch
from dbmigrate.controller.watches.events import Watch

Body = Any
"""kopf's view of a body: a mapping like the document, and more."""


class Receiver(Protocol):
    """What takes the events of a stream."""

    def __call__(self, body: Body, *, is_gone: bool) -> None: ...


JOBS = ("batch", "v1", "jobs")
PODS = ("", "v1", "pods")
CONFIG_MAPS = ("", "v1", "configmaps")


def register(registry: kopf.OperatorRegistry, watch: Watch) -> None:
    """Connect the watch streams to their receiver."""
    _connect(registry, (GROUP, VERSION, MIGRATIONS), "migration-event", watch.on_migration)
    _connect(registry, (GROUP, VERSION, ACTIONS), "action-event", watch.on_action)
    _connect(registry, JOBS, "job-event", watch.on_job)
    _connect(registry, PODS, "pod-event", watch.on_pod)
    _connect(registry, CONFIG_MAPS, "config-map-event", watch.on_config_map)


def register_sets(registry: kopf.OperatorRegistry, watch: SetWatch) -> None:
    """The same for sets, where they are installed."""
    _connect(registry, (GROUP, VERSION, SETS), "set-event", watch.on_set)
    _connect(registry, (GROUP, VERSION, ACTIONS), "set-action-event", watch.on_action)
    _connect(registry, JOBS, "set-job-event", watch.on_job)
    _connect(registry, PODS, "set-pod-event", watch.on_pod)

    @kopf.on.event(*CONFIG_MAPS, registry=registry, id="set-config-map-event")
    async def on_config_map(body: Body, **_: Any) -> None:
        watch.on_config_map(body)


def _connect(
    registry: kopf.OperatorRegistry, resource: tuple[str, str, str], name: str, receive: Receiver
) -> None:
    @kopf.on.event(*resource, registry=registry, id=name)
    async def on_event(type: str | None, body: Body, **_: Any) -> None:
        receive(body, is_gone=type == "DELETED")
