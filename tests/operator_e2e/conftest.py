"""The fixtures: `shop`, a team's world with nothing running, and `operator`, which runs in it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import Cluster, Namespace
from tests.database import Database
from tests.operator_e2e.fleet import Fleet
from tests.operator_e2e.process import ROOT, Operator
from tests.operator_e2e.proxy import Proxy, write_proxied_kubeconfig
from tests.operator_e2e.shop import Shop

RUNNER_IMAGE = "dbmigrate:tests"
StartOperator = Callable[..., Operator]


def read_rules() -> list[dict[str, Any]]:
    """The rights that we ship, and no others."""
    rules: list[dict[str, Any]] = []
    for document in yaml.safe_load_all((ROOT / "deploy" / "rbac.yaml").read_text()):
        if document["metadata"]["name"] == "dbmigrate-operator":
            rules += document.get("rules", [])
    return rules


@pytest.fixture(scope="session")
def installed(cluster: Cluster) -> Cluster:
    """The cluster with the custom resources and the runner's image."""
    cluster.install_crds(ROOT / "crds")
    program = str(Path(sys.executable).with_name("dbmigrate"))
    cluster.node.images.register(RUNNER_IMAGE, commands={"dbmigrate": [program]})
    return cluster


@pytest.fixture
def shop(installed: Cluster, namespace: Namespace, database: Database) -> Shop:
    """A namespace and a database; nothing is applied yet."""
    assert namespace.cluster is installed
    return Shop(namespace, database)


@pytest.fixture
def fleet(shop: Shop) -> Fleet:
    """A namespace and a database for a set; nothing is applied yet."""
    return Fleet(shop.namespace, shop.database)


def grant_rights(namespace: Namespace) -> Path:
    """A kubeconfig of an operator's ServiceAccount, with the rights that we ship, in there."""
    name = {"metadata": {"name": "dbmigrate-operator"}}
    group = "rbac.authorization.k8s.io"
    account = {"kind": "ServiceAccount", "name": "dbmigrate-operator", "namespace": namespace.name}
    namespace.apply(
        [
            {"apiVersion": "v1", "kind": "ServiceAccount", **name},
            {"apiVersion": f"{group}/v1", "kind": "Role", **name, "rules": read_rules()},
            {
                "apiVersion": f"{group}/v1",
                "kind": "RoleBinding",
                **name,
                "roleRef": {"apiGroup": group, "kind": "Role", "name": "dbmigrate-operator"},
                "subjects": [account],
            },
        ]
    )
    namespace.wait_for_right("dbmigrate-operator", "list", "pods")
    return namespace.service_account_kubeconfig("dbmigrate-operator")


@pytest.fixture
def rights(shop: Shop) -> Path:
    """A kubeconfig of the operator's own ServiceAccount, with its own rights and no more."""
    return grant_rights(shop.namespace)


@pytest.fixture
def make_operator(shop: Shop, rights: Path, tmp_path: Path) -> Iterator[StartOperator]:
    """Makes operators on the test's namespace, not started; all are killed at the end."""
    made: list[Operator] = []

    def make(kubeconfig: Path = rights, *, resync: str = "none") -> Operator:
        log = tmp_path / f"operator-{len(made) + 1}.log"
        operator = Operator(kubeconfig, shop.namespace.name, log, image=RUNNER_IMAGE, resync=resync)
        made.append(operator)
        return operator

    yield make
    for operator in made:
        operator.kill()
        print(f"--- {operator.log.name}\n{operator.read_log()}")


@pytest.fixture
def operator(make_operator: StartOperator) -> Operator:
    """An operator that runs."""
    return make_operator().start()


@pytest.fixture
def proxy(installed: Cluster) -> Iterator[Proxy]:
    """A proxy before the API server, at which things can be broken."""
    running = Proxy(installed.server, installed.control_plane.authority)
    yield running
    running.close()


@pytest.fixture
def proxied(proxy: Proxy, rights: Path, tmp_path: Path) -> Path:
    """The operator's kubeconfig, by way of the proxy."""
    return write_proxied_kubeconfig(rights, proxy, tmp_path / "proxied.kubeconfig")
