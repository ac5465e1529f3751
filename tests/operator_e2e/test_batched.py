"""A step in batches in the cluster: whatever takes its Pod away, the next Job goes on."""

from __future__ import annotations

import pytest

from tests.cluster import Cluster
from tests.cluster.waiting import eventually
from tests.operator_e2e.process import Operator
from tests.operator_e2e.shop import Shop, condition

pytestmark = [pytest.mark.cluster, pytest.mark.database]

GATE_AT_25 = """
CREATE TABLE items (id int PRIMARY KEY, touched int NOT NULL DEFAULT 0);
INSERT INTO items (id) SELECT g FROM generate_series(1, 45) g;
CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  WHILE NOT EXISTS (SELECT FROM gate) LOOP PERFORM pg_sleep(0.05); END LOOP;
  RETURN NEW;
END $$;
CREATE TRIGGER gate BEFORE UPDATE ON items FOR EACH ROW WHEN (OLD.id = 25)
  EXECUTE FUNCTION wait_at_gate();
"""
COUNT_UP = """-- dbmigrate:batched size=10 duration=1h start=0
UPDATE items SET touched = touched + 1 WHERE id IN (
  SELECT id FROM items WHERE id > :cursor ORDER BY id LIMIT :batch_size)
RETURNING id;
"""
AT_GATE = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name = 'dbmigrate' AND wait_event = 'PgSleep'"
)


def test_pods_that_are_taken_away_cost_a_batch_each_at_most(
    shop: Shop, operator: Operator, installed: Cluster
) -> None:
    def sessions_at_gate() -> set[int]:
        return {pid for (pid,) in shop.database.query(AT_GATE)}

    def running_pods() -> list[str]:
        pods = shop.namespace.list("pod")
        return [p["metadata"]["name"] for p in pods if p["status"]["phase"] == "Running"]

    def wait_at_gate(gone: frozenset[int] = frozenset()) -> tuple[str, frozenset[int]]:
        """The Pod and the session that stand there; that of a Pod taken away lives on a while."""
        eventually(
            sessions_at_gate, lambda seen: seen - gone, deadline=90, what="a session at the gate"
        )
        # The server knows of the session before the node has told of its Pod.
        (pod,) = eventually(running_pods, lambda pods: len(pods) == 1, what="one running Pod")
        return pod, frozenset(sessions_at_gate())

    def touched() -> list[tuple[int, int]]:
        return shop.database.query("SELECT touched, count(*) FROM items GROUP BY 1 ORDER BY 1")

    shop.prepare({"000001_items.up.sql": GATE_AT_25, "000002_count.up.sql": COUNT_UP})
    shop.order()
    first, sessions = wait_at_gate()
    assert touched() == [(0, 25), (1, 20)]
    installed.node.evict(shop.namespace.name, first, grace=0)
    killed = shop.wait(lambda r: r["status"]["lastRun"]["attempts"] == 2, deadline=90)
    assert condition(killed, "Stalled")["status"] == "False"
    second, _ = wait_at_gate(gone=sessions)
    assert touched() == [(0, 25), (1, 20)]
    # This one has its grace: it ends behind the batch that is at work, once that may go on.
    installed.node.evict(shop.namespace.name, second, grace=60)
    shop.open_gate()
    resource = shop.wait_ready(deadline=120)
    assert resource["status"]["version"] == "2"
    assert resource["status"]["dirty"] is False
    assert touched() == [(1, 45)]
    assert operator.is_running
