"""A DatabaseMigrationSet on a real API server: waves, shards, counts, failures, orders."""

from __future__ import annotations

import pytest

from tests.cluster.waiting import eventually
from tests.operator_e2e.fleet import FILES, Fleet, every, phases, totals
from tests.operator_e2e.process import Operator
from tests.operator_e2e.shop import Shop, condition

pytestmark = [pytest.mark.cluster, pytest.mark.database]

WAVES = [
    {"name": "canary", "share": "20%", "concurrency": 2},
    {"name": "rest", "parallelism": 2, "maxFailures": "50%"},
]


@pytest.fixture
def fleet(shop: Shop) -> Fleet:
    """A namespace and a database; nothing is applied yet."""
    return Fleet(shop.namespace, shop.database)


def test_every_schema_is_migrated_once_by_waves_of_shards(fleet: Fleet, operator: Operator) -> None:
    fleet.prepare(20)
    fleet.order(waves=WAVES, shardSize=5)
    resource = fleet.wait_ready()
    names = [f"t{number}" for number in range(20)]
    assert fleet.applied() == every(names, 1, 2)
    assert totals(resource) == {
        "total": 20,
        "current": 20,
        "pending": 0,
        "failed": 0,
        "dirty": 0,
        "unreachable": 0,
    }
    assert phases(resource) == ["Succeeded", "Succeeded"]
    assert sum(wave["migrated"] for wave in resource["status"]["waves"]) == 20
    assert fleet.outcomes() == {"current": 20}
    assert condition(resource, "Dirty")["status"] == "False"
    # Nothing starts again by itself, and a changed file is a new rollout.
    third = {"000003_note.up.sql": "ALTER TABLE orders ADD note text;\n"}
    fleet.write_files({**FILES, **third})
    changed = fleet.wait(
        lambda r: r["status"]["rollout"]["intent"] != resource["status"]["rollout"]["intent"]
    )
    assert changed["status"]["rollout"]["trigger"] == "Change"
    fleet.wait(lambda r: totals(r)["current"] == 20 and r["status"]["rollout"].get("finishedAt"))
    found = fleet.database.query(
        "SELECT count(*) FROM information_schema.columns WHERE column_name = 'note'"
    )
    assert found == [(20,)]
    assert operator.is_running
    eventually(lambda: len(fleet.jobs()) <= 6, what="old Jobs to go")


def test_broken_targets_are_named_and_all_others_are_current(
    fleet: Fleet, operator: Operator
) -> None:
    fleet.prepare(12)
    fleet.break_tenants("t3", "t7")
    fleet.order(waves=[{"name": "all", "parallelism": 2}], shardSize=4)
    resource = fleet.wait_for_reason("TargetsFailed")
    assert (totals(resource)["current"], totals(resource)["failed"]) == (10, 2)
    failures = {each["target"]: each for each in resource["status"]["failures"]}
    assert set(failures) == {"t3", "t7"}
    assert failures["t3"]["reason"] == "StatementFailed"
    assert (failures["t3"]["file"], failures["t3"]["line"]) == ("000002_positive.up.sql", 1)
    assert condition(resource, "Stalled")["status"] == "True"
    assert fleet.outcomes() == {"current": 10, "failed": 2}
    # A person repairs the rows, and orders another rollout.
    fleet.database.execute("UPDATE t3.orders SET total = 5; UPDATE t7.orders SET total = 5")
    fleet.act("Retry")
    resource = fleet.wait_ready()
    assert totals(resource)["current"] == 12
    assert "failures" not in resource["status"]
    names = [f"t{number}" for number in range(12)]
    good = [name for name in names if name not in {"t3", "t7"}]
    assert fleet.applied() == sorted(every(good, 1, 2) + every(["t3", "t7"], 2))
    fleet.namespace.wait("dbma", "act", lambda a: a["status"]["phase"] == "Succeeded")
    assert operator.is_running
