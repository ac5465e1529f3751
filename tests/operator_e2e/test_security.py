"""What the operator may not do, and what nobody is to see."""

from __future__ import annotations

import json
import re
import urllib.request
from itertools import product
from pathlib import Path

import pytest
import yaml

from tests.cluster import Cluster, Namespace
from tests.cluster.waiting import eventually
from tests.operator_e2e.conftest import StartOperator, read_rules
from tests.operator_e2e.process import ROOT, Operator
from tests.operator_e2e.shop import FILES, Shop, condition
from tests.ports import free_port

pytestmark = [pytest.mark.cluster, pytest.mark.database]

CANARY = "canary-7f3a9c"

FORBIDDEN = [
    ("get", "secrets"),
    ("list", "secrets"),
    ("create", "secrets"),
    ("create", "pods"),
    ("delete", "pods"),
    ("create", "pods/exec"),
    ("get", "pods/log"),
    ("create", "configmaps"),
    ("update", "configmaps"),
    ("patch", "jobs.batch"),
    ("update", "jobs.batch"),
    ("create", "databasemigrations.dbmigrate.dev"),
    ("update", "databasemigrations.dbmigrate.dev"),
    ("delete", "databasemigrations.dbmigrate.dev"),
    ("create", "migrationactions.dbmigrate.dev"),
    ("update", "migrationactions.dbmigrate.dev"),
    ("create", "serviceaccounts/token"),
    ("create", "rolebindings.rbac.authorization.k8s.io"),
    ("list", "namespaces"),
]


@pytest.mark.parametrize(("verb", "resource"), FORBIDDEN)
def test_the_operators_account_can_not(
    shop: Shop, rights: Path, installed: Cluster, verb: str, resource: str
) -> None:
    kind, _, part = resource.partition("/")
    words = ["auth", "can-i", verb, kind, "--namespace", shop.namespace.name]
    words += [f"--subresource={part}"] if part else []
    answer = installed.kubectl(*words, kubeconfig=rights, check=False)
    assert answer.splitlines()[0] == "no", answer


def test_the_account_can_do_what_the_document_says_and_no_more(
    rights: Path, shop: Shop, installed: Cluster
) -> None:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": shop.namespace.name},
    }
    words = ["create", "--filename=-", "--output=json", "--validate=false"]
    answer = json.loads(installed.kubectl(*words, kubeconfig=rights, stdin=json.dumps(review)))
    assert answer["status"]["incomplete"] is False
    found = {
        (group, resource, verb)
        for rule in answer["status"]["resourceRules"]
        for group, resource, verb in product(rule["apiGroups"], rule["resources"], rule["verbs"])
        # What Kubernetes gives to everybody: asking about oneself.
        if not resource.startswith("selfsubject")
    }
    assert found == read_documented_rights()


