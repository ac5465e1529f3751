"""One leader at a time, however slow, lost or late requests are."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbmigrate.controller.leadership.election import (
    RENEWALS,
    WRITING_SHARE,
    ElectionMove,
    Lease,
    Sighting,
    build_lease,
    choose_move,
    parse_lease,
    see,
    writes_until,
)

pytestmark = pytest.mark.quick

DURATION = timedelta(seconds=15)
SECONDS = DURATION.total_seconds()
NOW = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)


def held(by: str, version: str = "1") -> Lease:
    return Lease(by, DURATION, version)


@pytest.mark.parametrize(
    ("lease", "age", "move"),
    [
        (None, 0, ElectionMove.TAKE),
        (held(""), 0, ElectionMove.TAKE),
        (held("me"), 0, ElectionMove.RENEW),
        (held("me"), 1000, ElectionMove.RENEW),
        (held("other"), 0, ElectionMove.WAIT),
        (held("other"), SECONDS - 0.1, ElectionMove.WAIT),
        (held("other"), SECONDS, ElectionMove.TAKE),
        (Lease("other", timedelta(), "1"), 0, ElectionMove.TAKE),
    ],
)
def test_a_candidate_takes_only_what_nobody_renews(
    lease: Lease | None, age: float, move: ElectionMove
) -> None:
    assert choose_move(Sighting(lease, 100.0), "me", 100.0 + age) is move


def test_a_renewal_begins_the_wait_anew_and_a_second_look_does_not() -> None:
    first = see(None, held("other"), 10.0)
    assert see(first, held("other"), 20.0) is first
    assert see(first, held("other", "2"), 20.0).since == 20.0


def test_a_lease_that_is_deleted_stands_for_its_duration() -> None:
    gone = see(see(None, held("other"), 10.0), None, 12.0)
    assert choose_move(gone, "me", 12.0) is ElectionMove.WAIT
    assert see(gone, None, 20.0) is gone
    assert choose_move(gone, "me", 12.0 + SECONDS) is ElectionMove.TAKE
    assert choose_move(see(None, None, 12.0), "me", 12.0) is ElectionMove.TAKE
    assert choose_move(gone, "other", 12.0) is ElectionMove.RENEW


def test_a_renewal_keeps_when_it_was_taken_and_a_change_is_counted() -> None:
    taken = build_lease(Sighting(None, 0), "me", DURATION, now=NOW)
    assert taken == {
        "holderIdentity": "me",
        "leaseDurationSeconds": 15,
        "acquireTime": "2026-01-02T03:04:05.000678Z",
        "renewTime": "2026-01-02T03:04:05.000678Z",
        "leaseTransitions": 0,
    }
    mine = parse_lease({"metadata": {"resourceVersion": "7"}, "spec": taken})
    later = build_lease(Sighting(mine, 0), "me", DURATION, now=NOW + timedelta(seconds=3))
    assert (later["acquireTime"], later["leaseTransitions"]) == (taken["acquireTime"], 0)
    assert later["renewTime"] > taken["renewTime"]
    stolen = build_lease(Sighting(mine, 0), "other", DURATION, now=NOW)
    assert (stolen["holderIdentity"], stolen["leaseTransitions"]) == ("other", 1)
    assert build_lease(Sighting(mine, 0), "", DURATION, now=NOW)["leaseTransitions"] == 0
    short = build_lease(Sighting(None, 0), "me", timedelta(milliseconds=1500), now=NOW)
    assert short["leaseDurationSeconds"] == 2


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
FIELDS = ("holderIdentity", "leaseDurationSeconds", "acquireTime", "leaseTransitions")


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, documents)) | documents)
def test_any_lease_can_be_read(spec: Any) -> None:
    lease = parse_lease({"metadata": {"resourceVersion": "1"}, "spec": spec})
    assert choose_move(Sighting(lease, 0.0), "me", 1.0) in ElectionMove
    assert build_lease(Sighting(lease, 0.0), "me", DURATION, now=NOW)["holderIdentity"] == "me"


@dataclass
class Server:
    """Holds the Lease; each change has a new version."""

    lease: Lease | None = None
    version: int = 0

    def write(self, holder: str, version: str) -> Lease | None:
        """The Lease as written; None: it has changed since that version."""
        if version != (self.lease.version if self.lease else ""):
            return None
        self.version += 1
        self.lease = held(holder, str(self.version))
        return self.lease


@dataclass
class Candidate:
    """One operator: asks, decides and writes, each as slowly as the drawn times say."""

    name: str
    server: Server
    times: Iterator[float]
    clock: list[float]
    may_write: list[tuple[float, float, str]] = field(default_factory=list)

    def live(self) -> Iterator[float]:
        """Runs for ever; yields how long it waits."""
        sighting: Sighting | None = None
        while True:
            yield next(self.times)
            found = self.server.lease
            yield next(self.times)
            sighting = see(sighting, found, self.clock[0])
            if choose_move(sighting, self.name, self.clock[0]) is ElectionMove.WAIT:
                yield SECONDS / RENEWALS
                continue
            sent = self.clock[0]
            yield next(self.times)
            version = sighting.lease.version if sighting.lease else ""
            written = self.server.write(self.name, version)
            yield next(self.times)
            is_lost = next(self.times) > SECONDS
            if written is not None and not is_lost:
                sighting = see(None, written, self.clock[0])
                until = writes_until(sent, DURATION)
                if until > self.clock[0]:
                    self.may_write.append((self.clock[0], until, self.name))
            yield SECONDS / RENEWALS


MOMENTS = st.sampled_from([0.0, 0.0, 0.0, 0.01, 0.5, SECONDS / 5, 0.6 * SECONDS, 1.1 * SECONDS])


@settings(max_examples=100, deadline=None)
@given(st.lists(MOMENTS, min_size=40, max_size=200), st.integers(2, 3))
def test_a_write_of_one_leader_never_meets_those_of_another(times: list[float], count: int) -> None:
    """Not even one that was sent in the last moment, and takes the last third of the duration."""
    server, clock = Server(), [0.0]
    spans: list[tuple[float, float, str]] = []
    drawn = iter(times)
    candidates = [Candidate(f"c{n}", server, drawn, clock, spans) for n in range(count)]
    queue = [(0.0, n, each.live()) for n, each in enumerate(candidates)]
    while queue:
        clock[0], number, life = heapq.heappop(queue)
        try:
            heapq.heappush(queue, (clock[0] + next(life), number, life))
        except RuntimeError:
            break  # no more times were drawn
    slack = SECONDS * (1 - WRITING_SHARE)
    ends: dict[str, float] = {}
    for begin, until, name in sorted(spans):
        assert all(begin >= ends[other] + slack - 1e-6 for other in ends if other != name)
        ends[name] = until
