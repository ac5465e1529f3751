"""People's orders on a real cluster: approval, retry, force, rollback, repair."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cluster import ApiError, Cluster
from tests.cluster.waiting import eventually
from tests.operator_e2e.process import Operator
from tests.operator_e2e.shop import FILES, THIRD, Shop, condition, is_ready

pytestmark = [pytest.mark.cluster, pytest.mark.database]

ENDED = ("Succeeded", "Failed", "Refused")


def act(shop: Shop, action: str, name: str = "act", **spec: Any) -> dict[str, Any]:
    """Order it, and wait for what becomes of it."""
    shop.act(action, name, **spec)
    acted = shop.namespace.wait("dbma", name, lambda a: a.get("status", {}).get("phase") in ENDED)
    status: dict[str, Any] = acted["status"]
    return status


def test_a_plan_waits_for_its_approval_and_is_void_when_the_source_changes(
    shop: Shop, operator: Operator
) -> None:
    shop.prepare()
    shop.order(approval="Manual")
    waiting = shop.wait_for_reason("AwaitingApproval")
    plan = waiting["status"]["plan"]
    assert [step["version"] for step in plan["steps"]] == ["1", "2"]
    assert condition(waiting, "Approved")["status"] == "False"
    assert shop.applied() == []
    assert plan["steps"][0]["excerpt"].startswith("CREATE TABLE items")
    shop.write_files({**FILES, **THIRD, "000004_drop.up.sql": "ALTER TABLE items DROP name;"})
    renewed = shop.wait(
        lambda r: (
            condition(r, "Ready").get("reason") == "AwaitingApproval"
            and r["status"].get("plan", plan)["hash"] != plan["hash"]
        )
    )
    last = renewed["status"]["plan"]["steps"][-1]
    assert (last["version"], last["destructive"]) == ("4", True)
    assert "1 of them destructive" in condition(renewed, "Ready")["message"]
    status = act(shop, "Approve", "old", planHash=plan["hash"])
    assert status["phase"] == "Refused"
    assert renewed["status"]["plan"]["hash"] in status["message"]
    assert shop.applied() == []
    status = act(shop, "Approve", "new", planHash=renewed["status"]["plan"]["hash"])
    assert status["phase"] == "Succeeded"
    ready = shop.wait_ready()
    assert ready["status"]["version"] == "4"
    assert condition(ready, "Approved")["status"] == "True"
    assert shop.applied() == [1, 2, 3]
    assert operator.is_running


def test_a_plan_that_the_database_has_left_behind_is_not_run(
    shop: Shop, operator: Operator
) -> None:
    shop.prepare()
    shop.order(approval="Manual")
    plan = shop.wait_for_reason("AwaitingApproval")["status"]["plan"]
    shop.database.execute(
        "CREATE TABLE items (id int PRIMARY KEY);"
        "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);"
        "INSERT INTO schema_migrations VALUES (1, false)"
    )
    assert act(shop, "Approve", "old", planHash=plan["hash"])["phase"] == "Succeeded"
    renewed = shop.wait(
        lambda r: (
            condition(r, "Ready").get("reason") == "AwaitingApproval"
            and r["status"].get("plan", plan)["hash"] != plan["hash"]
        )
    )
    last = renewed["status"]["lastRun"]
    assert (last["error"]["reason"], last["plan"]) == ("PlanChanged", plan["hash"])
    assert condition(renewed, "Approved")["status"] == "False"
    assert [step["version"] for step in renewed["status"]["plan"]["steps"]] == ["2"]
    assert shop.applied() == []
    act(shop, "Approve", "new", planHash=renewed["status"]["plan"]["hash"])
    assert shop.wait_ready()["status"]["version"] == "2"
    assert shop.applied() == [2]
    assert operator.is_running


def test_repair_finishes_what_a_step_without_a_transaction_has_left(
    shop: Shop, operator: Operator
) -> None:
    index = "CREATE UNIQUE INDEX CONCURRENTLY items_price ON items (price);\n"
    shop.prepare()
    shop.order()
    shop.wait_ready()
    shop.database.execute("INSERT INTO items VALUES (1, 5), (2, 5)")
    shop.write_files({**FILES, "000003_index.up.sql": index})
    dirty = shop.wait_for_reason("StatementFailed")
    assert condition(dirty, "Dirty")["status"] == "True"
    assert condition(dirty, "Stalled")["status"] == "True"
    shop.database.execute("UPDATE items SET price = id")
    assert act(shop, "Repair")["phase"] == "Succeeded"
    ready = shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "3")
    assert condition(ready, "Dirty")["status"] == "False"
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'items_price'::regclass"
    assert shop.database.query(valid) == [(True,)]
    assert operator.is_running


def test_retry_tries_again_what_had_stalled(shop: Shop, operator: Operator) -> None:
    shop.prepare()
    shop.namespace.secret("shop-db", url=shop.database.url_for("nobody", "x"))
    shop.order()
    shop.wait_for_reason("AuthenticationFailed")
    shop.namespace.secret("shop-db", url=shop.database.url)
    assert act(shop, "Retry")["phase"] == "Succeeded"
    ready = shop.wait_ready()
    assert ready["status"]["lastRun"]["attempts"] == 2
    assert operator.is_running


def test_force_says_where_the_database_is_and_the_target_is_sought_from_there(
    shop: Shop, operator: Operator
) -> None:
    shop.prepare()
    shop.order()
    shop.wait_ready()
    shop.database.execute("UPDATE schema_migrations SET version = 1, dirty = true")
    shop.write_files({**FILES, **THIRD})
    dirty = shop.wait_for_reason("Dirty")
    assert condition(dirty, "Dirty")["status"] == "True"
    assert condition(dirty, "Stalled")["status"] == "True"
    status = act(shop, "Force", version="2", reason="both files had been applied")
    assert status["phase"] == "Succeeded"
    ready = shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "3")
    assert condition(ready, "Dirty")["status"] == "False"
    assert shop.applied() == [1, 2, 3]
    assert operator.is_running


def test_a_rollback_holds_until_something_new_is_wanted(shop: Shop, operator: Operator) -> None:
    shop.prepare()
    shop.order()
    shop.wait_ready()
    status = act(shop, "Rollback", version="1")
    assert status["phase"] == "Succeeded"
    held = shop.wait_for_reason("RolledBack")
    assert held["status"]["version"] == "1"
    assert condition(held, "Stalled")["status"] == "False"
    shop.write_files({**FILES, **THIRD})
    shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "3")
    assert shop.applied() == [1, 2, 2, 3]
    assert operator.is_running


def test_a_rollback_needs_no_files_that_the_older_image_lacks(
    shop: Shop, operator: Operator
) -> None:
    shop.prepare({**FILES, **THIRD})
    shop.order()
    shop.wait_ready()
    shop.write_files(FILES)
    refused = shop.wait_for_reason("RollbackForbidden")
    assert condition(refused, "Stalled")["status"] == "True"
    assert refused["status"]["version"] == "3"
    status = act(shop, "Rollback", version="2")
    assert status["phase"] == "Succeeded", status
    held = shop.wait_for_reason("RolledBack")
    assert held["status"]["version"] == "2"
    columns = "SELECT column_name FROM information_schema.columns WHERE table_name = 'items'"
    assert sorted(shop.database.query(columns)) == [("id",), ("price",)]
    assert operator.is_running


def test_an_order_for_what_does_not_exist_is_refused(shop: Shop, operator: Operator) -> None:
    status = act(shop, "Retry")
    assert status["phase"] == "Refused"
    assert "does not exist" in status["message"]
    assert operator.is_running


def test_an_order_is_never_changed(shop: Shop, operator: Operator) -> None:
    act(shop, "Retry")
    with pytest.raises(ApiError, match="can't be changed"):
        shop.namespace.patch("dbma", "act", {"spec": {"migration": "other"}})
    assert operator.is_running


def test_an_applied_file_that_was_edited_behind_its_tag_is_drift(
    shop: Shop, make_operator: Any, installed: Cluster, tmp_path: Path
) -> None:
    make_operator(resync="3s").start()
    tree = tmp_path / "tree"
    (tree / "migrations").mkdir(parents=True)
    for name, text in FILES.items():
        (tree / "migrations" / name).write_text(text)
    installed.node.images.register("shop:edited", tree=tree)
    shop.prepare()
    shop.order(source={"image": {"reference": "shop:edited", "path": "/migrations"}})
    shop.wait_ready()
    (tree / "migrations" / "000001_create_items.up.sql").write_text("CREATE TABLE other ();\n")
    drifted = shop.wait_for_reason("Drifted")
    assert "000001_create_items.up.sql" in condition(drifted, "Ready")["message"]
    assert shop.applied() == [1, 2]
    shop.order(
        source={"image": {"reference": "shop:edited", "path": "/migrations"}}, changedFiles="Warn"
    )
    shop.wait_ready()
    assert shop.applied() == [1, 2]


def test_drift_is_found_by_asking_the_database_now_and_then(shop: Shop, make_operator: Any) -> None:
    make_operator(resync="3s").start()
    shop.prepare()
    shop.order()
    shop.wait_ready()
    shop.database.execute("UPDATE schema_migrations SET version = 1")
    drifted = shop.wait_for_reason("Drifted")
    assert "from 2 to 1" in condition(drifted, "Ready")["message"]
    assert condition(drifted, "Stalled")["status"] == "True"
    assert drifted["status"]["version"] == "1"
    assert shop.applied() == [1, 2]
    shop.database.execute("UPDATE schema_migrations SET version = 2")
    shop.wait_ready()
    # The run, the newest answer and one question under way; older ones go after the status.
    eventually(lambda: len(shop.jobs()) <= 3, what="at most three Jobs")


def test_an_order_from_git_is_carried_out_once(shop: Shop, operator: Operator) -> None:
    shop.prepare()
    shop.order()
    shop.wait_ready()
    assert act(shop, "Rollback", "back", version="1")["phase"] == "Succeeded"
    shop.write_files({**FILES, **THIRD})
    shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "3")
    done = shop.applied()
    # The resource is made again, and its order with it.
    shop.namespace.delete("dbm", "shop")
    shop.namespace.wait_until_gone("dbma", "back")
    shop.order()
    again = act(shop, "Rollback", "back", version="1")
    assert again["phase"] == "Refused"
    assert "has been carried out" in again["message"]
    assert shop.wait_ready()["status"]["version"] == "3"
    assert shop.applied() == done
    # Under another name it is another order.
    assert act(shop, "Rollback", "back-2", version="1")["phase"] == "Succeeded"
    assert operator.is_running


def test_a_database_repaired_on_the_command_line_is_found_and_brought_on(
    shop: Shop, make_operator: Any
) -> None:
    make_operator(resync="3s").start()
    shop.prepare()
    shop.order()
    shop.wait_ready()
    shop.database.execute("UPDATE schema_migrations SET version = 1, dirty = true")
    shop.write_files({**FILES, **THIRD})
    shop.wait_for_reason("Dirty")
    shop.database.execute("UPDATE schema_migrations SET version = 2, dirty = false")
    ready = shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "3")
    assert condition(ready, "Dirty")["status"] == "False"
    assert shop.applied() == [1, 2, 3]


def test_a_drifted_database_stays_so_while_it_is_asked_again_and_when_it_is_gone(
    shop: Shop, make_operator: Any
) -> None:
    make_operator(resync="1s").start()
    shop.prepare()
    shop.order()
    shop.wait_ready()
    shop.database.execute("UPDATE schema_migrations SET dirty = true")
    shop.wait_for_reason("Drifted")
    seen: list[str] = []

    def next_check(resource: dict[str, Any]) -> bool:
        seen.append(condition(resource, "Ready")["status"])
        return len(shop_checks(shop) - before) >= 2

    before = shop_checks(shop)
    shop.wait(next_check)
    assert set(seen) == {"False"}
    shop.namespace.secret("shop-db", url=shop.database.url_for("nobody", "x"))
    silent = shop.wait_for_reason("Unreachable")
    assert condition(silent, "Ready")["status"] == "Unknown"
    assert "has not answered since" in condition(silent, "Ready")["message"]
    assert silent["status"]["lastCheck"]["unanswered"] >= 3
    shop.database.execute("UPDATE schema_migrations SET dirty = false")
    shop.namespace.secret("shop-db", url=shop.database.url)
    ready = shop.wait_ready()
    assert "lastCheck" not in ready["status"]
    assert shop.applied() == [1, 2]


def shop_checks(shop: Shop) -> set[str]:
    """The uids of all checks that there are."""
    label = "dbmigrate.dev/command"
    jobs = (job["metadata"] for job in shop.jobs())
    return {job["uid"] for job in jobs if job["labels"][label] == "status"}


def test_orders_belong_to_their_resource_and_only_some_are_kept(
    shop: Shop, operator: Operator
) -> None:
    shop.prepare()
    shop.order(history={"actions": 1})
    shop.wait_ready()
    for name in ("first", "second"):
        action = {
            "apiVersion": "dbmigrate.dev/v1alpha1",
            "kind": "MigrationAction",
            "metadata": {"name": name},
            "spec": {"migration": "shop", "action": "Retry"},
        }
        shop.namespace.apply(action)
        shop.namespace.wait("dbma", name, lambda a: a.get("status", {}).get("finishedAt"))
    shop.namespace.wait_until_gone("dbma", "first")
    kept = shop.namespace.wait("dbma", "second", lambda a: a["metadata"].get("ownerReferences"))
    (owner,) = kept["metadata"]["ownerReferences"]
    assert owner["uid"] == shop.namespace.get("dbm", "shop")["metadata"]["uid"]
    shop.namespace.delete("dbm", "shop")
    shop.namespace.wait_until_gone("dbma", "second")
    assert operator.is_running
