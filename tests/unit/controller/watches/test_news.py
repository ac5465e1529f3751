"""Which events wake a resource: those that show what was not known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from copy import deepcopy
from typing import Any, cast

import pytest

from dbmigrate.api.fields import Document
from dbmigrate.controller.cluster import Cluster, ResourceKind
from dbmigrate.controller.watches.events import Watch
from dbmigrate.controller.watches.observed import Key, Observed
from dbmigrate.controller.watches.work_queue import WorkQueue

pytestmark = pytest.mark.quick

KEY = ("team", "shop")
LABELS = {"dbmigrate.dev/migration-uid": "u", "batch.kubernetes.io/job-name": "shop-1"}


def meta(name: str, uid: str, **more: Any) -> Document:
    return {
        "namespace": "team",
        "name": name,
        "uid": uid,
        "resourceVersion": "1",
        "generation": 1,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        **more,
    }


BODIES: dict[str, Document] = {
    "migration": {
        "metadata": meta("shop", "u"),
        "spec": {
            "database": {"urlFrom": {"secretKeyRef": {"name": "db", "key": "url"}}},
            "source": {"configMaps": [{"name": "files"}]},
        },
    },
    "action": {
        "metadata": meta("again", "a"),
        "spec": {"migration": "shop", "action": "Retry"},
        "status": {"phase": "Succeeded"},
    },
    "job": {
        "metadata": meta(
            "shop-1",
            "j",
            labels={**LABELS, "dbmigrate.dev/command": "goto"},
            annotations={
                "dbmigrate.dev/generation": "1",
                "dbmigrate.dev/intent": "0" * 20,
                "dbmigrate.dev/attempt": "1",
            },
        ),
        "status": {"startTime": "2026-01-01T00:00:00Z"},
    },
    "pod": {
        "metadata": meta("shop-1-x", "p", labels=LABELS),
        "spec": {"containers": [{"name": "dbmigrate", "image": "x"}]},
        "status": {"phase": "Pending"},
    },
    "config_map": {"metadata": meta("files", "c"), "data": {"000001_x.up.sql": "SELECT 1"}},
}
KINDS = {
    ResourceKind.CONFIG_MAPS: "config_map",
    ResourceKind.MIGRATIONS: "migration",
    ResourceKind.ACTIONS: "action",
    ResourceKind.JOBS: "job",
    ResourceKind.PODS: "pod",
}
CHANGED: dict[str, Document] = {
    "migration": {"metadata": meta("shop", "u", resourceVersion="2")},
    "action": {"status": {"phase": "Failed"}},
    "job": {"status": {"conditions": [{"type": "Complete", "status": "True"}]}},
    "pod": {"status": {"phase": "Running"}},
    "config_map": {"data": {"000001_x.up.sql": "SELECT 2"}},
}
UNREAD: dict[str, Document] = {
    "action": {"status": {"phase": "Succeeded", "observedGeneration": 1}},
    "job": {"status": {"startTime": "2026-01-01T00:00:00Z", "active": 1, "ready": 0}},
    "pod": {"status": {"phase": "Pending", "qosClass": "Burstable"}},
    "config_map": {"metadata": meta("files", "c", labels={"team": "shop"})},
}
"""Changes of what no decision reads."""


class Listing:
    """A cluster with one object of each kind."""

    async def list_all(self, kind: ResourceKind, _: str | None) -> AsyncIterator[Document]:
        yield deepcopy(BODIES[KINDS[kind]])


class Wakes:
    """Records what is queued."""

    def __init__(self) -> None:
        self.woken: list[Key] = []

    def wake(self, key: Key) -> None:
        self.woken.append(key)

    def forget(self, key: Key) -> None:
        assert key == KEY


@pytest.fixture
def wakes() -> Wakes:
    return Wakes()


@pytest.fixture
def watch(wakes: Wakes) -> Watch:
    found = Watch(Observed(), cast(WorkQueue, wakes))
    asyncio.run(found.take_stock(cast(Cluster, Listing()), ()))
    assert wakes.woken == []
    return found


def send(watch: Watch, kind: str, *, is_gone: bool = False, **changes: Any) -> None:
    body = {**deepcopy(BODIES[kind]), **changes}
    getattr(watch, f"on_{kind}")(body, is_gone=is_gone)


@pytest.mark.parametrize("kind", BODIES)
def test_what_a_stream_begins_with_wakes_nothing(watch: Watch, wakes: Wakes, kind: str) -> None:
    send(watch, kind)
    assert wakes.woken == []


@pytest.mark.parametrize("kind", CHANGED)
def test_a_change_wakes_it_once(watch: Watch, wakes: Wakes, kind: str) -> None:
    for _ in range(2):
        send(watch, kind, **CHANGED[kind])
    assert wakes.woken == [KEY]


@pytest.mark.parametrize("kind", UNREAD)
def test_a_change_of_what_is_not_read_does_not(watch: Watch, wakes: Wakes, kind: str) -> None:
    send(watch, kind, **UNREAD[kind])
    assert wakes.woken == []


@pytest.mark.parametrize("kind", CHANGED)
def test_an_end_wakes_it(watch: Watch, wakes: Wakes, kind: str) -> None:
    send(watch, kind, is_gone=True)
    assert wakes.woken == [KEY]


def test_an_order_without_an_answer_wakes_its_resource_at_each_start(
    watch: Watch, wakes: Wakes
) -> None:
    # No event of the resource leads to an answer: it may not exist.
    send(watch, "action", status={})
    send(watch, "action", status={})
    assert wakes.woken == [KEY, KEY]