def read_documented_rights() -> set[tuple[str, str, str]]:
    """The table of docs/rbac.md: group, resource and verb."""
    section = (ROOT / "docs" / "rbac.md").read_text().split("## The operator")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([^`]*)` \| `([^`]+)` \| ([^|]+) \|", section, re.MULTILINE)
    assert rows
    return {
        ("" if group == "core" else group, resource, verb)
        for group, resource, verbs in rows
        for verb in verbs.strip().split(", ")
    }


@pytest.mark.parametrize(
    ("role", "can", "can_not"),
    [
        ("view", ["get databasemigrations"], ["create databasemigrations"]),
        ("edit", ["create databasemigrations"], ["create migrationactions"]),
        ("dbmigrate-actions", ["create migrationactions"], ["update databasemigrations"]),
    ],
)
def test_people_get_their_rights_by_kubernetes_own_roles(
    namespace: Namespace, installed: Cluster, role: str, can: list[str], can_not: list[str]
) -> None:
    shipped = yaml.safe_load_all((ROOT / "deploy" / "rbac.yaml").read_text())
    namespace.apply([document for document in shipped if document["kind"] == "ClusterRole"])
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "person"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": namespace.name}],
    }
    namespace.apply(binding)
    kubeconfig = namespace.service_account_kubeconfig("default")

    def answer(right: str) -> str:
        verb, resource = right.split()
        words = ["auth", "can-i", verb, f"{resource}.dbmigrate.dev", "--namespace", namespace.name]
        return installed.kubectl(*words, kubeconfig=kubeconfig, check=False).splitlines()[0]

    eventually(lambda: {answer(right) for right in can} == {"yes"}, what="the aggregated rights")
    assert [answer(right) for right in can_not] == ["no"] * len(can_not)


def test_no_right_is_a_wildcard() -> None:
    for rule in read_rules():
        for words in (rule["apiGroups"], rule["resources"], rule["verbs"]):
            assert not [word for word in words if "*" in word]


def test_a_password_is_seen_nowhere(
    shop: Shop, make_operator: StartOperator, installed: Cluster
) -> None:
    port = free_port()
    operator = make_operator()
    operator.start("--metrics", f"127.0.0.1:{port}", "--log-level", "debug")
    role = shop.database.create_role(password=CANARY)
    shop.database.execute(f"GRANT ALL ON SCHEMA public TO {role}; GRANT ALL ON applied TO {role}")
    broken = {"000003_broken.up.sql": "ALTER TABLE nothing;\n"}
    shop.prepare({**FILES, **broken})
    shop.namespace.secret("shop-db", url=shop.database.url_for(role, CANARY))
    shop.order()
    shop.wait_for_reason("StatementFailed")
    shop.namespace.secret("shop-db", url=shop.database.url_for(role, CANARY + "-wrong"))
    shop.order(target="2")
    shop.wait_for_reason("AuthenticationFailed")
    metrics = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    seen = {"metrics": metrics, "log": operator.read_log()}
    assert "dbmigrate_migration_condition" in metrics
    for kind in ("dbm", "job", "pod", "event"):
        seen[kind] = str(shop.namespace.list(kind))
    for pod in shop.namespace.list("pod"):
        name = pod["metadata"]["name"]
        seen[name] = installed.node.logs(shop.namespace.name, name, "dbmigrate")
    assert len(seen) == 8
    assert [place for place, text in seen.items() if CANARY in text] == []


def test_names_and_paths_of_a_resource_are_data(
    shop: Shop, operator: Operator, installed: Cluster, tmp_path: Path
) -> None:
    shop.prepare()
    long = "a" * 200 + ".b-1"
    shop.order(long)
    shop.wait_ready(name=long)
    shop.namespace.delete("dbm", long)
    tree = tmp_path / "tree"
    path = "/x; touch pwned $(DBMIGRATE_DATABASE) `id` -rf"
    directory = tree / path[1:]
    directory.mkdir(parents=True)
    for name, text in FILES.items():
        (directory / name).write_text(text)
    installed.node.images.register("odd:1", tree=tree)
    for mode in ("Volume", "Copy"):
        name = f"odd-{mode.lower()}"
        shop.order(name, source={"image": {"reference": "odd:1", "path": path, "mode": mode}})
        ready = shop.wait_ready(name=name)
        assert ready["status"]["version"] == "2"
        shop.namespace.delete("dbm", name)
        shop.namespace.wait_until_gone("dbm", name)
    assert shop.applied() == [1, 2]
    assert operator.is_running


def test_a_config_map_of_another_namespace_is_out_of_reach(
    shop: Shop, operator: Operator, installed: Cluster
) -> None:
    other = installed.namespace()
    try:
        other.config_map("shop-migrations", dict(FILES))
        shop.namespace.secret("shop-db", url=shop.database.url)
        shop.order()
        resource = shop.wait_for_reason("SourceMissing")
        assert condition(resource, "Ready")["status"] == "False"
        assert shop.jobs() == []
    finally:
        other.remove()
    assert operator.is_running
