"""Objects that are made to hurt, and the healthy ones beside them, which go their way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import yaml

from tests.cluster import Cluster
from tests.cluster.waiting import eventually
from tests.operator_e2e.conftest import StartOperator
from tests.operator_e2e.policy import refused_status
from tests.operator_e2e.process import ROOT, Operator
from tests.operator_e2e.shop import Shop, condition, is_ready

pytestmark = [pytest.mark.cluster, pytest.mark.database]

GROUP = "/apis/dbmigrate.dev/v1alpha1"
KINDS = {"databasemigrations": "DatabaseMigration", "migrationactions": "MigrationAction"}
LEVELS = 5000
"""Of objects inside each other: the API server takes ten thousand, Python's reader not one."""
DEEP = '{"a":' * LEVELS + "1" + "}" * LEVELS
DEEP_FIELDS = '{"f:a":' * LEVELS + "{}" + "}" * LEVELS
FOREVER = "999999999999999999999999999999d"
OLD_SPECS: dict[str, dict[str, Any]] = {
    "forever": {"timeouts": {"deadline": FOREVER}},
    "never": {"retry": {"initialDelay": "9" * 400 + "h", "limit": 2**62}},
    "astray": {"source": {"configMaps": [{"name": "../secrets/shop-db"}]}},
}
"""What only an older schema would have let in."""
SHAPELESS: dict[str, Any] = {"database": [], "job": "x", "target": {}}
"""The same, but now the API server refuses each write to it, the status included."""


@contextmanager
def older_schema(cluster: Cluster) -> Iterator[None]:
    """The resources without a schema of their spec, for as long as the block lasts."""
    for plural in KINDS:
        crd = yaml.safe_load((ROOT / "crds" / f"{plural}.yaml").read_text())
        properties = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
        properties["spec"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        apply_crd(cluster, crd)
    try:
        yield
    finally:
        for plural in KINDS:
            apply_crd(cluster, yaml.safe_load((ROOT / "crds" / f"{plural}.yaml").read_text()))


def apply_crd(cluster: Cluster, crd: dict[str, Any]) -> None:
    words = ["apply", "--server-side", "--force-conflicts", "--filename=-"]
    cluster.kubectl(*words, stdin=json.dumps(crd))


def create(shop: Shop, path: str, text: str) -> None:
    """Create an object whose JSON Python could not write."""
    words = ["create", "--filename=-", "--raw", f"{path.format(shop.namespace.name)}"]
    shop.namespace.cluster.kubectl(*words, stdin=text)


def migration(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "dbmigrate.dev/v1alpha1",
        "kind": "DatabaseMigration",
        "metadata": {"name": name},
        "spec": {
            "database": {"urlFrom": {"secretKeyRef": {"name": name, "key": "url"}}},
            "source": {"configMaps": [{"name": "shop-migrations"}]},
            **spec,
        },
    }


def create_deep_migration(shop: Shop, name: str) -> None:
    text = json.dumps(migration(name, job={"affinity": "DEEP"})).replace('"DEEP"', DEEP)
    create(shop, f"{GROUP}/namespaces/{{}}/databasemigrations", text)


def create_deep_config_map(shop: Shop, name: str) -> None:
    fields = {"manager": "x", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1"}
    entry = {**fields, "time": "2026-11-24T12:00:00Z", "fieldsV1": "DEEP"}
    metadata = {"name": name, "managedFields": [entry]}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    text = json.dumps({**body, "data": {"1_a.up.sql": ""}}).replace('"DEEP"', DEEP_FIELDS)
    create(shop, "/api/v1/namespaces/{}/configmaps", text)


def create_forged_job(shop: Shop) -> None:
    """A Job with our labels and nothing in it that we would have written."""
    labels = {"app.kubernetes.io/managed-by": "dbmigrate", "dbmigrate.dev/command": "goto"}
    labels["dbmigrate.dev/migration-uid"] = shop.namespace.get("dbm", "shop")["metadata"]["uid"]
    numbers = dict.fromkeys(("generation", "attempt"), "9" * 5000)
    marks = {f"dbmigrate.dev/{key}": text for key, text in {**numbers, "intent": "x" * 9}.items()}
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "containers": [{"name": "c", "image": "none:1"}],
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    }
    pod["containers"][0]["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    shop.namespace.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "forged", "labels": labels, "annotations": marks},
            "spec": {"suspend": True, "template": {"metadata": {"labels": labels}, "spec": pod}},
        }
    )


def wait_for_complaint(shop: Shop, name: str) -> str:
    """What an object that can't be read says of itself; kubectl can read it."""
    condition = '{.status.conditions[?(@.type=="Ready")]'
    path = f"jsonpath={condition}.status}} {condition}.reason}} {condition}.message}}"
    words = ["get", "dbm", name, f"--output={path}"]
    said = eventually(
        lambda: shop.namespace.kubectl(*words),
        lambda said: said.startswith("False InvalidSpec "),
        what=f"the complaint of {name}",
    )
    return said.removeprefix("False InvalidSpec ")


