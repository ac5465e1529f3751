"""Whose database it is: two resources on one, one that is made again, and what was rolled back."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import Cluster
from tests.operator_e2e.conftest import RUNNER_IMAGE, StartOperator, grant_rights
from tests.operator_e2e.process import Operator
from tests.operator_e2e.shop import FILES, NAME, THIRD, Shop, condition

pytestmark = [pytest.mark.cluster, pytest.mark.database]

HERE = "--cluster-name=here"


@pytest.fixture
def other(installed: Cluster, shop: Shop, tmp_path: Path) -> Iterator[Shop]:
    """The same database from another namespace, with an operator of its own."""
    namespace = installed.namespace()
    team = copy(shop)
    team.namespace = namespace
    log = tmp_path / "other.log"
    operator = Operator(grant_rights(namespace), namespace.name, log, image=RUNNER_IMAGE)
    operator.start(HERE)
    yield team
    operator.kill()
    namespace.remove()


def test_a_database_has_one_owner_until_another_takes_over(
    shop: Shop, other: Shop, make_operator: StartOperator
) -> None:
    make_operator().start(HERE)
    shop.prepare()
    shop.order()
    shop.wait_ready()
    other.prepare()
    other.order(target="1", rollback="Allow")
    owner = f"here/{shop.namespace.name}/{NAME}"
    assert owner in _message(other.wait_for_reason("DatabaseConflict"))
    assert shop.database.query("SELECT version FROM schema_migrations") == [(2,)]
    other.order(target="1", rollback="Allow", takeOver=owner)
    assert other.wait_ready()["status"]["version"] == "1"
    shop.write_files({**FILES, **THIRD})
    shop.wait_for_reason("DatabaseConflict")
    assert shop.applied() == [1, 2]


@pytest.mark.parametrize("name", [NAME, "renamed"])
def test_what_was_rolled_back_stays_so_for_a_resource_that_is_made_again(
    name: str, shop: Shop, make_operator: StartOperator
) -> None:
    make_operator().start(HERE)
    shop.prepare()
    shop.order()
    shop.wait_ready()
    shop.namespace.apply(_action("back", NAME, "Rollback", version="1"))
    shop.wait_for_reason("RolledBack")
    shop.namespace.delete("dbm", NAME)
    shop.order(name)
    held = shop.wait_for_reason("RolledBack", name=name)
    assert "MigrationAction back" in _message(held)
    assert shop.applied() == [1, 2]
    shop.namespace.apply(_action("again", name, "Retry"))
    assert shop.wait_ready(name=name)["status"]["version"] == "2"
    assert shop.applied() == [1, 2, 2]


def _action(name: str, migration: str, action: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "dbmigrate.dev/v1alpha1",
        "kind": "MigrationAction",
        "metadata": {"name": name},
        "spec": {"migration": migration, "action": action, **spec},
    }


def _message(resource: dict[str, Any]) -> str:
    return str(condition(resource, "Ready")["message"])
