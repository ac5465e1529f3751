"""Another way to the same database, and to another one, by a resource that has migrated it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.waiting import eventually
from tests.database import Database, Server
from tests.operator_e2e.shop import FILES, THIRD, Document, Shop, condition

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.database,
    pytest.mark.usefixtures("operator"),
]


@pytest.fixture
def other(server: Server) -> Iterator[Database]:
    """Another database, with the table that the files write to."""
    made = server.create_database()
    made.execute("CREATE TABLE applied (version int)")
    yield made
    made.drop()


def reach(shop: Shop, secret: str, **database: object) -> Document:
    reference = {"secretKeyRef": {"name": secret, "key": "url"}}
    return shop.order(database={"urlFrom": reference, **database})


def wait_for_run(shop: Shop, resource: Document) -> Document:
    """The resource once a run of that generation has succeeded."""
    generation = resource["metadata"]["generation"]

    def has_run(current: Document) -> bool:
        status = current["status"]
        last = status.get("lastRun", {})
        is_done = last.get("generation") == generation and "finishedAt" in last
        return is_done and condition(current, "Ready").get("status") == "True"

    return shop.wait(has_run)


def test_another_secret_and_role_for_the_same_database_make_a_new_run(shop: Shop) -> None:
    shop.prepare()
    shop.order()
    before = shop.wait_ready()["status"]
    role = shop.database.create_role(password="p")
    shop.database.execute(f"ALTER ROLE {role} SUPERUSER")
    shop.namespace.secret("of-team", url=shop.database.url_for(role, "p"))
    after = wait_for_run(shop, reach(shop, "of-team", role="postgres"))["status"]
    assert after["lastRun"]["job"] != before["lastRun"]["job"]
    assert after["lastRun"]["outcome"] == "UpToDate"
    assert after["database"]["id"] == before["database"]["id"]
    assert after["database"]["reachedBy"] != before["database"]["reachedBy"]
    assert shop.applied() == [1, 2]


def test_a_secret_that_leads_to_another_database_is_refused_and_taken_back(
    shop: Shop, other: Database
) -> None:
    shop.prepare()
    shop.order()
    before = shop.wait_ready()["status"]["database"]
    shop.namespace.secret("of-another", url=other.url)
    reach(shop, "of-another")
    refused = shop.wait_for_reason("DatabaseConflict")
    assert f"{before['id']} before" in condition(refused, "Ready")["message"]
    assert condition(refused, "Stalled")["status"] == "True"
    assert refused["status"]["database"] == before
    assert other.query("SELECT * FROM applied") == []
    shop.write_files({**FILES, **THIRD})
    wait_for_run(shop, reach(shop, "shop-db"))
    assert shop.applied() == [1, 2, 3]
    assert other.query("SELECT * FROM applied") == []


def test_a_secret_whose_content_leads_to_another_database_is_told(
    shop: Shop, other: Database
) -> None:
    """The operator reads no Secret: the resource is the same, and a new database is migrated."""
    shop.prepare()
    shop.order()
    before = shop.wait_ready()["status"]["database"]["id"]
    shop.namespace.secret("shop-db", url=other.url)
    shop.write_files({**FILES, **THIRD})
    moved = shop.wait(lambda current: current["status"].get("version") == "3")
    after = moved["status"]["database"]["id"]
    assert after != before

    def told() -> list[Document]:
        events = shop.namespace.list("event")
        return [each for each in events if each["reason"] == "DatabaseChanged"]

    eventually(told, what="the event")
    (event,) = told()
    assert event["type"] == "Warning"
    assert f"{after} now, {before} before" in event["message"]
