"""Fresh reads that several looks share: one request answers all that waited for it.

While a request is under way, those who ask for the same kind of object in the same namespace
gather; the next request is made for all of them. So each answer is as fresh as one that was
asked for alone, a single question waits for nothing, and a thousand resources that are applied
at once cost a fraction of the reads.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from dbmigrate.api.fields import Document
from dbmigrate.api.names import UID_LABEL
from dbmigrate.controller.cluster import Cluster

Answer = TypeVar("Answer")
MOST = 50
"""Names in one request, so that its URL stays short."""


class _Batch(Generic[Answer]):
    """The names that one request asks for, and the answers once they are there."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}
        self.answers: Mapping[str, Answer] | None = None


class SharedRequest(Generic[Answer]):
    """One kind of request, of which one is made at a time."""

    def __init__(
        self, request: Callable[[Collection[str]], Awaitable[Mapping[str, Answer]]]
    ) -> None:
        self._request = request
        self._next: _Batch[Answer] = _Batch()
        self._lock = asyncio.Lock()

    async def ask(self, name: str) -> Answer | None:
        """The answer of a request that begins after this call; None: it has none for the name.

        Raises what the request raises; the others that wait then make another one.
        """
        if len(self._next.names) >= MOST:
            self._next = _Batch()
        batch = self._next
        batch.names[name] = None
        async with self._lock:
            if batch.answers is None:
                if batch is self._next:
                    self._next = _Batch()
                batch.answers = await self._request(tuple(batch.names))
        return batch.answers.get(name)


class SharedReads:
    """The reads of a fresh view, by namespace."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lists: WeakValueDictionary[tuple[str, str], SharedRequest[list[Document]]]
        self._lists = WeakValueDictionary()
        self._maps: WeakValueDictionary[str, SharedRequest[Document]] = WeakValueDictionary()

    async def list_jobs(self, namespace: str, uid: str) -> list[Document]:
        """All Jobs of a resource."""

        async def request(uids: Collection[str]) -> Mapping[str, list[Document]]:
            return _by_owner(await self._cluster.list_jobs(namespace, uids))

        return await self._list("jobs", namespace, uid, request)

    async def list_pods(self, namespace: str, uid: str) -> list[Document]:
        """All Pods of a resource's Jobs."""

        async def request(uids: Collection[str]) -> Mapping[str, list[Document]]:
            return _by_owner(await self._cluster.list_pods(namespace, uids))

        return await self._list("pods", namespace, uid, request)

    async def find_config_map(self, namespace: str, name: str) -> Document | None:
        """One ConfigMap, which many resources may use."""

        async def request(_: Collection[str]) -> Mapping[str, Document]:
            found = await self._cluster.find_config_map(namespace, name)
            return {} if found is None else {name: found}

        shared = self._maps.setdefault(f"{namespace}/{name}", SharedRequest(request))
        return await shared.ask(name)

    async def _list(
        self,
        kind: str,
        namespace: str,
        uid: str,
        request: Callable[[Collection[str]], Awaitable[Mapping[str, list[Document]]]],
    ) -> list[Document]:
        shared = self._lists.setdefault((kind, namespace), SharedRequest(request))
        return await shared.ask(uid) or []


def _by_owner(bodies: Iterable[Document]) -> Mapping[str, list[Document]]:
    """The objects by the uid in their label."""
    found: dict[str, list[Document]] = defaultdict(list)
    for body in bodies:
        found[body["metadata"]["labels"][UID_LABEL]].append(body)
    return found
