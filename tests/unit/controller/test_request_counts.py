"""What many resources at once cost in API requests, however slow the cluster is."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.unit.controller.busy_cluster import BusyCluster, Pace
from tests.unit.controller.virtual_time import run_virtually

pytestmark = pytest.mark.quick

COUNT = 60
TOLD_ONCE = {"create job": COUNT, "patch status": 2 * COUNT, "create event": 2 * COUNT}
"""A resource's writes: that its run is at work, and how it ended."""
TOLD_TWICE = {**TOLD_ONCE, "patch status": 4 * COUNT, "create event": 4 * COUNT}
"""That it has no Pod after a minute as well, and that it is at work at last."""
MOST_READS = 3.8
"""For each resource."""


def count_requests(pace: Pace) -> Counter[str]:
    async def scenario() -> Counter[str]:
        cluster = BusyCluster(pace)
        await cluster.migrate(COUNT)
        return cluster.counts

    return run_virtually(scenario())


@pytest.mark.parametrize(
    ("pace", "event_lists", "writes"),
    [
        pytest.param(Pace(), 0, TOLD_ONCE, id="quick"),
        pytest.param(Pace(request=1), 0, TOLD_ONCE, id="slow API server"),
        pytest.param(Pace(job=100), 0, TOLD_TWICE, id="slow Job controller"),
        pytest.param(Pace(pod=45), 2, TOLD_ONCE, id="no Pod for long"),
        pytest.param(Pace(container=45), 1, TOLD_ONCE, id="slow node"),
        pytest.param(Pace(run=300), 0, TOLD_ONCE, id="long runs"),
    ],
)
def test_the_reads_of_a_run_do_not_grow_with_the_time_that_it_takes(
    pace: Pace, event_lists: int, writes: dict[str, int]
) -> None:
    counts = count_requests(pace)
    assert {name: counts[name] for name in writes} == writes
    reads = {name: number for name, number in counts.items() if name not in writes}
    assert reads.pop("list events", 0) == event_lists * COUNT
    # The streams have shown the rest; what may not rest on them is read for several at once.
    assert max(reads.values()) < 0.6 * COUNT, reads
    assert sum(reads.values()) + event_lists * COUNT < MOST_READS * COUNT


def test_dead_streams_are_made_up_for_by_reads() -> None:
    """Nothing is heard of any Job or Pod, and all resources become Ready nevertheless."""
    counts = count_requests(Pace(is_mute=True))
    assert counts["create job"] == COUNT
    assert counts["get migration"] >= COUNT
