"""What is missing or wrong outside of the resource: said at once, and healed by itself."""

from __future__ import annotations

import pytest

from tests.cluster import Cluster
from tests.database import Server
from tests.operator_e2e.process import Operator
from tests.operator_e2e.shop import FILES, Shop, attempts, condition

pytestmark = [pytest.mark.cluster, pytest.mark.database]


def test_a_missing_config_map_is_named_and_heals_when_it_comes(
    shop: Shop, operator: Operator
) -> None:
    shop.namespace.secret("shop-db", url=shop.database.url)
    shop.order()
    resource = shop.wait_for_reason("SourceMissing")
    assert "shop-migrations" in condition(resource, "Ready")["message"]
    assert condition(resource, "Reconciling")["status"] == "True"
    assert shop.jobs() == []
    shop.write_files(FILES)
    shop.wait_ready()
    assert operator.is_running


def test_a_missing_secret_is_named_and_heals_when_it_comes(shop: Shop, operator: Operator) -> None:
    shop.write_files(FILES)
    shop.order()
    resource = shop.wait_for_reason("SecretMissing")
    assert "shop-db" in condition(resource, "Ready")["message"]
    assert condition(resource, "Reconciling")["status"] == "True"
    shop.namespace.secret("shop-db", url=shop.database.url)
    ready = shop.wait_ready()
    assert ready["status"]["lastRun"]["attempts"] == 1
    assert len(shop.jobs()) == 1
    assert operator.is_running


def test_an_image_that_can_not_be_pulled_is_said_and_heals_when_it_is_there(
    shop: Shop, operator: Operator, installed: Cluster
) -> None:
    shop.prepare()
    image = f"late-{shop.namespace.name}:1"
    shop.order(job={"image": image})
    resource = shop.wait_for_reason("ImagePullFailed")
    assert image in condition(resource, "Ready")["message"]
    from tests.operator_e2e.conftest import RUNNER_IMAGE

    runner = installed.node.images.find(RUNNER_IMAGE)
    assert runner is not None
    commands = {"dbmigrate": [str(runner.commands / "dbmigrate")]}
    installed.node.images.register(image, commands=commands, needs=[runner.commands])
    shop.wait_ready()
    assert operator.is_running


def test_a_file_in_two_config_maps_is_an_error_that_names_it(
    shop: Shop, operator: Operator
) -> None:
    shop.prepare()
    shop.write_files(FILES, name="more")
    shop.order(source={"configMaps": [{"name": "shop-migrations"}, {"name": "more"}]})
    resource = shop.wait_for_reason("SourceInvalid")
    assert "000001_create_items" in condition(resource, "Ready")["message"]
    assert condition(resource, "Stalled")["status"] == "True"
    assert shop.jobs() == []
    assert operator.is_running


def test_a_database_that_is_down_at_first_is_waited_for_and_never_stalls(
    shop: Shop, operator: Operator
) -> None:
    with Server.start() as server:
        database = server.create_database()
        database.execute("CREATE TABLE applied (version int)")
        server.shut_down()
        shop.prepare()
        shop.namespace.secret("shop-db", url=database.url)
        shop.order()
        resource = shop.wait_for_reason("ConnectionRefused")
        assert condition(resource, "Reconciling")["status"] == "True"
        assert condition(resource, "Stalled")["status"] == "False"
        assert resource["status"]["nextRetryAt"]
        shop.wait(lambda r: attempts(r) >= 3)
        server.launch()
        ready = shop.wait_ready()
        assert ready["status"]["version"] == "2"
        assert database.query("SELECT version FROM applied") == [(1,), (2,)]
    assert "nextRetryAt" not in ready["status"]
    assert operator.is_running


def test_a_wrong_url_in_the_secret_is_said_and_heals_when_it_is_corrected(
    shop: Shop, operator: Operator
) -> None:
    shop.prepare()
    shop.namespace.secret("shop-db", url="jdbc:" + shop.database.url)
    shop.order()
    resource = shop.wait_for_reason("ConnectionInvalid")
    assert condition(resource, "Stalled")["status"] == "True"
    assert "JDBC" in condition(resource, "Ready")["message"]
    assert resource["status"]["nextRetryAt"]
    # The operator sees no Secret: the next attempt comes by itself.
    shop.namespace.secret("shop-db", url=shop.database.url)
    assert shop.wait_ready()["status"]["version"] == "2"
    assert operator.is_running


def test_a_wrong_password_stalls_without_a_storm_and_heals_with_the_next_change(
    shop: Shop, operator: Operator
) -> None:
    role = shop.database.create_role(password="right")
    shop.database.execute(f"GRANT ALL ON SCHEMA public TO {role}; GRANT ALL ON applied TO {role}")
    shop.prepare()
    shop.namespace.secret("shop-db", url=shop.database.url_for(role, "wrong-canary"))
    shop.order(retry={"initialDelay": "100ms", "maxDelay": "100ms"})
    resource = shop.wait_for_reason("AuthenticationFailed")
    assert condition(resource, "Stalled")["status"] == "True"
    assert condition(resource, "Reconciling")["status"] == "False"
    # Another resource goes its whole way meanwhile; this one has not been tried again.
    shop.namespace.secret("other-db", url=shop.database.url)
    database = {"urlFrom": {"secretKeyRef": {"name": "other-db", "key": "url"}}}
    shop.order("other", database=database, target="1")
    shop.wait_ready(name="other")
    mine = [j for j in shop.jobs() if j["metadata"]["labels"]["dbmigrate.dev/migration"] == "shop"]
    assert len(mine) == 1
    assert "wrong-canary" not in str(shop.namespace.get("dbm", "shop"))
    assert "wrong-canary" not in str(shop.namespace.events("dbm", "shop")) + str(shop.jobs())
    assert "wrong-canary" not in operator.read_log()
