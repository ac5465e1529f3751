"""Requests to the API server: which ones are held back, and what a refusal means."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kubernetes.aio.client import Configuration

from dbmigrate.controller.cluster import Cluster, ClusterError, Fenced

pytestmark = pytest.mark.quick


class Answer:
    """What the transport gives back."""

    def __init__(self, status: int, text: bytes) -> None:
        self.status = status
        self._text = text

    async def read(self) -> bytes:
        return self._text


def make(monkeypatch: pytest.MonkeyPatch, answer: Answer, *, selector: str = "") -> Any:
    """A cluster whose transport gives that answer, and the requests that were sent."""
    sent: list[tuple[str, str, float]] = []
    cluster = Cluster(Configuration(), selector=selector)

    async def call_api(method: str, url: str, *_: Any, _request_timeout: float) -> Answer:
        sent.append((method, url.partition("/apis")[2], _request_timeout))
        return answer

    monkeypatch.setattr(cluster._client, "call_api", call_api)
    return cluster, sent


def test_only_a_leader_writes_and_no_longer_than_it_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        cluster, sent = make(monkeypatch, Answer(200, b'{"items": []}'))
        cluster.seconds_to_write = lambda: 3.0
        await cluster.patch_status("n", "m", {})
        assert sent.pop() == (
            "PATCH",
            "/dbmigrate.dev/v1alpha1/namespaces/n/databasemigrations/m/status",
            3.0,
        )
        cluster.seconds_to_write = lambda: 0.0
        writes = [
            cluster.patch_status("n", "m", {}),
            cluster.patch_action("n", "a", {}),
            cluster.delete_action("n", "a", "u"),
            cluster.create_job({"metadata": {"namespace": "n"}}),
            cluster.delete_job("n", "j", "u"),
            cluster.create_event({"metadata": {"namespace": "n"}}),
        ]
        for write in writes:
            with pytest.raises(Fenced, match="another operator leads"):
                await write
        assert sent == []
        await cluster.find_migration("n", "m")
        body = {"metadata": {"namespace": "n", "name": "it", "resourceVersion": "1"}}
        await cluster.write_lease(body, limit=2.0)
        assert [method for method, _, _ in sent] == ["GET", "PUT"]
        await cluster.close()

    asyncio.run(scene())


def test_a_selector_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        answer = Answer(400, b'{"message": "unable to parse requirement"}')
        cluster, sent = make(monkeypatch, answer, selector="shard in a")
        with pytest.raises(ClusterError, match=r"^--selector: unable to parse requirement$"):
            await cluster.check_selector(None)
        assert "labelSelector=shard%20in%20a" in sent[0][1]
        await cluster.close()

    asyncio.run(scene())


def test_one_resource_is_looked_for_among_those_that_are_selected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene() -> None:
        answer = Answer(200, b'{"items": [{"metadata": {"name": "m"}}]}')
        cluster, sent = make(monkeypatch, answer, selector="shard=a")
        assert await cluster.find_migration("n", "m") == {"metadata": {"name": "m"}}
        assert "labelSelector=shard%3Da" in sent[0][1]
        assert "fieldSelector=metadata.name%3Dm" in sent[0][1]
        await cluster.close()

    asyncio.run(scene())
