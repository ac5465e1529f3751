"""source.lint: what is pending is looked at before it is run, weighed by the database's tables."""

from __future__ import annotations

from typing import Any

import pytest

from tests.operator_e2e.process import Operator
from tests.operator_e2e.shop import FILES, Shop, condition, is_ready

pytestmark = [pytest.mark.cluster, pytest.mark.database]

INDEX = "CREATE INDEX items_price ON items (price);\nINSERT INTO applied VALUES (3);\n"
INDEXED = {**FILES, "000003_index.up.sql": INDEX, "000003_index.down.sql": "DROP INDEX items_price"}
DROP_FILE = "000003_drop.up.sql"
DROPPED = {DROP_FILE: "ALTER TABLE items DROP price;", "000003_drop.down.sql": "SELECT 1;"}
MEANT = "-- dbmigrate:ignore index-blocks-writes nobody writes at night\n"
GROW = "INSERT INTO items SELECT n, n FROM generate_series(1, 300000) n"


def source(policy: str) -> dict[str, Any]:
    return {"configMaps": [{"name": "shop-migrations"}], "lint": policy}


def grow(shop: Shop) -> None:
    """The application has filled the table since: 10 MB are no small one."""
    shop.database.execute(GROW)


def test_an_error_is_rejected_until_the_file_says_that_it_is_meant(
    shop: Shop, operator: Operator
) -> None:
    shop.prepare()
    shop.order(source=source("Reject"))
    shop.wait_ready()  # what they do to tables that they have made concerns nobody
    grow(shop)
    shop.write_files(INDEXED)
    rejected = shop.wait_for_reason("LintRejected")
    assert condition(rejected, "Stalled")["status"] == "True"
    message = condition(rejected, "Ready")["message"]
    assert "000003_index.up.sql:1 index-blocks-writes: items: CREATE INDEX blocks writes" in message
    last = rejected["status"]["lastRun"]
    assert last["error"]["retryable"] is False
    assert "-- dbmigrate:ignore index-blocks-writes" in last["error"]["hint"]
    assert [found["severity"] for found in last["findings"]] == ["error"]
    assert shop.wait_for_event("LintRejected")["type"] == "Warning"
    assert shop.applied() == [1, 2]
    shop.write_files({**INDEXED, "000003_index.up.sql": MEANT + INDEX})
    ready = shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "3")
    assert "findings" not in ready["status"]["lastRun"]
    assert shop.applied() == [1, 2, 3]
    assert operator.is_running


def test_without_a_word_findings_are_told_in_plan_and_run_and_the_steps_are_run(
    shop: Shop, operator: Operator
) -> None:
    shop.prepare()
    shop.order()
    assert "findings" not in shop.wait_ready()["status"]["lastRun"]
    shop.order(approval="Manual")
    shop.write_files({**FILES, **DROPPED})
    held = shop.wait_for_reason("AwaitingApproval")
    plan = held["status"]["plan"]
    assert [found["rule"] for found in plan["findings"]] == ["column-dropped"]
    assert "1 finding of lint" in condition(held, "Ready")["message"]
    spec = {"migration": "shop", "action": "Approve", "planHash": plan["hash"]}
    action = {"apiVersion": "dbmigrate.dev/v1alpha1", "kind": "MigrationAction"}
    shop.namespace.apply({**action, "metadata": {"name": "yes"}, "spec": spec})
    ready = shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "3")
    (found,) = ready["status"]["lastRun"]["findings"]
    assert (found["rule"], found["file"], found["line"]) == ("column-dropped", DROP_FILE, 1)
    assert ready["status"]["lastRun"]["findingsTotal"] == 1
    event = shop.wait_for_event("LintFindings")
    assert shop.reasons().count("LintFindings") == 1
    assert event["type"] == "Warning"
    assert "column-dropped" in event["message"]
    assert operator.is_running


def test_off_does_not_look(shop: Shop, operator: Operator) -> None:
    shop.prepare()
    shop.order(source=source("Off"))
    shop.wait_ready()
    shop.write_files({**FILES, **DROPPED})
    ready = shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "3")
    assert "findings" not in ready["status"]["lastRun"]
    assert "LintFindings" not in shop.reasons()
    assert operator.is_running
