"""The candidate at the API server: what it does when requests fail, hang, or meet others'."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, cast

import pytest

from dbmigrate.api.fields import Document
from dbmigrate.controller.cluster import (
    AlreadyExists,
    Cluster,
    ClusterError,
    Conflict,
    Refused,
    Unavailable,
)
from dbmigrate.controller.leadership.elector import Elector
from dbmigrate.controller.leadership.standby import work_as_leader

pytestmark = pytest.mark.quick

DURATION = timedelta(milliseconds=250)
ROOM = DURATION.total_seconds() * 2 / 3


class Leases:
    """Stands where the API server does, with one Lease, and a clock that a test sets."""

    def __init__(self) -> None:
        self.lease: Document | None = None
        self.version = 0
        self.now = 1000.0
        self.problem: ClusterError | None = None
        self.before_write: Callable[[], None] = lambda: None
        self.loses_answers = False
        self.requests = 0

    async def find_lease(self, namespace: str, name: str, *, limit: float) -> Document | None:
        self.requests += 1
        assert (namespace, name) == ("system", "it")
        assert limit > 0
        if self.problem is not None:
            raise self.problem
        return self.lease

    async def write_lease(self, body: Document, *, limit: float) -> Document:
        assert limit > 0
        self.before_write()
        if self.problem is not None:
            raise self.problem
        version = body["metadata"].get("resourceVersion")
        if version is None and self.lease is not None:
            raise AlreadyExists("it is there")
        if version is not None and self.lease is None:
            raise Conflict("it is gone")
        if self.lease is not None and version != self.lease["metadata"]["resourceVersion"]:
            raise Conflict("it has changed")
        written = self.put(body["spec"])
        if self.loses_answers:
            raise Unavailable("no answer")
        return written

    def put(self, spec: Document) -> Document:
        self.version += 1
        metadata = {"resourceVersion": str(self.version)}
        self.lease = {"metadata": metadata, "spec": spec}
        return self.lease

    @property
    def holder(self) -> str:
        return str(self.lease["spec"]["holderIdentity"]) if self.lease else ""


@pytest.fixture
def leases() -> Leases:
    return Leases()


def candidate(leases: Leases, identity: str = "me") -> Elector:
    cluster = cast("Cluster", leases)
    return Elector(cluster, ("system", "it"), identity, DURATION, clock=lambda: leases.now)


async def until(predicate: Callable[[], bool]) -> None:
    """Let the others go on until it holds."""
    while not predicate():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def until_tried(leases: Leases, times: int) -> None:
    """Let the others go on until they have asked for the Lease so often."""
    before = leases.requests
    await until(lambda: leases.requests >= before + times)


def run(work: Awaitable[Any]) -> Any:
    async def within() -> Any:
        async with asyncio.timeout(20):
            return await work

    return asyncio.run(within())


def test_the_room_to_write_counts_from_before_the_request(leases: Leases) -> None:
    def pass_time() -> None:
        leases.now += 0.1

    leases.before_write = pass_time
    elector = candidate(leases)
    assert elector.seconds_to_write() <= 0
    run(elector.acquire())
    assert leases.holder == "me"
    assert elector.seconds_to_write() == pytest.approx(ROOM - 0.1)
    leases.now += ROOM
    assert elector.seconds_to_write() <= 0


def test_who_holds_a_lease_keeps_it_while_it_is_renewed(leases: Leases) -> None:
    async def scene() -> None:
        first, second = candidate(leases, "first"), candidate(leases, "second")
        await first.acquire()
        waiting = asyncio.ensure_future(second.acquire())
        holding = asyncio.ensure_future(first.hold())
        seen = leases.version
        while leases.version < seen + 5:
            leases.now += 0.02
            await asyncio.sleep(0.005)
        assert not waiting.done()
        assert leases.lease is not None
        assert leases.lease["spec"]["leaseTransitions"] == 0
        holding.cancel()
        await first.release()
        assert first.seconds_to_write() <= 0
        await waiting
        assert leases.holder == "second"
        waiting.cancel()

    run(scene())


@pytest.mark.parametrize("problem", [Unavailable("away"), Refused("no", is_final=False)])
def test_a_leader_that_cannot_renew_is_none_when_its_room_is_used_up(
    leases: Leases, problem: ClusterError
) -> None:
    async def scene() -> None:
        elector = candidate(leases)
        await elector.acquire()
        leases.problem = problem
        holding = asyncio.ensure_future(elector.hold())
        await until_tried(leases, 2)
        assert not holding.done()
        leases.now += ROOM + 0.01
        await holding
        assert elector.seconds_to_write() <= 0
        # The Lease still names it: it goes on as soon as the server answers.
        leases.problem = None
        await elector.acquire()
        assert elector.seconds_to_write() > 0

    run(scene())


def test_an_outage_is_said_once(leases: Leases, caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> None:
        elector = candidate(leases)
        for _ in range(2):
            leases.problem = Unavailable("away")
            waiting = asyncio.ensure_future(elector.acquire())
            await until_tried(leases, 3)
            leases.problem = None
            await waiting

    with caplog.at_level("WARNING"):
        run(scene())
    assert [record.getMessage() for record in caplog.records] == [
        "the lease could not be read or renewed: away"
    ] * 2


def test_a_leader_whose_lease_another_has_taken_stops_at_once(leases: Leases) -> None:
    async def scene() -> None:
        elector = candidate(leases)
        await elector.acquire()
        assert leases.lease is not None
        leases.put({**leases.lease["spec"], "holderIdentity": "other"})
        await elector.hold()
        assert elector.seconds_to_write() <= 0
        await elector.release()
        assert leases.holder == "other"

    run(scene())


def test_a_renewal_whose_answer_was_lost_is_made_again(leases: Leases) -> None:
    async def scene() -> None:
        elector = candidate(leases)
        await elector.acquire()
        leases.loses_answers = True
        holding = asyncio.ensure_future(elector.hold())
        seen = leases.version
        await until(lambda: leases.version >= seen + 2)
        leases.loses_answers = False
        before = leases.now = leases.now + ROOM / 2
        seen = leases.version
        await until(lambda: leases.version >= seen + 2)
        assert elector.seconds_to_write() == pytest.approx(before + ROOM - leases.now)
        assert not holding.done()
        holding.cancel()

    run(scene())


def test_a_lease_that_somebody_deletes_is_made_again_by_its_holder(leases: Leases) -> None:
    async def scene() -> None:
        elector = candidate(leases)
        await elector.acquire()
        holding = asyncio.ensure_future(elector.hold())
        leases.lease = None
        await until(lambda: leases.holder == "me")
        assert not holding.done()
        holding.cancel()

    run(scene())


def test_one_that_may_not_use_the_lease_says_so_and_does_not_wait_for_ever(leases: Leases) -> None:
    leases.problem = Refused("leases.coordination.k8s.io is forbidden", is_final=False)
    with pytest.raises(Refused, match="forbidden"):
        run(candidate(leases).acquire())


def test_work_is_done_by_the_leader_and_ends_before_the_lease_is_given_up(leases: Leases) -> None:
    story: list[str] = []

    async def work() -> None:
        story.append(f"work of {leases.holder}")
        try:
            await asyncio.Event().wait()
        finally:
            story.append(f"end while {leases.holder} leads")

    def change(is_leading: bool) -> None:
        story.append(f"leading: {is_leading}")

    async def scene() -> None:
        leading = asyncio.ensure_future(work_as_leader(candidate(leases), work, on_change=change))
        await until(lambda: len(story) >= 2)
        # Another takes it, against the rules; then gives it up.
        assert leases.lease is not None
        leases.put({**leases.lease["spec"], "holderIdentity": "other"})
        await until(lambda: len(story) >= 4)
        leases.put({**leases.lease["spec"], "holderIdentity": ""})
        await until(lambda: len(story) >= 6)
        leading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leading

    run(scene())
    assert story == [
        "leading: True",
        "work of me",
        "end while other leads",
        "leading: False",
        "leading: True",
        "work of me",
        "end while me leads",
        "leading: False",
    ]
    assert leases.holder == ""


def test_work_that_fails_ends_the_operator(leases: Leases) -> None:
    async def work() -> None:
        raise ValueError("a fault of ours")

    with pytest.raises(ValueError, match="of ours"):
        run(work_as_leader(candidate(leases), work, on_change=lambda _: None))
    assert leases.holder == ""
