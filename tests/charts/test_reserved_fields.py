"""Approval as a boundary: what an author may not set, on a real API server with two people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.charts.helm import ROOT, Document, render
from tests.cluster import Cluster, Namespace
from tests.cluster.waiting import eventually

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

POLICY = "system.shop-dbmigrate-operator-reserved-fields"
VIEW, EDIT = "system.shop-dbmigrate-operator-view", "system.shop-dbmigrate-operator-edit"
RESERVED: dict[str, tuple[Document, str]] = {
    "approval": ({"approval": "Automatic"}, "set-approval"),
    "image": ({"job": {"image": "mine:1"}}, "set-image"),
    "rehearsal image": ({"job": {"rehearsal": {"image": "mine:1"}}}, "set-image"),
    "service account": ({"job": {"serviceAccountName": "mine"}}, "set-serviceaccount"),
    "environment": ({"job": {"env": [{"name": "PYTHONPATH", "value": "/migrations"}]}}, "set-env"),
    "init containers": (
        {"job": {"initContainers": [{"name": "mine", "image": "mine:1"}]}},
        "set-pod",
    ),
    "volumes": ({"job": {"volumes": [{"name": "mine", "configMap": {"name": "a"}}]}}, "set-pod"),
    "mounts": ({"job": {"volumeMounts": [{"name": "mine", "mountPath": "/usr/lib"}]}}, "set-pod"),
    "host aliases": (
        {"job": {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["postgres"]}]}},
        "set-pod",
    ),
    "resolvers": ({"job": {"dnsConfig": {"nameservers": ["10.0.0.1"]}}}, "set-pod"),
    "runtime class": ({"job": {"runtimeClassName": "mine"}}, "set-pod"),
    "container's rights": ({"job": {"securityContext": {"privileged": True}}}, "set-pod"),
    "Pod's rights": ({"job": {"podSecurityContext": {"runAsUser": 0}}}, "set-pod"),
    "annotations": ({"job": {"annotations": {"sidecar.istio.io/proxyImage": "a"}}}, "set-pod"),
    "labels": ({"job": {"labels": {"sidecar.istio.io/inject": "true"}}}, "set-pod"),
}
OTHERS: dict[str, Document] = {
    "init containers": {"initContainers": [{"name": "mine", "image": "other:1"}]},
    "volumes": {"volumes": [{"name": "mine", "secret": {"secretName": "b"}}]},
    "mounts": {"volumeMounts": [{"name": "mine", "mountPath": "/etc"}]},
    "host aliases": {"hostAliases": [{"ip": "10.0.0.2", "hostnames": ["postgres"]}]},
    "resolvers": {"dnsConfig": {"nameservers": ["10.0.0.2"]}},
    "container's rights": {"securityContext": {"runAsUser": 0}},
    "Pod's rights": {"podSecurityContext": {"runAsUser": 1}},
    "annotations": {"annotations": {"sidecar.istio.io/proxyImage": "b"}},
    "labels": {"labels": {"app": "postgres"}},
}
"""Changes of what stands deep inside of a field."""
FREE: Document = {"target": "2", "suspend": True, "job": {"resources": {"limits": {"cpu": "1"}}}}


ITEMS: Document = {"items": [{"name": "a", "schema": "a"}]}


def query(sql: str) -> Document:
    """A list of targets that a database gives."""
    return {"query": {"sql": sql}}


class Person:
    """A ServiceAccount of the namespace with some of the chart's ClusterRoles."""

    def __init__(self, namespace: Namespace, name: str, *roles: str) -> None:
        group = "rbac.authorization.k8s.io"
        metadata = {"name": name}
        subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace.name}
        namespace.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        for role in roles:
            namespace.apply(
                {
                    "apiVersion": f"{group}/v1",
                    "kind": "RoleBinding",
                    "metadata": {"name": f"{name}-{role}"},
                    "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
                    "subjects": [subject],
                }
            )
        for verb in ("create", "get", "set-image") if POLICY in roles else ("create",):
            for resource in ("databasemigrations", "databasemigrationsets"):
                namespace.wait_for_right(name, verb, resource, "dbmigrate.dev")
        self._namespace = namespace
        self._kubeconfig = namespace.service_account_kubeconfig(name)

    def create(self, name: str, **spec: Any) -> str:
        """What kubectl says when this person creates a resource, without keeping it."""
        return self._run("create", "--dry-run=server", "--filename=-", stdin=manifest(name, **spec))

    def keep(self, name: str, **spec: Any) -> str:
        return self._run("create", "--filename=-", stdin=manifest(name, **spec))

    def change(self, name: str, **spec: Any) -> str:
        """What kubectl says when this person changes a resource, without keeping it."""
        return self._change("dbm", name, spec)

    def create_set(self, name: str, *, keep: bool = False, **spec: Any) -> str:
        """As `create` or `keep`, a set."""
        dry = () if keep else ("--dry-run=server",)
        return self._run("create", *dry, "--filename=-", stdin=set_manifest(name, **spec))

    def change_set(self, name: str, **spec: Any) -> str:
        """As `change`, a set."""
        return self._change("dbmset", name, spec)

    def _change(self, kind: str, name: str, spec: Document) -> str:
        patch = json.dumps({"spec": spec})
        return self._run("patch", kind, name, "--dry-run=server", "--type=merge", "-p", patch)

    def _run(self, *words: str, stdin: str | None = None) -> str:
        at = ("--namespace", self._namespace.name)
        cluster = self._namespace.cluster
        return cluster.kubectl(*words, *at, stdin=stdin, check=False, kubeconfig=self._kubeconfig)


