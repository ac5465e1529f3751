"""`kubectl dbmigrate` against a real cluster, by a person who has just the rights that we ship."""

from __future__ import annotations

import json
import signal
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from tests.cluster.waiting import eventually
from tests.operator_e2e.conftest import StartOperator
from tests.operator_e2e.plugin import Plugin, make_person
from tests.operator_e2e.process import Operator
from tests.operator_e2e.shop import FILES, GATED, THIRD, Shop

pytestmark = [pytest.mark.cluster, pytest.mark.database]

BROKEN = {**FILES, "000002_add_price.up.sql": "ALTER TABLE itms ADD price numeric;\n"}
HALVES = {
    **FILES,
    "000003_codes.up.sql": (
        "-- dbmigrate:no-transaction\n"
        "CREATE TABLE codes AS SELECT 1 AS code FROM generate_series(1, 2);\n"
        "CREATE UNIQUE INDEX CONCURRENTLY codes_code ON codes (code);\n"
    ),
}
"""The third file leaves the database dirty: its index can't be unique."""


@pytest.fixture
def kubeconfig(shop: Shop) -> Path:
    """Of a person who may look, read logs and order actions."""
    roles = ("dbmigrate-view", "dbmigrate-actions")
    return make_person(shop.namespace, "person", *roles, reads_logs=True)


@pytest.fixture
def plugin(kubeconfig: Path) -> Plugin:
    """The plugin in that person's hands."""
    return Plugin(kubeconfig)


def test_a_plan_is_read_approved_and_run(shop: Shop, operator: Operator, plugin: Plugin) -> None:
    shop.prepare({**FILES, "000003_drop.up.sql": "ALTER TABLE items DROP price;\n"})
    shop.order(approval="Manual")
    plan = shop.wait_for_reason("AwaitingApproval")["status"]["plan"]
    assert "AwaitingApproval" in plugin.do("status")
    assert f"kubectl dbmigrate approve -n {shop.namespace.name} shop" in plugin.do("status", "shop")
    shown = plugin.do("plan", "shop")
    assert shown.startswith(f"Plan {plan['hash']} of shop")
    assert "3 steps, 1 destructive" in shown
    assert "up   3  drop   destroys data" in shown
    assert "ALTER TABLE items DROP price" in shown
    assert json.loads(plugin.do("plan", "shop", "-o", "json"))["hash"] == plan["hash"]
    assert "the answer was not y" in plugin.fail("approve", "shop", answer="n\n")
    assert "the answer was not y" in plugin.fail("approve", "shop")
    assert f"is {plan['hash']} now, not 0123" in plugin.fail("approve", "shop", "--hash", "0123")
    assert shop.namespace.list("dbma") == []
    said = plugin.run("approve", "shop", "--reason", "read it", answer="y\n")
    assert said.code == 0, said
    assert f"approve plan {plan['hash']} of shop? [y/N]" in said.messages
    assert f"Succeeded: plan {plan['hash']} is approved" in said.output
    (action,) = shop.namespace.list("dbma")
    assert action["spec"]["reason"] == "read it"
    assert action["metadata"]["name"].startswith("shop-approve-")
    waited = plugin.do("wait", "shop", "--version", "3")
    assert waited == "shop is ready: the database is at version 3\n"
    assert "nothing is pending" in plugin.fail("approve", "shop")
    assert operator.is_running


def test_what_failed_is_shown_with_its_place_and_tried_again(
    shop: Shop, operator: Operator, plugin: Plugin
) -> None:
    shop.prepare(BROKEN)
    shop.order()
    message = plugin.fail("wait", "dbm/shop", "--timeout", "1m")
    assert "shop needs a person: StatementFailed" in message
    assert "000002_add_price.up.sql:1:1" in message
    full = plugin.do("status", "shop")
    assert "Error:      StatementFailed (SQLSTATE 42P01) at 000002_add_price.up.sql:1:1" in full
    assert "ALTER TABLE itms ADD price numeric;" in full
    assert f"Next:       kubectl dbmigrate logs -n {shop.namespace.name} shop" in full
    logs = plugin.run("logs", "shop")
    assert logs.code == 0, logs
    assert 'relation "itms" does not exist' in logs.output
    assert "(goto)" in logs.messages
    shop.database.execute("CREATE TABLE itms (id int)")
    assert "Succeeded: the database is at version 2" in plugin.do("retry", "shop")
    assert plugin.do("wait", "shop").startswith("shop is ready")
    row = plugin.do("status").splitlines()[1].split()
    assert row[:7] == ["shop", "True", "Applied", "2", "2", "0", "false"]
    assert operator.is_running


