"""One request for all who wait, and no answer that is older than its question."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping
from typing import cast

import pytest

from dbmigrate.api.fields import Document
from dbmigrate.api.names import UID_LABEL
from dbmigrate.controller.cluster import Cluster
from dbmigrate.controller.shared_reads import MOST, SharedReads, SharedRequest

pytestmark = pytest.mark.quick


class Source:
    """Answers with the number of the request; a test lets each one end."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.gate = asyncio.Semaphore(0)
        self.failing: set[int] = set()

    async def request(self, names: Collection[str]) -> Mapping[str, int]:
        self.asked.append(tuple(names))
        number = len(self.asked)
        await self.gate.acquire()
        if number in self.failing:
            raise ConnectionError(f"request {number}")
        return dict.fromkeys(names, number)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def ask(
    source: Source, rounds: list[list[str]], *, cancel: int | None = None
) -> list[int | BaseException | None]:
    """Ask for the names of each round while the first request is under way.

    `cancel`: the number of the one who gives up during the second request.
    """

    async def scenario() -> list[int | BaseException | None]:
        shared = SharedRequest(source.request)
        tasks = []
        for names in rounds:
            tasks += [asyncio.create_task(shared.ask(name)) for name in names]
            await settle()
        source.gate.release()
        await settle()
        if cancel is not None:
            tasks[cancel].cancel()
            await settle()
        for _ in range(10):
            source.gate.release()
            await settle()
        return await asyncio.gather(*tasks, return_exceptions=True)

    return asyncio.run(scenario())


def test_those_who_ask_during_a_request_share_the_next_one() -> None:
    source = Source()
    answers = ask(source, [["a"], ["b", "c"], ["a"]])
    assert source.asked == [("a",), ("b", "c", "a")]
    assert answers == [1, 2, 2, 2]


def test_a_failure_is_told_to_one_and_the_others_ask_again() -> None:
    source = Source()
    source.failing = {2}
    answers = ask(source, [["first"], ["a", "b"]])
    assert source.asked == [("first",), ("a", "b"), ("a", "b")]
    assert isinstance(answers[1], ConnectionError)
    assert answers[2] == 3


def test_the_others_are_answered_where_the_one_that_asks_for_them_gives_up() -> None:
    source = Source()
    answers = ask(source, [["first"], ["a", "b"]], cancel=1)
    assert source.asked == [("first",), ("a", "b"), ("a", "b")]
    assert isinstance(answers[1], asyncio.CancelledError)
    assert answers[2] == 3


def test_a_request_names_no_more_than_fits_into_a_url() -> None:
    source = Source()
    names = [f"uid-{number}" for number in range(2 * MOST)]
    answers = ask(source, [["a"], names])
    assert [len(each) for each in source.asked] == [1, MOST, MOST]
    assert answers == [1, *[2] * MOST, *[3] * MOST]


class Lists:
    """A cluster with a Job and a Pod for each of two resources."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, tuple[str, ...]]] = []

    async def _list(self, kind: str, namespace: str, uids: Collection[str]) -> list[Document]:
        self.calls.append((kind, namespace, tuple(uids)))
        await asyncio.sleep(0)
        known = {"u": ["u-1", "u-2"], "v": ["v-1"]}
        return [
            {"kind": kind, "metadata": {"name": name, "labels": {UID_LABEL: uid}}}
            for uid in uids
            for name in known.get(uid, ())
        ]

    async def list_jobs(self, namespace: str, uids: Collection[str]) -> list[Document]:
        return await self._list("jobs", namespace, uids)

    async def list_pods(self, namespace: str, uids: Collection[str]) -> list[Document]:
        return await self._list("pods", namespace, uids)

    async def find_config_map(self, namespace: str, name: str) -> Document | None:
        self.calls.append(("map", namespace, (name,)))
        await asyncio.sleep(0)
        return {"metadata": {"name": name}} if name == "files" else None


def test_each_resource_gets_its_own_objects_out_of_a_shared_list() -> None:
    lists = Lists()

    async def scenario() -> list[list[str]]:
        reads = SharedReads(cast(Cluster, lists))
        asked = [
            *(reads.list_jobs("team", uid) for uid in ("u", "v", "w")),
            reads.list_pods("team", "v"),
            reads.list_jobs("other", "u"),
        ]
        return [[b["metadata"]["name"] for b in found] for found in await asyncio.gather(*asked)]

    assert asyncio.run(scenario()) == [["u-1", "u-2"], ["v-1"], [], ["v-1"], ["u-1", "u-2"]]
    assert lists.calls == [
        ("jobs", "team", ("u",)),
        ("pods", "team", ("v",)),
        ("jobs", "other", ("u",)),
        ("jobs", "team", ("v", "w")),
    ]


def test_a_config_map_that_many_use_is_read_once_for_those_who_wait() -> None:
    lists = Lists()

    async def scenario() -> list[bool]:
        reads = SharedReads(cast(Cluster, lists))
        names = ["files", "files", "none", "files", "files"]
        found = await asyncio.gather(*(reads.find_config_map("team", name) for name in names))
        return [body is not None for body in found]

    assert asyncio.run(scenario()) == [True, True, False, True, True]
    assert Counter(name for _, _, (name,) in lists.calls) == {"files": 2, "none": 1}