def manifest(name: str, **spec: Any) -> str:
    url = {"urlFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}
    return json.dumps(
        {
            "apiVersion": "dbmigrate.dev/v1alpha1",
            "kind": "DatabaseMigration",
            "metadata": {"name": name},
            "spec": {
                "database": url,
                "source": {"configMaps": [{"name": "files"}]},
                "approval": "Manual",
                **spec,
            },
        }
    )


def set_manifest(name: str, **spec: Any) -> str:
    """A set whose targets are items."""
    found = json.loads(manifest(name))
    url, template = found["spec"].pop("database"), found["spec"]
    found["kind"] = "DatabaseMigrationSet"
    found["spec"] = {"database": url, "template": template, "targets": ITEMS, **spec}
    return json.dumps(found)


def was_taken(said: str) -> bool:
    return said.startswith(
        ("databasemigration.dbmigrate.dev/", "databasemigrationset.dbmigrate.dev/")
    )


@pytest.fixture
def people(cluster: Cluster, namespace: Namespace) -> Iterator[tuple[Person, Person]]:
    """An author and an owner, under the chart's policy, which holds in this namespace."""
    cluster.install_crds(ROOT / "crds")
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace.name}}
    values = {"reservedFields.enabled": True, "reservedFields.namespaceSelector": selector}
    kinds = {
        "ClusterRole",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
    mine = [d for d in render(values) if d["kind"] in kinds]
    try:
        namespace.apply(mine)
        yield (
            Person(namespace, "author", VIEW, EDIT),
            Person(namespace, "owner", VIEW, EDIT, POLICY),
        )
    finally:
        for document in mine:
            if document["kind"] != "ClusterRole":
                words = [document["kind"], document["metadata"]["name"]]
                cluster.kubectl("delete", "--ignore-not-found", *words)


def test_who_may_write_a_migration_may_not_undo_its_approval(
    people: tuple[Person, Person], cluster: Cluster
) -> None:
    author, owner = people
    eventually(
        lambda: author.create("probe", approval="Automatic"),
        lambda said: "set-approval" in said,
        what="the policy",
    )
    assert was_taken(author.keep("plain", **FREE))
    assert was_taken(owner.keep("own", job={}))
    for what, (spec, verb) in RESERVED.items():
        assert f"needs the verb {verb}" in author.create("other", **spec), what
        assert f"needs the verb {verb}" in author.change("plain", **spec), what
        assert was_taken(owner.create("other", **spec)), what
        assert was_taken(owner.change("plain", **spec)), what
    # Leaving the approval out is Automatic.
    assert "needs the verb set-approval" in author.change("plain", approval=None)
    # What an owner has set stays when an author changes other fields, and may be taken back.
    everything: Document = {"approval": "Automatic", "job": {}}
    for spec, _verb in RESERVED.values():
        everything["job"] |= spec.get("job", {})
    assert was_taken(owner.keep("set", **everything))
    assert was_taken(author.change("set", **FREE))
    assert was_taken(author.change("set", approval="Manual", job=None))
    assert "needs the verb set-image" in author.change("set", job={"image": "mine:2"})
    for what, change in OTHERS.items():
        assert "needs the verb set-pod" in author.change("set", job=change), what
    more = [*everything["job"]["env"], {"name": "LD_PRELOAD", "value": "/migrations/x.so"}]
    assert "needs the verb set-env" in author.change("set", job={"env": more})
    policy = json.loads(cluster.kubectl("get", "validatingadmissionpolicy", POLICY, "-o", "json"))
    assert "expressionWarnings" not in str(policy.get("status", {}))


def test_the_query_of_a_set_is_reserved_and_its_other_lists_are_not(
    people: tuple[Person, Person],
) -> None:
    author, owner = people
    needed = "needs the verb set-query on databasemigrationsets"
    eventually(
        lambda: author.create_set("probe", targets=query("SELECT 1 AS name")),
        lambda said: needed in said,
        what="the policy",
    )
    assert was_taken(author.create_set("items"))
    listed = {"configMap": {"name": "tenants", "key": "list.csv"}}
    assert was_taken(author.create_set("list", targets=listed))
    owned = query("SELECT name FROM tenants")
    assert was_taken(owner.create_set("tenants", keep=True, targets=owned))
    # What an owner has written stays when an author changes other fields, and may be taken back.
    assert was_taken(author.change_set("tenants", suspend=True))
    assert was_taken(author.change_set("tenants", targets={"query": None, **ITEMS}))
    other = query("SELECT pg_terminate_backend(1) AS name")
    assert needed in author.change_set("tenants", targets=other)
    assert was_taken(owner.change_set("tenants", targets=other))
    assert "needs the verb set-approval" in author.change_set(
        "tenants", template={"approval": None}
    )


def test_without_the_policy_an_author_may(cluster: Cluster, namespace: Namespace) -> None:
    cluster.install_crds(ROOT / "crds")
    roles = [d for d in render() if d["metadata"]["name"] in {VIEW, EDIT}]
    namespace.apply(roles)
    author = Person(namespace, "author", VIEW, EDIT)
    for spec, _verb in RESERVED.values():
        assert was_taken(author.create("other", **spec))
