"""Each value of the chart does what its comment says, and no value is without a test."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
import yaml

from dbmigrate import __version__
from docs import build_chart_readme
from tests.charts.helm import CHART, Document, HelmFailed, Values, render

POD = "spec.template.spec"
OPERATOR = f"{POD}.containers.0"
NAME = "shop-dbmigrate-operator"
DIGEST = "sha256:" + "a" * 64


@dataclass(frozen=True)
class Switch:
    """A value, and where its effect is seen: `kind:path`, and what is there then."""

    value: Any
    where: str
    seen: Any
    beside: Values = field(default_factory=dict)
    """Values that it needs to have an effect."""


def _env(name: str, value: str) -> Document:
    return {"name": name, "value": value}


def _switched_on(feature: str) -> Values:
    return {f"{feature}.enabled": True}


MONITOR = _switched_on("metrics.serviceMonitor")
RULE = _switched_on("metrics.prometheusRule")
POD_MONITOR = _switched_on("metrics.podMonitor")
BOARD = _switched_on("metrics.dashboard")
POLICY = _switched_on("networkPolicy")
NOTHING = None
LABEL = {"team": "data"}
LINUX = {"kubernetes.io/os": "linux"}
PEER = [{"namespaceSelector": {"matchLabels": LABEL}}]
VOLUME = [{"name": "ca", "configMap": {"name": "ca"}}]
MOUNT = [{"name": "ca", "mountPath": "/ca"}]
SPREAD = [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}]
NEAR: Document = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}}
PROXY = [_env("HTTPS_PROXY", "http://proxy")]
TAINT = [{"key": "infra", "operator": "Exists"}]
LARGE = {"limits": {"memory": "2Gi"}}

RULES = "PrometheusRule:spec.groups.0.rules"
ALERTS = {
    "dirty": "DatabaseMigrationDirty",
    "unreachable": "DatabaseMigrationUnreachable",
    "notReady": "DatabaseMigrationNotReady",
    "retrying": "DatabaseMigrationRetrying",
    "schemaDrifted": "DatabaseSchemaDrifted",
    "operatorDown": "DbmigrateOperatorDown",
    "notLeading": "DbmigrateOperatorNotLeading",
}


def _alert_switches() -> dict[str, Switch]:
    made = {}
    for key, name in ALERTS.items():
        path = f"metrics.prometheusRule.alerts.{key}"
        made[f"{path}.enabled"] = Switch(False, f"{RULES}.{name}.alert", NOTHING, RULE)
        made[f"{path}.for"] = Switch("7m", f"{RULES}.{name}.for", "7m", RULE)
        made[f"{path}.severity"] = Switch("page", f"{RULES}.{name}.labels.severity", "page", RULE)
    return made


def _monitor_switches(value: str, kind: str, endpoints: str, beside: Values) -> dict[str, Switch]:
    changed = [{"action": "labeldrop", "regex": "pod"}]
    endpoint = f"{kind}:spec.{endpoints}.0"
    seen: dict[str, tuple[Any, str, Any]] = {
        "namespace": ("elsewhere", f"{kind}:metadata.namespace", "elsewhere"),
        "annotations": ({"m": "x"}, f"{kind}:metadata.annotations.m", "x"),
        "jobLabel": ("team", f"{kind}:spec.jobLabel", "team"),
        "scrapeTimeout": ("4s", f"{endpoint}.scrapeTimeout", "4s"),
        "relabelings": (changed, f"{endpoint}.relabelings", changed),
        "metricRelabelings": (changed, f"{endpoint}.metricRelabelings", changed),
    }
    return {
        f"metrics.{value}.{name}": Switch(set_to, where, what, beside)
        for name, (set_to, where, what) in seen.items()
    }


SWITCHES: dict[str, Switch] = {
    "image.repository": Switch(
        "mirror/it", f"Deployment:{OPERATOR}.image", f"mirror/it:{__version__}"
    ),
    "image.tag": Switch("9", f"Deployment:{OPERATOR}.image", "ghcr.io/dbmigrate/dbmigrate:9"),
    "image.digest": Switch(
        DIGEST, f"Deployment:{OPERATOR}.image", f"ghcr.io/dbmigrate/dbmigrate@{DIGEST}"
    ),
    "image.pullPolicy": Switch("Always", f"Deployment:{OPERATOR}.imagePullPolicy", "Always"),
    "runnerImage": Switch(
        "own:1", f"Deployment:{OPERATOR}.env.DBMIGRATE_RUNNER_IMAGE.value", "own:1"
    ),
    "rehearsal.image": Switch(
        "own:{major}", f"Deployment:{OPERATOR}.env.DBMIGRATE_REHEARSAL_IMAGE.value", "own:{major}"
    ),
    "imagePullSecrets": Switch(
        [{"name": "key"}], f"Deployment:{POD}.imagePullSecrets", [{"name": "key"}]
    ),
    "nameOverride": Switch("dbm", "Deployment:metadata.name", "shop-dbm"),
    "fullnameOverride": Switch("dbm", "Deployment:metadata.name", "dbm"),
    "replicas": Switch(0, "Deployment:spec.replicas", 0),
    "leaderElection.enabled": Switch(False, f"Role/{NAME}-leases:kind", NOTHING),
    "leaderElection.leaseDuration": Switch(
        "1m", f"Deployment:{OPERATOR}.env.DBMIGRATE_LEASE_DURATION.value", "1m"
    ),
    "updateStrategy": Switch(
        {"type": "Recreate", "rollingUpdate": None},
        "Deployment:spec.strategy",
        {"type": "Recreate"},
    ),
    "watchNamespaces": Switch(
        ["a", "b"], f"Deployment:{OPERATOR}.env.DBMIGRATE_NAMESPACE.value", "a,b"
    ),
    "selector": Switch("shard=a", f"Deployment:{OPERATOR}.env.DBMIGRATE_SELECTOR.value", "shard=a"),
    "jobUserIds": Switch("omit", f"Deployment:{OPERATOR}.env.DBMIGRATE_JOB_USER_IDS.value", "omit"),
    "clusterName": Switch(
        "east", f"Deployment:{OPERATOR}.env.DBMIGRATE_CLUSTER_NAME.value", "east"
    ),
    "resync": Switch("1h", f"Deployment:{OPERATOR}.env.DBMIGRATE_RESYNC.value", "1h"),
    "unreachableAfter": Switch(
        5, f"Deployment:{OPERATOR}.env.DBMIGRATE_UNREACHABLE_AFTER.value", "5"
    ),
    "orderMaxAge": Switch("2h", f"Deployment:{OPERATOR}.env.DBMIGRATE_ORDER_MAX_AGE.value", "2h"),
    "workers": Switch(4, f"Deployment:{OPERATOR}.env.DBMIGRATE_WORKERS.value", "4"),
    "logFormat": Switch("text", f"Deployment:{OPERATOR}.env.DBMIGRATE_LOG_FORMAT.value", "text"),
    "logLevel": Switch("debug", f"Deployment:{OPERATOR}.env.DBMIGRATE_LOG_LEVEL.value", "debug"),
    "crds.install": Switch(False, f"Job/{NAME}-crds:kind", NOTHING),
    "rbac.create": Switch(False, f"ClusterRoleBinding/system.{NAME}:kind", NOTHING),
    "rbac.aggregate": Switch(False, f"ClusterRole/system.{NAME}-view:kind", NOTHING),
    "rbac.cloudnativepg": Switch(
        True, f"ClusterRole/system.{NAME}:rules.10.apiGroups.0", "postgresql.cnpg.io"
    ),
    "reservedFields.enabled": Switch(
        True, f"ClusterRole/system.{NAME}-reserved-fields:rules.0.resources.0", "databasemigrations"
    ),
    "reservedFields.namespaceSelector": Switch(
        {"matchLabels": LABEL},
        "ValidatingAdmissionPolicyBinding:spec.matchResources.namespaceSelector.matchLabels",
        LABEL,
        _switched_on("reservedFields"),
    ),
    "serviceAccount.create": Switch(
        False, f"ServiceAccount/{NAME}:kind", NOTHING, {"serviceAccount.name": "own"}
    ),
    "serviceAccount.name": Switch("own", f"Deployment:{POD}.serviceAccountName", "own"),
    "serviceAccount.annotations": Switch(
        LABEL, f"ServiceAccount/{NAME}:metadata.annotations.team", "data"
    ),
    "podAnnotations": Switch(LABEL, "Deployment:spec.template.metadata.annotations.team", "data"),
    "podLabels": Switch(LABEL, "Deployment:spec.template.metadata.labels.team", "data"),
    "podSecurityContext": Switch(
        {"runAsUser": 1000}, f"Deployment:{POD}.securityContext.runAsUser", 1000
    ),
    "securityContext": Switch(
        {"runAsUser": 1000}, f"Deployment:{OPERATOR}.securityContext.runAsUser", 1000
    ),
    "resources": Switch(LARGE, f"Deployment:{OPERATOR}.resources.limits.memory", "2Gi"),
    "nodeSelector": Switch(LABEL, f"Deployment:{POD}.nodeSelector", {**LINUX, **LABEL}),
    "tolerations": Switch(TAINT, f"Deployment:{POD}.tolerations", TAINT),
    "affinity": Switch(NEAR, f"Deployment:{POD}.affinity", NEAR),
    "topologySpreadConstraints": Switch(
        SPREAD, f"Deployment:{POD}.topologySpreadConstraints", SPREAD
    ),
    "priorityClassName": Switch("high", f"Deployment:{POD}.priorityClassName", "high"),
    "terminationGracePeriodSeconds": Switch(
        5, f"Deployment:{POD}.terminationGracePeriodSeconds", 5
    ),
    "extraEnv": Switch(PROXY, f"Deployment:{OPERATOR}.env.HTTPS_PROXY.value", "http://proxy"),
    "extraVolumes": Switch(VOLUME, f"Deployment:{POD}.volumes", VOLUME),
    "extraVolumeMounts": Switch(
        MOUNT, f"Deployment:{OPERATOR}.volumeMounts", MOUNT, {"extraVolumes": VOLUME}
    ),
    "health.port": Switch(81, f"Deployment:{OPERATOR}.env.DBMIGRATE_HEALTH.value", ":81"),
    "health.livenessProbe": Switch(False, f"Deployment:{OPERATOR}.livenessProbe", NOTHING),
    "health.readinessProbe": Switch(False, f"Deployment:{OPERATOR}.readinessProbe", NOTHING),
    "metrics.enabled": Switch(False, "Service:kind", NOTHING),
    "metrics.port": Switch(82, "Service:spec.ports.0.port", 82),
    "metrics.serviceMonitor.enabled": Switch(
        True, "ServiceMonitor:spec.endpoints.0.port", "metrics"
    ),
    "metrics.serviceMonitor.interval": Switch(
        "5s", "ServiceMonitor:spec.endpoints.0.interval", "5s", MONITOR
    ),
    "metrics.serviceMonitor.labels": Switch(
        LABEL, "ServiceMonitor:metadata.labels.team", "data", MONITOR
    ),
    "metrics.prometheusRule.enabled": Switch(
        True, "PrometheusRule:spec.groups.0.name", "dbmigrate"
    ),
    "metrics.prometheusRule.labels": Switch(
        LABEL, "PrometheusRule:metadata.labels.team", "data", RULE
    ),
    "metrics.dashboard.enabled": Switch(True, f"ConfigMap/{NAME}-dashboard:kind", "ConfigMap"),
    "metrics.dashboard.labels": Switch(
        LABEL, f"ConfigMap/{NAME}-dashboard:metadata.labels.team", "data", BOARD
    ),
    "podDisruptionBudget.enabled": Switch(True, "PodDisruptionBudget:kind", "PodDisruptionBudget"),
    "podDisruptionBudget.maxUnavailable": Switch(
        "50%",
        "PodDisruptionBudget:spec.maxUnavailable",
        "50%",
        _switched_on("podDisruptionBudget"),
    ),
    "networkPolicy.enabled": Switch(True, "NetworkPolicy:spec.policyTypes", ["Ingress", "Egress"]),
    "networkPolicy.apiServerPorts": Switch(
        [1234], "NetworkPolicy:spec.egress.1.ports.0.port", 1234, POLICY
    ),
    "networkPolicy.metricsFrom": Switch(PEER, "NetworkPolicy:spec.ingress.1.from", PEER, POLICY),
    "test.address": Switch("host:1", "Pod:spec.containers.0.args.1", "http://host:1/metrics"),
    "namespaceOverride": Switch("sub", "Deployment:metadata.namespace", "sub"),
    "commonLabels": Switch({"all": "x"}, "Deployment:spec.template.metadata.labels.all", "x"),
    "commonAnnotations": Switch(
        {"all": "x"}, f"ServiceAccount/{NAME}:metadata.annotations.all", "x"
    ),
    "extraObjects": Switch(
        [{"kind": "Mine", "metadata": {"name": "{{ .Release.Name }}"}}],
        "Mine:metadata.name",
        "shop",
    ),
    "jobDefaults": Switch(
        {"nodeSelector": LABEL},
        f"Deployment:{OPERATOR}.env.DBMIGRATE_JOB_DEFAULTS.value",
        '{"nodeSelector":{"team":"data"}}',
    ),
    "serviceAccount.labels": Switch({"sa": "x"}, f"ServiceAccount/{NAME}:metadata.labels.sa", "x"),
    "serviceAccount.imagePullSecrets": Switch(
        [{"name": "sa"}], f"ServiceAccount/{NAME}:imagePullSecrets", [{"name": "sa"}]
    ),
    "deploymentAnnotations": Switch({"d": "x"}, "Deployment:metadata.annotations.d", "x"),
    "revisionHistoryLimit": Switch(3, "Deployment:spec.revisionHistoryLimit", 3),
    "extraArgs": Switch(["--workers=3"], f"Deployment:{OPERATOR}.args", ["--workers=3"]),
    "extraPodSpec": Switch({"dnsPolicy": "Default"}, f"Deployment:{POD}.dnsPolicy", "Default"),
    "health.startup": Switch(
        {"failureThreshold": 9}, f"Deployment:{OPERATOR}.startupProbe.failureThreshold", 9
    ),
    "health.liveness": Switch(
        {"failureThreshold": 9}, f"Deployment:{OPERATOR}.livenessProbe.failureThreshold", 9
    ),
    "health.readiness": Switch(
        {"failureThreshold": 9}, f"Deployment:{OPERATOR}.readinessProbe.failureThreshold", 9
    ),
    "metrics.service.type": Switch("NodePort", "Service:spec.type", "NodePort"),
    "metrics.service.clusterIP": Switch("None", "Service:spec.clusterIP", "None"),
    "metrics.service.ipFamilyPolicy": Switch(
        "PreferDualStack", "Service:spec.ipFamilyPolicy", "PreferDualStack"
    ),
    "metrics.service.ipFamilies": Switch(
        ["IPv6", "IPv4"], "Service:spec.ipFamilies", ["IPv6", "IPv4"]
    ),
    "metrics.service.labels": Switch({"svc": "x"}, "Service:metadata.labels.svc", "x"),
    "metrics.service.annotations": Switch({"svc": "x"}, "Service:metadata.annotations.svc", "x"),
    "metrics.podMonitor.enabled": Switch(
        True, "PodMonitor:spec.podMetricsEndpoints.0.port", "metrics"
    ),
    "metrics.podMonitor.interval": Switch(
        "5s", "PodMonitor:spec.podMetricsEndpoints.0.interval", "5s", POD_MONITOR
    ),
    **_monitor_switches("serviceMonitor", "ServiceMonitor", "endpoints", MONITOR),
    **_monitor_switches("podMonitor", "PodMonitor", "podMetricsEndpoints", POD_MONITOR),
    "metrics.podMonitor.labels": Switch(
        LABEL, "PodMonitor:metadata.labels.team", "data", POD_MONITOR
    ),
    "metrics.prometheusRule.namespace": Switch(
        "elsewhere", "PrometheusRule:metadata.namespace", "elsewhere", RULE
    ),
    "metrics.prometheusRule.annotations": Switch(
        {"r": "x"}, "PrometheusRule:metadata.annotations.r", "x", RULE
    ),
    "metrics.prometheusRule.extraRules": Switch(
        [{"alert": "Mine", "expr": "up == 0"}], f"{RULES}.Mine.expr", "up == 0", RULE
    ),
    **_alert_switches(),
    "metrics.dashboard.namespace": Switch(
        "elsewhere", f"ConfigMap/{NAME}-dashboard:metadata.namespace", "elsewhere", BOARD
    ),
    "metrics.dashboard.annotations": Switch(
        {"folder": "x"}, f"ConfigMap/{NAME}-dashboard:metadata.annotations.folder", "x", BOARD
    ),
    "podDisruptionBudget.minAvailable": Switch(
        1,
        "PodDisruptionBudget:spec",
        {
            "minAvailable": 1,
            "selector": {
                "matchLabels": {
                    "app.kubernetes.io/name": "dbmigrate-operator",
                    "app.kubernetes.io/instance": "shop",
                }
            },
        },
        _switched_on("podDisruptionBudget"),
    ),
    "networkPolicy.dnsPorts": Switch(
        [5353], "NetworkPolicy:spec.egress.0.ports.0.port", 5353, POLICY
    ),
    "test.labels": Switch({"t": "x"}, "Pod:metadata.labels.t", "x"),
    "test.annotations": Switch({"t": "x"}, "Pod:metadata.annotations.t", "x"),
    "test.resources": Switch(LARGE, "Pod:spec.containers.0.resources.limits.memory", "2Gi"),
}

ALONE = {
    "fullnameOverride",
    "image.digest",
    "image.tag",
    "image.repository",
    "leaderElection.enabled",
    "metrics.enabled",
    "nameOverride",
    "namespaceOverride",
    "podDisruptionBudget.minAvailable",
    "rbac.create",
    "serviceAccount.create",
    "serviceAccount.name",
    "updateStrategy",
    "watchNamespaces",
}
"""Values that change what others are seen by. The rest is switched in two renderings."""


@pytest.mark.parametrize("path", sorted(SWITCHES))
def test_a_value_has_its_effect(path: str) -> None:
    switch = SWITCHES[path]
    before = look_up(render_once(tuple(switch.beside)), switch.where)
    if path in ALONE:
        after = look_up(render({**switch.beside, path: switch.value}), switch.where)
    else:
        after = look_up(render_together(switch.value is False), switch.where)
    assert after == switch.seen
    if path != "serviceAccount.create":
        assert before != after, f"{path} changes nothing at {switch.where}"


@cache
def render_together(is_off: bool) -> list[Document]:
    """The chart with all values that are switched off, or with all others."""
    chosen = {
        path: switch
        for path, switch in SWITCHES.items()
        if path not in ALONE and (switch.value is False) is is_off
    }
    beside = {name: value for switch in chosen.values() for name, value in switch.beside.items()}
    return render({**beside, **{path: switch.value for path, switch in chosen.items()}})


def test_every_value_is_switched_in_a_test() -> None:
    assert {path for path, _, _ in read_page()} == set(SWITCHES)


def test_every_value_has_a_comment_and_a_schema() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    for path, _, comment in read_page():
        assert comment.endswith((".", "]")), f"{path} has no comment, or one that breaks off"
        found = schema
        for name in path.split("."):
            assert found.get("additionalProperties") is False, f"{path}: any name is taken"
            found = found["properties"][name]
        assert {"type", "enum", "anyOf"} & set(found), f"{path}: any value is taken"


def test_the_page_of_the_chart_is_made_from_its_values() -> None:
    assert build_chart_readme.PAGE.read_text() == build_chart_readme.build(), (
        "run `python docs/build_chart_readme.py`"
    )


def read_page() -> list[tuple[str, object, str]]:
    """The values with defaults and comments, as the chart's page has them."""
    return list(build_chart_readme.read_values((CHART / "values.yaml").read_text()))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("replica", 1),
        ("image.name", "x"),
        ("metrics.port", 0),
        ("metrics.port", "9090"),
        ("image.digest", "sha256:1"),
        ("logLevel", "loud"),
        ("resync", "often"),
        ("clusterName", "not a name"),
        ("watchNamespaces", ["Not_a_name"]),
        ("workers", 0),
        ("unreachableAfter", 0),
        ("orderMaxAge", "long"),
        ("jobUserIds", "none"),
        ("leaderElection.leaseDuration", "none"),
        ("podLabels", {"team": 1}),
        ("podLabels", {"app.kubernetes.io/name": "x"}),
        ("metrics.serviceMonitor.labels", {"helm.sh/chart": "x"}),
        ("orderMaxAge", "9" * 30 + "h"),
        ("resync", "99999999999999h"),
        ("networkPolicy.apiServerPorts", []),
        ("jobDefaults.image", "x"),
        ("jobDefaults.labels", {"team": 1}),
        ("metrics.service.ipFamilies", ["IPv5"]),
        ("metrics.prometheusRule.alerts.dirty.for", "soon"),
        ("networkPolicy.dnsPorts", []),
        ("health.liveness", {"httpGet": {}}),
        ("health.startup", {"httpGet": {}}),
    ],
)
def test_a_wrong_value_is_refused(path: str, value: object) -> None:
    with pytest.raises(HelmFailed, match="values don't meet the specifications of the schema"):
        render({path: value})


