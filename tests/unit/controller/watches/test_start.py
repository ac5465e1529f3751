"""What an operator holds in memory while it looks at all resources that there are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from copy import deepcopy
from datetime import UTC, datetime
from typing import cast

import pytest

from dbmigrate.api.fields import Document
from dbmigrate.controller.cluster import Cluster, ResourceKind
from dbmigrate.controller.watches.events import Watch
from dbmigrate.controller.watches.observed import Key, Observed
from dbmigrate.controller.watches.work_queue import WorkQueue
from tests.unit.controller.watches.test_news import BODIES, meta

pytestmark = pytest.mark.quick

COUNT, WORKERS = 500, 16


class Many:
    """A cluster with many resources."""

    async def list_all(self, kind: ResourceKind, _: str | None) -> AsyncIterator[Document]:
        for number in range(COUNT if kind is ResourceKind.MIGRATIONS else 0):
            body = deepcopy(BODIES["migration"])
            managed = [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}]
            body["metadata"] = meta(f"m-{number}", f"u-{number}", managedFields=managed)
            yield body


def test_the_bodies_of_idle_resources_do_not_gather() -> None:
    observed, held, looks, done = Observed(), [], [], asyncio.Event()

    async def look(key: Key, _: bool) -> datetime | None:
        body = observed.find_body(key)
        assert body is not None
        assert "managedFields" not in body["metadata"]
        looks.append(key)
        if len(looks) == COUNT:
            done.set()
        held.append(sum(observed.find_body(each) is not None for each in observed.list_keys()))
        return None

    async def scenario() -> None:
        queue = WorkQueue(
            look,
            clock=lambda: datetime.now(UTC),
            on_error=lambda _, error: pytest.fail(str(error)),
            on_end=lambda *_: None,
            workers=WORKERS,
            on_rest=observed.rest,
        )
        watch = Watch(observed, queue)
        await watch.take_stock(cast(Cluster, Many()), ())
        work = asyncio.create_task(queue.run())
        await watch.wake_all(cast(Cluster, Many()), ())
        await done.wait()
        # The stream begins with all of them, and shows nothing new.
        async for body in Many().list_all(ResourceKind.MIGRATIONS, None):
            watch.on_migration(body, is_gone=False)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    asyncio.run(scenario())
    assert len(looks) == COUNT
    assert max(held) <= 2 * WORKERS
    assert not any(observed.find_body(key) for key in observed.list_keys())
