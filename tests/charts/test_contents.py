"""The chart ships what the repository has, and real helm and a real API server take it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from dbmigrate import __version__
from dbmigrate.api.names import SCHEMA_VERSION
from dbmigrate.controller.definitions.install import schema_of
from dbmigrate.controller.health import SILENCE_SECONDS, START_SECONDS
from dbmigrate.controller.metrics import Metrics
from tests.charts.helm import CHART, ROOT, Document, Values, render, run_helm
from tests.cluster import Cluster, Namespace

EVERYTHING: Values = {
    "metrics.serviceMonitor.enabled": True,
    "metrics.podMonitor.enabled": True,
    "metrics.prometheusRule.enabled": True,
    "metrics.service.ipFamilyPolicy": "PreferDualStack",
    "commonLabels": {"team": "data", "app.kubernetes.io/name": "not this"},
    "commonAnnotations": {"note": "all"},
    "jobDefaults": {"nodeSelector": {"pool": "$(HOME) {{ x }}"}},
    "extraArgs": ["--log-level=debug"],
    "extraPodSpec": {"dnsPolicy": "Default"},
    "extraObjects": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "system"}}
    ],
    "metrics.dashboard.enabled": True,
    "podDisruptionBudget.enabled": True,
    "networkPolicy.enabled": True,
    "reservedFields.enabled": True,
    "networkPolicy.metricsFrom": [{"namespaceSelector": {}}],
    "imagePullSecrets": [{"name": "key"}],
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "infra", "operator": "Exists"}],
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
    "priorityClassName": "system-cluster-critical",
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy"}],
    "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca"}],
    "podLabels": {"team": "data"},
    "podAnnotations": {"note": "x"},
    "serviceAccount.annotations": {"note": "x"},
}
NULLS: Values = {
    **dict.fromkeys(
        ["commonLabels", "commonAnnotations", "podLabels", "podAnnotations", "resources"], None
    ),
    **dict.fromkeys(["podSecurityContext", "securityContext", "health.readiness"], None),
    "serviceAccount.annotations": {"note": None},
    "metrics.service.labels": {"team": None},
    "updateStrategy.type": "Recreate",
    "podDisruptionBudget": {"enabled": True, "minAvailable": 0},
}
"""What people write who want a default to be away."""
ALTERNATIVES = {
    "defaults": {},
    "everything": EVERYTHING,
    "nulls": NULLS,
    "one namespace": {"watchNamespaces": ["default"]},
}


def test_helm_finds_nothing_to_complain_of() -> None:
    for values in ALTERNATIVES.values():
        words = [f"--set-json={path}={json.dumps(value)}" for path, value in values.items()]
        assert "0 chart(s) failed" in run_helm("lint", "--strict", str(CHART), *words)


def test_everything_that_is_released_has_one_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
    (container,) = read_deploy("deployment.yaml")[0]["spec"]["template"]["spec"]["containers"]
    images = [
        container["image"],
        *(each["value"] for each in container["env"] if "RUNNER_IMAGE" in each["name"]),
    ]
    assert set(images) == {f"dbmigrate:{__version__}"}


def test_the_crds_are_those_of_the_repository_and_are_kept() -> None:
    """They are no part of the release, which a rollback would put back: a hook writes them."""
    documents = render()
    assert not list(only("CustomResourceDefinition", documents))
    files = named("shop-dbmigrate-operator-crds", documents, "ConfigMap")["data"]
    originals = [yaml.safe_load(path.read_text()) for path in (ROOT / "crds").glob("*.yaml")]
    assert len(files) == len(originals)
    for original in originals:
        crd = json.loads(files[f"{original['spec']['names']['plural']}.json"])
        assert crd["metadata"]["annotations"].pop("helm.sh/resource-policy") == "keep"
        assert crd == original, "run `make chart`"
        assert schema_of(crd) == SCHEMA_VERSION


def test_what_writes_the_crds_is_there_for_an_installation_or_an_upgrade_alone() -> None:
    ours = [d for d in render() if d["metadata"]["name"].endswith("-crds")]
    kinds = {"ConfigMap", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Job"}
    assert {document["kind"] for document in ours} == kinds
    for document in ours:
        annotations = document["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == "pre-install,pre-upgrade"
        assert "hook-succeeded" in annotations["helm.sh/hook-delete-policy"]


def test_no_file_of_a_crd_is_left_over() -> None:
    copies = {path.name: path.read_text() for path in (CHART / "files" / "crds").iterdir()}
    assert copies == {path.name: path.read_text() for path in (ROOT / "crds").iterdir()}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("dbmigrate-operator", ""),
        *((f"dbmigrate-{x}", f"-{x}") for x in ("view", "edit", "actions")),
    ],
)
def test_the_rights_are_those_of_deploy(ours: str, theirs: str) -> None:
    deployed = named(ours, read_deploy("rbac.yaml"), "ClusterRole")
    charted = named(f"system.shop-dbmigrate-operator{theirs}", render(), "ClusterRole")
    assert charted["rules"] == deployed["rules"]
    for label, value in deployed["metadata"].get("labels", {}).items():
        assert charted["metadata"]["labels"][label] == value


def test_with_a_list_of_namespaces_there_are_no_rights_elsewhere() -> None:
    documents = render({"watchNamespaces": ["a", "b"]})
    leases = named("shop-dbmigrate-operator-leases", documents, "Role")
    assert leases["metadata"]["namespace"] == "system"
    assert leases["rules"][0] == {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "verbs": ["create"],
    }
    roles = [role for role in only("Role", documents) if role != leases]
    assert {role["metadata"]["namespace"] for role in roles} == {"a", "b"}
    rules = named("dbmigrate-operator", read_deploy("rbac.yaml"), "ClusterRole")["rules"]
    assert all(role["rules"] == rules for role in roles)
    assert not [b for b in only("ClusterRoleBinding", documents) if not is_hook(b)]
    for binding in only("RoleBinding", documents):
        assert binding["subjects"][0]["namespace"] == "system"


NAMESPACED = {
    "ConfigMap",
    "Deployment",
    "NetworkPolicy",
    "Job",
    "Pod",
    "PodDisruptionBudget",
    "PodMonitor",
    "PrometheusRule",
    "Role",
    "RoleBinding",
    "Service",
    "ServiceAccount",
    "ServiceMonitor",
}


@pytest.mark.parametrize("alternative", ["everything", "one namespace"])
def test_two_releases_of_a_cluster_share_nothing_but_the_crds(alternative: str) -> None:
    """Of any two names and namespaces, even where the parts run into one another."""
    seen: set[tuple[str, str, str]] = set()
    for release, namespace in (("b", "a"), ("b", "c-a"), ("a-b", "c")):
        values = {**ALTERNATIVES[alternative], "extraObjects": []}
        for document in render(values, release=release, namespace=namespace):
            kind, metadata = document["kind"], document["metadata"]
            assert ("namespace" in metadata) is (kind in NAMESPACED), kind
            identity = (kind, metadata.get("namespace", ""), metadata["name"])
            assert identity not in seen
            seen.add(identity)


def test_the_pod_is_guarded_as_in_deploy() -> None:
    deployed = read_deploy("deployment.yaml")[0]["spec"]["template"]["spec"]
    charted = next(only("Deployment", render()))["spec"]["template"]["spec"]
    for field in ("securityContext", "nodeSelector", "enableServiceLinks"):
        assert charted[field] == deployed[field]
    (ours,), (theirs,) = charted["containers"], deployed["containers"]
    probes = ("startupProbe", "livenessProbe", "readinessProbe")
    for field in ("securityContext", *probes, "resources", "command"):
        assert ours[field] == theirs[field]
    # helm knows the namespace; kustomize may set another one.
    names = {each["name"] for each in theirs["env"]} - {"POD_NAMESPACE"}
    assert names <= {each["name"] for each in ours["env"]}


def test_a_slow_start_fails_no_probe() -> None:
    """A kubelet posts a Warning event for each failure; /startz may wait for its answer."""
    (operator,) = next(only("Deployment", render()))["spec"]["template"]["spec"]["containers"]
    probe = operator["startupProbe"]
    assert probe["httpGet"]["path"] == "/startz"
    assert probe["timeoutSeconds"] > START_SECONDS
    assert probe["failureThreshold"] * probe["periodSeconds"] >= SILENCE_SECONDS


def test_every_pod_asks_for_linux_and_gets_no_variables_of_services() -> None:
    """A cluster may have Windows nodes, and a namespace thousands of Services."""
    pods = [
        each["spec"]["template"]["spec"] if "template" in each["spec"] else each["spec"]
        for each in render()
        if each["kind"] in ("Deployment", "Job", "Pod")
    ]
    assert len(pods) == 3
    for pod in pods:
        assert pod["nodeSelector"] == {"kubernetes.io/os": "linux"}
        assert pod["enableServiceLinks"] is False


def test_rules_and_dashboard_ask_for_series_that_the_operator_has() -> None:
    documents = render(EVERYTHING)
    board = named("shop-dbmigrate-operator-dashboard", documents, "ConfigMap")["data"][
        "dbmigrate.json"
    ]
    asked = [target["expr"] for panel in json.loads(board)["panels"] for target in panel["targets"]]
    for group in next(only("PrometheusRule", documents))["spec"]["groups"]:
        asked += [rule["expr"] for rule in group["rules"]]
    served = {family.name for family in Metrics("1").registry.collect()}
    words = {word for expression in asked for word in re.findall(r"dbmigrate_\w+", expression)}
    assert words
    assert {re.sub("_(total|bucket)$", "", word) for word in words} <= served


def test_there_is_an_alert_for_each_trouble() -> None:
    (group,) = next(only("PrometheusRule", render(EVERYTHING)))["spec"]["groups"]
    waits = {rule["alert"]: rule.get("for") for rule in group["rules"]}
    assert waits == {
        "DatabaseMigrationDirty": None,
        "DatabaseMigrationUnreachable": "5m",
        "DatabaseMigrationNotReady": "15m",
        "DatabaseMigrationRetrying": "30m",
        "DatabaseSchemaDrifted": None,
        "DbmigrateOperatorDown": "5m",
        "DbmigrateOperatorNotLeading": "5m",
    }


def is_hook(document: Document) -> bool:
    return "helm.sh/hook" in document["metadata"].get("annotations", {})


@pytest.mark.cluster
@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_the_api_server_takes_every_object(
    alternative: str, cluster: Cluster, namespace: Namespace
) -> None:
    """Strictly: an unknown field is an error. The monitors and PrometheusRule are known to this
    server as kinds only (a schema that keeps all), so their fields are not proven."""
    install_monitoring_kinds(cluster, namespace)
    values = dict(ALTERNATIVES[alternative])
    for name in ("podSecurityContext", "securityContext"):
        values.pop(name, None)  # the namespace enforces what their defaults comply with
    documents = render(values)
    for document in documents:
        if document["metadata"].get("namespace") == "system":
            document["metadata"]["namespace"] = namespace.name
    words = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"]
    said = cluster.kubectl(*words, stdin=yaml.safe_dump_all(documents))
    assert said.count("(server dry run)") == len(documents)


def install_monitoring_kinds(cluster: Cluster, namespace: Namespace) -> None:
    """The Prometheus operator's kinds, without their schemas."""
    for kind in ("ServiceMonitor", "PodMonitor", "PrometheusRule"):
        plural = f"{kind.lower()}s"
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {
            "name": "v1",
            "served": True,
            "storage": True,
            "schema": {"openAPIV3Schema": schema},
        }
        spec = {
            "group": "monitoring.coreos.com",
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [version],
        }
        name = f"{plural}.monitoring.coreos.com"
        head = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
        namespace.apply({**head, "metadata": {"name": name}, "spec": spec})
        cluster.wait_for_crd(name)


def only(kind: str, documents: list[Document]) -> Iterator[Document]:
    """Those of one kind."""
    return (document for document in documents if document["kind"] == kind)


def named(name: str, documents: list[Document], kind: str) -> Document:
    """The one of that kind and name."""
    (found,) = (d for d in only(kind, documents) if d["metadata"]["name"] == name)
    return found


def read_deploy(file: str) -> list[Any]:
    """The documents of a file of deploy/."""
    return list(yaml.safe_load_all((ROOT / "deploy" / file).read_text()))
