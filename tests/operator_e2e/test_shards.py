"""Two operators that share the resources by their labels: each has its own, and no other."""

from __future__ import annotations

import pytest

from tests.operator_e2e.conftest import StartOperator
from tests.operator_e2e.shop import FILES, THIRD, Shop, is_ready
from tests.operator_e2e.test_actions import act

pytestmark = [pytest.mark.cluster, pytest.mark.database]


def test_each_operator_looks_after_the_resources_that_it_selects(
    shop: Shop, make_operator: StartOperator
) -> None:
    first, second = make_operator(), make_operator()
    first.start("--selector", "shard=a")
    shop.prepare()
    labelled = shop.manifest()
    labelled["metadata"]["labels"] = {"shard": "a"}
    shop.namespace.apply(labelled)
    shop.wait_ready()
    # It goes to the other one, which is not there yet: the first leaves it alone, orders included.
    shop.namespace.patch("dbm", "shop", {"metadata": {"labels": {"shard": "b"}}})
    shop.write_files({**FILES, **THIRD})
    other = shop.manifest("beside", database=SECOND_KEY, target="1")
    other["metadata"]["labels"] = {"shard": "a"}
    shop.namespace.secret("beside-db", url=f"{shop.database.url}&x-migrations-table=beside")
    shop.namespace.apply({**ORDER, "metadata": {"name": "again"}})
    shop.namespace.apply(other)
    # What came later is done, so what came before has been seen.
    shop.namespace.wait("dbm", "beside", lambda r: r.get("status", {}).get("conditions"))
    assert shop.namespace.get("dbm", "shop")["status"]["version"] == "2"
    assert "phase" not in shop.namespace.get("dbma", "again").get("status", {})
    second.start("--selector", "shard in (b, c)")
    shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "3")
    shop.namespace.wait("dbma", "again", lambda a: a["status"].get("phase") == "Succeeded")
    assert sorted(shop.applied()) == [1, 2, 3]
    assert act(shop, "Retry", "nobody", migration="missing")["phase"] == "Refused"
    assert first.is_running
    assert second.is_running


SECOND_KEY = {"urlFrom": {"secretKeyRef": {"name": "beside-db", "key": "url"}}}
ORDER = {
    "apiVersion": "dbmigrate.dev/v1alpha1",
    "kind": "MigrationAction",
    "spec": {"migration": "shop", "action": "Retry"},
}