def test_force_and_rollback_ask_before_they_are_ordered(
    shop: Shop, operator: Operator, plugin: Plugin
) -> None:
    shop.prepare()
    shop.order()
    shop.wait_ready()
    said = plugin.run("rollback", "shop", "1", answer="n\n")
    assert said.code == 1
    assert "It undoes 2 add_price. They can destroy data." in said.messages
    assert shop.namespace.list("dbma") == []
    assert "the database is at version 1" in plugin.do("rollback", "shop", "1", "--yes")
    full = plugin.do("status", "shop")
    assert "False, RolledBack" in full
    assert "kubectl dbmigrate retry" in full
    message = plugin.fail("wait", "shop", "--timeout", "1s")
    assert "was not ready in time: RolledBack" in message
    assert "the database is at version 2" in plugin.do("retry", "shop")
    shop.wait_ready()
    shop.database.execute("UPDATE schema_migrations SET version = 1, dirty = true")
    shop.write_files({**FILES, **THIRD})
    shop.wait_for_reason("Dirty")
    asked = plugin.run("force", "shop", "2", answer="\n")
    assert asked.code == 1
    assert "which is at version 1, dirty now. Continue?" in asked.messages
    plugin.do("force", "shop", "2", answer="yes\n")
    assert plugin.do("wait", "shop", "--version", "3").endswith("version 3\n")
    assert "version 19" in plugin.fail("wait", "shop", "--version", "19", "--timeout", "1s")
    assert shop.applied() == [1, 2, 2, 3]
    assert operator.is_running


def test_repair_finishes_what_was_left_half_done(
    shop: Shop, operator: Operator, plugin: Plugin
) -> None:
    shop.prepare(HALVES)
    shop.order()
    shop.wait(lambda r: r.get("status", {}).get("dirty") is True)
    full = plugin.do("status", "shop")
    assert "true: a step was started and not finished" in full
    assert f"kubectl dbmigrate repair -n {shop.namespace.name} shop" in full
    failed = plugin.fail("repair", "shop")
    assert "error: Repair of shop failed: " in failed
    shop.database.execute("DELETE FROM codes WHERE ctid = (SELECT min(ctid) FROM codes)")
    assert "Succeeded: the database is at version 3" in plugin.do("repair", "shop")
    assert plugin.do("wait", "shop").endswith("version 3\n")
    assert operator.is_running


def test_a_refused_order_says_why(shop: Shop, operator: Operator, plugin: Plugin) -> None:
    shop.prepare()
    shop.order(suspend=True)
    shop.wait_for_reason("Suspended")
    assert "error: Retry of shop was refused: spec.suspend is set" in plugin.fail("retry", "shop")
    assert "spec.approval is Automatic" in plugin.fail("plan", "shop")
    assert operator.is_running


def test_an_order_that_nobody_takes_up_says_so(shop: Shop, plugin: Plugin) -> None:
    shop.prepare()
    shop.order()
    message = plugin.fail("retry", "shop", "--timeout", "1s")
    assert "has not been taken up yet" in message
    (action,) = shop.namespace.list("dbma")
    assert f"kubectl get -n {shop.namespace.name} dbma {action['metadata']['name']}" in message
    assert "created" in plugin.do("retry", "shop", "--no-wait")
    assert "no operator has reconciled it" in plugin.do("status", "shop")
    with plugin.started("retry", "shop") as waiting:
        waiting.wait_for("created")
        waiting.process.send_signal(signal.SIGINT)
        assert waiting.end() == 130
    assert len(shop.namespace.list("dbma")) == 3


def test_logs_are_followed_from_before_the_run_to_its_end(
    shop: Shop, make_operator: StartOperator, plugin: Plugin
) -> None:
    shop.prepare(GATED)
    shop.order()
    assert "has had no run yet" in plugin.fail("logs", "shop")
    with plugin.started("logs", "shop", "-f") as following:
        following.wait_for("waiting for a run of shop")
        make_operator().start()
        following.wait_for("1/u create_items")
        shop.wait_for_work()
        assert "2/u add_price" not in following.output
        shop.open_gate()
        following.wait_for("2/u add_price")
        assert following.end() == 0


def test_a_watched_table_gets_a_row_for_each_change(
    shop: Shop, operator: Operator, plugin: Plugin
) -> None:
    shop.prepare()
    with plugin.started("status", "-w") as watching:
        shop.order()
        watching.wait_for("Applied")
        shop.wait_ready()
        shop.write_files({**FILES, **THIRD})
        watching.wait_for("Applied   3")
        shop.namespace.delete("dbm", "shop")
        watching.wait_for("Deleted")
        lines = watching.output.splitlines()
        assert "\x1b" not in watching.output
    assert lines[0].split()[:3] == ["NAME", "READY", "REASON"]
    assert [line for line in lines[1:] if line.startswith("NAME")] == []
    starts = {line.index(line.split()[1]) for line in lines}
    assert len(starts) == 1, lines
    assert operator.is_running


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_watch_that_is_ended_leaves_no_kubectl_behind(
    shop: Shop, plugin: Plugin, number: signal.Signals
) -> None:
    shop.prepare()
    shop.order()
    with plugin.started("status", "-w") as watching:
        eventually(partial(find_watchers, shop), lambda found: len(found) == 1, what="a watch")
        watching.process.send_signal(number)
        assert watching.end() == 128 + number
    eventually(partial(find_watchers, shop), lambda found: not found, what="the end of the watch")