def test_a_value_that_is_null_is_none_or_refused_by_name() -> None:
    """In Helm a null takes a default away: no template may find nothing where it reads a map."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    needed = set(required(schema))
    paths = list(everything(values))
    for level in range(3):
        names = [path for path in paths if path in needed and path.count(".") == level]
        if level == 0:
            assert {"rehearsal", "reservedFields", "metrics", "workers"} <= set(names)
        with pytest.raises(HelmFailed) as refused:
            render(dict.fromkeys(names))
        said = re.findall(r"missing propert(?:y|ies) (.*)", str(refused.value))
        assert {name.rpartition(".")[2] for name in names} == set(
            re.findall(r"'(\w+)'", " ".join(said))
        )
    free = [p for p in paths if p not in needed and p.rpartition(".")[0] in {"", *needed}]
    assert {"reservedFields.namespaceSelector", "podSecurityContext", "tolerations"} <= set(free)
    features = {path: True for path in paths if path.endswith(".enabled")}
    documents = render({**features, **dict.fromkeys(free)})
    assert "<no value>" not in yaml.safe_dump(documents)
    assert look_up(documents, "Deployment:spec.replicas") == 1


def required(schema: Document, prefix: str = "") -> Iterator[str]:
    """The paths that the schema wants to be there."""
    for name in schema.get("required", ()):
        yield f"{prefix}{name}"
    for name, part in schema.get("properties", {}).items():
        yield from required(part, f"{prefix}{name}.")


def everything(values: Document, prefix: str = "") -> Iterator[str]:
    """The paths of all values, maps among them."""
    for name, value in values.items():
        yield f"{prefix}{name}"
        if isinstance(value, dict):
            yield from everything(value, f"{prefix}{name}.")


def test_two_replicas_elect_one() -> None:
    with pytest.raises(HelmFailed, match=r"more than one needs leaderElection\.enabled"):
        render({"replicas": 2, "leaderElection.enabled": False})


def test_a_foreign_account_must_be_named() -> None:
    with pytest.raises(HelmFailed, match=r"serviceAccount\.name is needed"):
        render({"serviceAccount.create": False})


def look_up(documents: list[Document], where: str) -> Any:
    """What stands at `Kind:path` or `Kind/name:path`; None where there is nothing."""
    kind, _, path = where.partition(":")
    kind, _, name = kind.partition("/")
    for document in documents:
        if document["kind"] == kind and name in {"", document["metadata"]["name"]}:
            return descend(document, path.split("."))
    return None


def descend(value: Any, path: list[str]) -> Any:
    """A step into a list is a number, or the name of its member."""
    for step in path:
        if isinstance(value, list) and step.isdigit():
            value = value[int(step)] if int(step) < len(value) else None
        elif isinstance(value, list):
            value = next(
                (each for each in value if step in {each.get("name"), each.get("alert")}), None
            )
        else:
            value = (value or {}).get(step)
    return value


@cache
def render_once(features: tuple[str, ...]) -> list[Document]:
    """The chart with its defaults, but for features that are switched on."""
    return render({path: True for path in features if path.endswith(".enabled")})