def test_one_object_stops_nobody_else(
    shop: Shop, make_operator: StartOperator, installed: Cluster
) -> None:
    shop.prepare()
    order = {"migration": "../shop", "action": "Approve", "planHash": "x"}
    action = {"apiVersion": "dbmigrate.dev/v1alpha1", "kind": "MigrationAction"}
    with older_schema(installed):
        for name, spec in {**OLD_SPECS, "shapeless": SHAPELESS}.items():
            text = json.dumps(migration(name, **spec))
            path = f"{GROUP}/namespaces/{{}}/databasemigrations"
            eventually(partial(create_if_missing, shop, path, text), what=name)
        path = f"{GROUP}/namespaces/{{}}/migrationactions"
        # One that can't be read is filed under its own name: here that of the healthy resource.
        orders: dict[str, Any] = {"order": order, "shop": {**order, "reason": {"a": 1}}}
        for name, spec in orders.items():
            text = json.dumps({**action, "metadata": {"name": name}, "spec": spec})
            eventually(partial(create_if_missing, shop, path, text), what=name)
    create_deep_migration(shop, "deep")
    create_deep_config_map(shop, "deep")
    shop.order(target="1")
    create_forged_job(shop)
    operator = make_operator().start()
    shop.wait_ready()
    said = {name: wait_for_complaint(shop, name) for name in [*OLD_SPECS, "deep"]}
    assert said["forever"].startswith("spec.timeouts.deadline: ")
    assert said["astray"].startswith("spec.source.configMaps[0].name: ")
    assert said["deep"].startswith("spec.job.affinity: must not be nested deeper than")
    refused = shop.namespace.wait("dbma", "order", lambda a: a.get("status", {}).get("phase"))
    assert refused["status"]["phase"] == "Refused"
    assert refused["status"]["message"].startswith("spec.")
    eventually(operator.read_log, lambda log: "refused a smaller status" in log, what="a word")
    # The same by the streams of an operator that runs.
    process = operator.pid
    create_deep_config_map(shop, "deeper")
    create_deep_migration(shop, "deeper")
    wait_for_complaint(shop, "deeper")
    shop.order()
    shop.wait(lambda r: is_ready(r) and r["status"]["version"] == "2")
    assert shop.applied() == [1, 2]
    assert operator.is_running
    assert operator.pid == process
    assert "a write to action shop was refused" in operator.read_log()
    assert '"severity": "error"' not in operator.read_log()


def create_if_missing(shop: Shop, path: str, text: str) -> bool:
    """Create an object as soon as the API server knows the schema that lets it in."""
    words = ["create", "--filename=-", "--raw", path.format(shop.namespace.name)]
    said = shop.namespace.cluster.kubectl(*words, stdin=text, check=False)
    return said.startswith("{") or "AlreadyExists" in said


def test_a_status_that_the_server_refuses_is_written_without_what_it_refuses(
    shop: Shop, operator: Operator
) -> None:
    shop.order(suspend=True)
    step = {"version": "0", "name": "x", "direction": "up", "milliseconds": 1}
    with refused_status(
        shop.namespace,
        "databasemigrations",
        "shop",
        expression="!has(object.status.history)",
        probe={"history": [step]},
    ) as message:
        shop.prepare()
        shop.order(suspend=False)
        status = shop.wait_ready()["status"]
        assert message in condition({"status": status}, "Ready")["message"]
        assert (status["version"], status["lastRun"]["outcome"]) == ("2", "Applied")
        assert not status.get("history")
        shop.order(history={"successful": 1})  # something to look at: it stays as it is
        status = shop.wait_ready()["status"]
        assert condition({"status": status}, "Ready")["status"] == "True"
        assert len(shop.jobs()) == 1
        assert '"severity": "error"' not in operator.read_log()


@pytest.mark.parametrize("text", ["{not json", "[1,2]", "null", DEEP[:60_000]])
def test_annotations_of_the_framework_hold_nothing_up(
    text: str, shop: Shop, operator: Operator
) -> None:
    """kopf reads its own annotations; an author may write them."""
    shop.prepare()
    manifest = shop.manifest()
    names = ("last-handled-configuration", "touch-dummy", "look")
    manifest["metadata"]["annotations"] = {f"kopf.zalando.org/{name}": text for name in names}
    shop.namespace.apply(manifest)
    assert shop.wait_ready()["status"]["version"] == "2"
    shop.namespace.apply({**manifest, "spec": {**manifest["spec"], "target": "1"}})
    changed = shop.wait(lambda r: r["status"].get("observedGeneration") == 2)
    assert condition(changed, "Ready")["status"] != "True" or changed["status"]["version"] == "1"
    assert operator.is_running