def find_watchers(shop: Shop) -> list[str]:
    """The processes that watch the test's namespace by kubectl."""
    commands = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            commands.append(path.read_bytes().replace(b"\0", b" ").decode())
    wanted = f"namespaces/{shop.namespace.name}/databasemigrations?"
    return [command for command in commands if wanted in command and "watch=true" in command]


def test_on_a_terminal_the_view_is_repainted_and_outlives_the_server(
    shop: Shop, operator: Operator, plugin: Plugin, kubeconfig: Path
) -> None:
    shop.prepare()
    shop.order()
    shop.wait_ready()
    control_plane = shop.namespace.cluster.control_plane
    with plugin.started("status", "-w", on_terminal=True) as watching:
        watching.wait_for("\x1b[32mTrue")
        watching.wait_for("\x1b[2F\x1b[J")
        control_plane.stop_apiserver()
        watching.wait_for("out of date: the API server does not answer")
        control_plane.start_apiserver()
        shop.write_files({**FILES, "000003_x.up.sql": "SELECT 1 FROM nowhere;"})
        watching.wait_for("\x1b[31mFalse")
    with Plugin(kubeconfig, NO_COLOR="1").started(
        "status", "shop", "-w", on_terminal=True
    ) as plain:
        plain.wait_for("Last run:")
        plain.wait_for("Next:")
        assert "\x1b[3" not in plain.output
    assert operator.is_running


def test_who_may_not_is_told_what_is_missing(shop: Shop, plugin: Plugin) -> None:
    shop.prepare()
    shop.order()
    stranger = Plugin(make_person(shop.namespace, "stranger"))
    message = stranger.fail("status")
    user = f"system:serviceaccount:{shop.namespace.name}:stranger"
    where = f"in namespace {shop.namespace.name}"
    assert f"{user} may not list databasemigrations.dbmigrate.dev {where}" in message
    assert "the ClusterRole dbmigrate-view allows it" in message
    viewer = Plugin(make_person(shop.namespace, "viewer", "dbmigrate-view"))
    message = viewer.fail("retry", "shop")
    assert f"may not create migrationactions.dbmigrate.dev {where}" in message
    assert "the ClusterRole dbmigrate-actions allows it" in message
    message = viewer.fail("logs", "shop")
    assert f"may not list pods {where}" in message
    assert "Kubernetes' own ClusterRole view" in message
    assert "in all namespaces" in plugin.fail("status", "-A")


def test_a_name_that_is_not_there_brings_up_similar_ones(shop: Shop, plugin: Plugin) -> None:
    assert "nor any other; is it the right namespace (-n)?" in plugin.fail("status", "shop")
    assert "no DatabaseMigration found in namespace" in plugin.run("status").messages
    shop.prepare()
    shop.order()
    for command in (["status"], ["retry"], ["wait"], ["logs"], ["plan"], ["status", "-w"]):
        message = plugin.fail(*command, "shpo")
        assert f"no DatabaseMigration shpo in namespace {shop.namespace.name}; there is shop" in (
            message
        )


def test_an_administrator_sees_all_namespaces(shop: Shop) -> None:
    shop.prepare()
    shop.order()
    admin = Plugin(shop.namespace.cluster.kubeconfig)
    rows = [line.split() for line in admin.do("status", "-A", "-o", "wide").splitlines()]
    assert rows[0][:3] == ["NAMESPACE", "NAME", "READY"]
    assert [shop.namespace.name, "shop", "Unknown"] in [row[:3] for row in rows]
    items = json.loads(admin.do("status", "-A", "-o", "json"))["items"]
    assert shop.namespace.name in {item["metadata"]["namespace"] for item in items}
    chosen = admin.run("-n", shop.namespace.name, "status", "-l", "team=none")
    assert chosen.messages == f"no DatabaseMigration found in namespace {shop.namespace.name}\n"


def test_a_cluster_that_can_not_be_reached_is_named(shop: Shop, tmp_path: Path) -> None:
    nowhere = Plugin(tmp_path / "missing")
    assert f"no cluster is configured: {tmp_path}/missing not found" in nowhere.fail("status")
    kubeconfig = shop.namespace.cluster.kubeconfig
    elsewhere = Plugin(kubeconfig).fail("status", "--context", "elsewhere")
    assert "elsewhere" in elsewhere
    text = kubeconfig.read_text().replace(shop.namespace.cluster.server, "https://127.0.0.1:1")
    dead = tmp_path / "dead.kubeconfig"
    dead.write_text(text)
    assert "the API server does not answer: " in Plugin(dead).fail("status")
