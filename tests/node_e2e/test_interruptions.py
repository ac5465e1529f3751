"""Pods that are taken away in the middle of a step, on a real node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.cluster.credentials import NODE_NAME
from tests.cluster.waiting import eventually
from tests.node_e2e.node import RealCluster
from tests.operator_e2e.shop import FILES, GATED, Shop, attempts, condition

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

CONCURRENTLY = {
    **FILES,
    "000003_index.up.sql": "CREATE INDEX CONCURRENTLY items_price ON items (price);\n",
}
BATCHED = {
    **FILES,
    "000003_fill.up.sql": (
        "CREATE TABLE rows (id int PRIMARY KEY, touched int NOT NULL DEFAULT 0);\n"
        "INSERT INTO rows (id) SELECT g FROM generate_series(1, 45) g;\n"
        "CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN\n"
        "  WHILE NOT EXISTS (SELECT FROM gate) LOOP PERFORM pg_sleep(0.05); END LOOP;\n"
        "  RETURN NEW;\nEND $$;\n"
        "CREATE TRIGGER gate BEFORE UPDATE ON rows FOR EACH ROW WHEN (OLD.id = 25)\n"
        "  EXECUTE FUNCTION wait_at_gate();\n"
    ),
    "000004_count.up.sql": (
        "-- dbmigrate:batched size=10 duration=1h start=0\n"
        "UPDATE rows SET touched = touched + 1 WHERE id IN (\n"
        "  SELECT id FROM rows WHERE id > :cursor ORDER BY id LIMIT :batch_size)\n"
        "RETURNING id;\n"
    ),
}
AT_WORK = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name = 'dbmigrate' AND state = 'active'"
)
BUILDING = f"{AT_WORK} AND query LIKE 'CREATE INDEX CONCURRENTLY%'"
AT_GATE = f"{AT_WORK} AND wait_event = 'PgSleep'"


def evict(shop: Shop, grace: int | None = None) -> str:
    """Ask for the eviction of the run's Pod, as `kubectl drain` does; its name.

    `grace` are seconds in the place of the Pod's own.
    """
    running = [p for p in shop.namespace.list("pod") if p["status"]["phase"] == "Running"]
    (pod,) = running
    name: str = pod["metadata"]["name"]
    shop.namespace.cluster.api.post(
        f"{shop.namespace.path('pod', name)}/eviction",
        {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": shop.namespace.name},
            "deleteOptions": {} if grace is None else {"gracePeriodSeconds": grace},
        },
    )
    return name


def wait_for_work(shop: Shop, question: str) -> None:
    """Return when the runner's session is where the question looks for it."""
    eventually(lambda: shop.database.query(question)[0][0], what=question)


@contextmanager
def old_snapshot(shop: Shop) -> Iterator[psycopg.Connection]:
    """A transaction that CREATE INDEX CONCURRENTLY has to wait for."""
    with psycopg.connect(shop.database.url) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT 1 FROM applied")
        yield connection


def test_a_transaction_is_rolled_back_and_the_next_attempt_applies_it(shop: Shop) -> None:
    shop.prepare(GATED)
    shop.order()
    shop.wait_for_work()
    name = evict(shop)
    shop.namespace.wait_until_gone("pod", name)
    resource = shop.wait(lambda r: attempts(r) == 2)
    assert condition(resource, "Stalled")["status"] == "False"
    shop.open_gate()
    status = shop.wait_ready()["status"]
    assert (status["version"], status["dirty"]) == ("2", False)
    assert shop.applied() == [1, 2]


@pytest.mark.parametrize("grace", [None, 0], ids=["evicted", "killed"])
def test_an_index_is_built_by_the_next_attempt(shop: Shop, grace: int | None) -> None:
    shop.prepare(CONCURRENTLY)
    with old_snapshot(shop):
        shop.order()
        wait_for_work(shop, BUILDING)
        name = evict(shop, grace)
        shop.namespace.wait_until_gone("pod", name)
    status = shop.wait_ready()["status"]
    assert (status["version"], status["dirty"]) == ("3", False)
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'items_price'::regclass"
    assert shop.database.query(valid) == [(True,)]
    assert shop.applied() == [1, 2]


@pytest.mark.parametrize("end", [evict, None], ids=["evicted", "killed"])
def test_batches_go_on_behind_the_last_one(shop: Shop, end: Callable[[Shop], str] | None) -> None:
    shop.prepare(BATCHED)
    shop.order()
    wait_for_work(shop, AT_GATE)
    name = end(shop) if end is not None else kill(shop)
    shop.open_gate()
    status = shop.wait_ready()["status"]
    assert (status["version"], status["dirty"]) == ("4", False)
    assert shop.database.query("SELECT touched, count(*) FROM rows GROUP BY 1") == [(1, 45)]
    assert name


def test_a_node_that_is_lost_is_named_and_its_run_counts_when_it_is_back(
    real: RealCluster, shop: Shop
) -> None:
    shop.prepare(GATED)
    shop.order()
    shop.wait_for_work()
    real.node.stop_kubelet()
    try:
        message = condition(shop.wait_for_reason("NodeLost"), "Ready")["message"]
        assert f"node {NODE_NAME} does not answer" in message
        assert "deadline is" in message
        shop.open_gate()
        eventually(lambda: shop.applied() == [1, 2], what="the end of the run on the lost node")
        assert condition(shop.resource(), "Ready")["reason"] == "NodeLost"
    finally:
        real.node.start_kubelet()
    status = shop.wait_ready(deadline=240)["status"]
    assert (status["version"], status["dirty"]) == ("2", False)
    assert shop.applied() == [1, 2]
    assert len(shop.jobs()) == 1


def kill(shop: Shop) -> str:
    """Take the run's Pod away without a grace period, as a dead machine would."""
    return evict(shop, grace=0)
