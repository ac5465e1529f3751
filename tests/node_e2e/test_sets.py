"""A DatabaseMigrationSet on a real node: Indexed Jobs of waves, Pods killed and ended early."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster import Namespace
from tests.cluster.waiting import eventually
from tests.node_e2e.postgres import PodServer
from tests.operator_e2e.fleet import GATED, Fleet, every, phases, totals
from tests.operator_e2e.shop import Shop, condition

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

SLOW = 240.0
AT_GATE = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND state = 'active' AND wait_event = 'PgSleep'"
)


@pytest.fixture
def fleet(namespace: Namespace, postgres: PodServer) -> Fleet:
    """A team's namespace, and a database whose schemas are the targets."""
    shop = Shop(namespace, postgres.create_database())
    return Fleet(shop.namespace, shop.database)


def running(fleet: Fleet) -> list[dict[str, Any]]:
    return [pod for pod in fleet.namespace.list("pod") if pod["status"]["phase"] == "Running"]


@pytest.mark.parametrize("grace", [None, 0], ids=["evicted", "killed"])
def test_two_waves_with_a_pod_that_is_taken_away_in_the_middle_of_its_shard(
    fleet: Fleet, grace: int | None
) -> None:
    names = [f"t{number}" for number in range(8)]
    fleet.prepare(0, GATED)
    fleet.add("t0", labels="tier=internal")
    fleet.add(*names[1:])
    waves = [
        {"name": "canary", "selector": {"matchLabels": {"tier": "internal"}}},
        {"name": "rest", "concurrency": 2},
    ]
    fleet.order(waves=waves)
    eventually(lambda: fleet.database.query(AT_GATE)[0][0] == 1, what="the canary at the gate")
    fleet.open_gate()
    fleet.wait(lambda r: phases(r)[:1] == ["Succeeded"], deadline=SLOW)
    fleet.database.execute("DELETE FROM gate")
    eventually(lambda: fleet.database.query(AT_GATE)[0][0] == 2, what="two targets at the gate")
    (pod,) = running(fleet)
    name = pod["metadata"]["name"]
    options = {} if grace is None else {"gracePeriodSeconds": grace}
    fleet.namespace.cluster.api.post(
        f"{fleet.namespace.path('pod', name)}/eviction",
        {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": fleet.namespace.name},
            "deleteOptions": options,
        },
    )
    if grace == 0:
        fleet.namespace.wait_until_gone("pod", name)
    fleet.open_gate()
    resource = fleet.wait_ready(deadline=SLOW)
    assert phases(resource) == ["Succeeded", "Succeeded"]
    assert (totals(resource)["current"], totals(resource)["total"]) == (8, 8)
    assert fleet.applied() == every(names, 1, 2)
    assert fleet.outcomes() == {"current": 8}
    # The survey, and each wave: Kubernetes has replaced the Pod within its Job.
    assert len(fleet.jobs()) == 3


def test_a_wave_that_is_ended_early_tells_what_its_pods_have_done(fleet: Fleet) -> None:
    """The kubelet writes the report of a Pod that is being deleted with its Job."""
    fleet.order_too_many_failures(4)
    fleet.wait_for_reason("TooManyFailures")
    fleet.open_gate()
    stalled = fleet.wait(lambda r: condition(r, "Stalled").get("status") == "True", deadline=SLOW)
    (wave,) = stalled["status"]["waves"]
    assert (wave["phase"], wave["dirty"]) == ("Failed", 2)
    done = {name for name, version in fleet.applied() if version == 2}
    assert wave["current"] == len(done)
    eventually(lambda: not running(fleet), what="the end of all Pods")
