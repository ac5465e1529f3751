"""spec.drift: the live schema is compared with what the migrations make, and holds up no run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.cluster.waiting import eventually
from tests.database.programs import find_programs
from tests.operator_e2e.conftest import StartOperator
from tests.operator_e2e.plugin import Plugin, make_person
from tests.operator_e2e.process import Operator
from tests.operator_e2e.shop import Shop, condition, is_ready

pytestmark = [pytest.mark.cluster, pytest.mark.database]

FILES = {
    "000001_items.up.sql": "CREATE TABLE items (id int PRIMARY KEY, name varchar(10));\n",
    "000002_orders.up.sql": "CREATE TABLE orders (id int PRIMARY KEY);\n",
}
THIRD = {"000003_more.up.sql": "ALTER TABLE items ADD more text;\n"}
IGNORED = ["table:public.applied", "public.gate"]
"""The tables of the tests' own world."""
DRIFT: dict[str, Any] = {"drift": {"schema": "Report", "ignore": IGNORED}}


@pytest.fixture
def operator(make_operator: StartOperator, installed: Cluster) -> Operator:
    """An operator whose scratch servers find their image."""
    programs = find_programs()
    commands = {name: [str(programs / name)] for name in ("initdb", "postgres")}
    for major in range(14, 19):
        installed.node.images.register(f"scratch/postgres:{major}", commands=commands, user=0)
    return make_operator().start("--rehearsal-image", "scratch/postgres:{major}")


def wait_for_drift(shop: Shop, truth: str, text: str = "") -> dict[str, Any]:
    """The resource once the condition says that."""

    def says(resource: dict[str, Any]) -> bool:
        found = condition(resource, "SchemaDrifted")
        return found.get("status") == truth and text in found["message"]

    return shop.wait(says)


def test_what_is_changed_by_hand_is_told_and_what_is_ignored_is_not(
    shop: Shop, operator: Operator
) -> None:
    shop.prepare(FILES)
    shop.order(**DRIFT)
    status = wait_for_drift(shop, "False")["status"]
    assert status["drift"]["version"] == "2"
    assert "differences" not in status["drift"]
    assert is_ready(shop.resource())
    shop.database.execute("ALTER TABLE items ALTER name TYPE text; CREATE TABLE by_hand (id int)")
    other = [*IGNORED, "public.nothing"]
    shop.order(drift={"schema": "Report", "ignore": other})
    drifted = wait_for_drift(shop, "True")
    assert condition(drifted, "SchemaDrifted")["message"] == (
        "2 objects differ from what the migrations up to 2 make: changed column public.items.name;"
        " added table public.by_hand"
    )
    assert is_ready(drifted)
    found = drifted["status"]["drift"]["differences"]
    assert found[0]["details"] == "type is text, and was character varying(10)"
    assert found[1]["undo"] == "DROP TABLE public.by_hand"
    assert shop.wait_for_event("SchemaDrifted")["type"] == "Warning"
    (job,) = [j for j in shop.jobs() if j["metadata"]["name"] == drifted["status"]["drift"]["job"]]
    assert job["metadata"]["labels"]["dbmigrate.dev/command"] == "drift"
    eventually(
        lambda: shop.namespace.get("job", job["metadata"]["name"])["status"].get("succeeded")
    )
    plugin = Plugin(make_person(shop.namespace, "person", "dbmigrate-view", reads_logs=True))
    assert "changed column public.items.name" in plugin.do("drift", "shop")
    assert json.loads(plugin.do("drift", "shop", "-o", "json"))["differencesTotal"] == 2
    assert "Drift:      True, SchemaDiffers: 2 objects differ" in plugin.do("status", "shop")
    shop.order(drift={"schema": "Report", "ignore": [*IGNORED, "public.by_hand", "public.items.*"]})
    wait_for_drift(shop, "False")
    assert shop.wait_for_event("SchemaMatches")["type"] == "Normal"
    shop.order(drift={"schema": "Off"})
    off = shop.wait(lambda r: not condition(r, "SchemaDrifted"))
    assert "drift" not in off["status"]
    assert operator.is_running


def test_a_migration_does_not_wait_for_a_check(shop: Shop, operator: Operator) -> None:
    """The check's scratch server has no image: it would wait until its deadline."""
    shop.prepare(FILES)
    shop.order(**DRIFT, job={"rehearsal": {"image": "nowhere/postgres:{major}"}})
    waiting = shop.wait(lambda r: condition(r, "SchemaDrifted").get("reason") == "ImagePullFailed")
    assert is_ready(waiting)
    assert "nowhere/postgres" in condition(waiting, "SchemaDrifted")["message"]
    (check,) = checks(shop)
    shop.write_files({**FILES, **THIRD})
    shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "3")
    eventually(lambda: check not in checks(shop), what="the end of the check")
    assert operator.is_running


def checks(shop: Shop) -> list[str]:
    found = [j["metadata"] for j in shop.jobs()]
    return [each["name"] for each in found if each["labels"]["dbmigrate.dev/command"] == "drift"]


def test_why_no_check_can_be_made_is_told_and_the_resource_stays_ready(
    shop: Shop, operator: Operator
) -> None:
    needs_data = {**FILES, "000003_insert.up.sql": "INSERT INTO applied VALUES (3);\n"}
    shop.prepare(needs_data)
    shop.order(**DRIFT)
    unknown = shop.wait(lambda r: r["status"].get("drift", {}).get("error"))
    found = condition(unknown, "SchemaDrifted")
    assert (found["status"], found["reason"]) == ("Unknown", "StatementFailed")
    assert 'relation "applied" does not exist' in found["message"]
    assert is_ready(unknown)
    assert shop.applied() == [3]
    assert operator.is_running
