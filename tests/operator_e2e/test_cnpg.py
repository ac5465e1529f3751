"""`database.cnpg` on a real API server: what is waited for, with the rights for it and without.

CloudNativePG itself does not run here: the test writes the status that it would. Its objects
have no schema, so that all that is read of them is what decisions/cnpg.py knows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import Cluster, Namespace
from tests.operator_e2e.process import Operator
from tests.operator_e2e.shop import Shop, condition

pytestmark = [pytest.mark.cluster, pytest.mark.database]

GROUP = "postgresql.cnpg.io"
READY = {"conditions": [{"type": "Ready", "status": "True"}]}
RIGHTS = [
    {"apiGroups": [GROUP], "resources": ["clusters"], "verbs": ["get"]},
    {"apiGroups": [GROUP], "resources": ["databases"], "verbs": ["list"]},
]
"""What rbac.cloudnativepg of the chart gives."""


@pytest.fixture
def cnpg(installed: Cluster, namespace: Namespace, tmp_path: Path) -> Objects:
    """CloudNativePG's kinds are served."""
    for kind in ("Cluster", "Database"):
        plural = f"{kind.lower()}s"
        names = {"kind": kind, "plural": plural, "singular": kind.lower()}
        anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {
            "name": "v1",
            "served": True,
            "storage": True,
            "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": anything},
        }
        crd = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{GROUP}"},
            "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
        }
        (tmp_path / f"{plural}.yaml").write_text(yaml.safe_dump(crd))
    installed.install_crds(tmp_path)
    namespace.secret("pg-ca", **{"ca.crt": "PEM"})
    return Objects(namespace)


class Objects:
    """CloudNativePG's objects in the test's namespace."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._path = f"/apis/{GROUP}/v1/namespaces/{namespace.name}"

    def make(self, kind: str, name: str, /, **spec: Any) -> None:
        body = {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        self._namespace.cluster.api.post(f"{self._path}/{kind.lower()}s", body)

    def say(self, kind: str, name: str, /, **status: Any) -> None:
        path = f"{self._path}/{kind.lower()}s/{name}/status"
        self._namespace.cluster.api.patch(path, {"status": status})

    def allow(self) -> None:
        role = self._namespace.get("role", "dbmigrate-operator")
        self._namespace.patch("role", "dbmigrate-operator", {"rules": [*role["rules"], *RIGHTS]})
        self._namespace.wait_for_right("dbmigrate-operator", "get", "clusters", GROUP)


def test_a_run_waits_until_the_cluster_and_the_database_are_ready(
    shop: Shop, operator: Operator, cnpg: Objects
) -> None:
    cnpg.allow()
    cnpg.make("Cluster", "pg")
    cnpg.say("Cluster", "pg", phase="Setting up primary")
    cnpg.make("Database", "shop-db", name="shop", cluster={"name": "pg"})
    shop.prepare()
    shop.order(database={"cnpg": {"cluster": "pg", "database": "shop"}})
    waiting = shop.wait_for_reason("WaitingForDatabase")
    said = condition(waiting, "Ready")["message"]
    assert said == "CloudNativePG's Cluster pg is not ready: Setting up primary"
    assert condition(waiting, "Reconciling")["status"] == "True"
    assert condition(waiting, "Stalled")["status"] == "False"
    assert shop.jobs() == []
    cnpg.say("Cluster", "pg", **READY)
    shop.wait(lambda r: "Database shop-db is not applied" in condition(r, "Ready")["message"])
    assert shop.jobs() == []
    cnpg.say("Database", "shop-db", applied=True, observedGeneration=1)
    shop.wait(lambda r: condition(r, "Ready")["reason"] == "SecretMissing")
    (job,) = shop.jobs()
    assert "pg-app" in str(job["spec"]["template"])
    assert operator.is_running


def test_without_the_rights_the_run_starts_and_that_it_did_not_wait_is_told(
    shop: Shop, operator: Operator, cnpg: Objects
) -> None:
    cnpg.make("Cluster", "pg")
    shop.prepare()
    shop.order(database={"cnpg": {"cluster": "pg"}})
    event = shop.wait_for_event("CloudNativePGNotRead")
    assert event["type"] == "Normal"
    assert "rbac.cloudnativepg of the chart" in event["message"]
    shop.wait_for_reason("SecretMissing")
    assert operator.is_running
