"""What the node refuses, and what it does not know."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster import Cluster, Namespace
from tests.cluster.node.honour import find_refusal
from tests.test_cluster.pods import container, has_ended, is_waiting, pod, run, state

HOST = {"name": "host", "hostPath": {"path": "/"}}
CERTIFICATE = {"name": "own", "projected": {"sources": [{"podCertificate": {"keyType": "RSA"}}]}}
LIMIT = {"name": "LIMIT", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}}
PROBE = {"httpGet": {"port": 80}}


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"hostNetwork": True}, "spec.hostNetwork"),
        ({"volumes": [HOST]}, "spec.volumes[host].hostPath"),
        ({"containers": [container("true", livenessProbe=PROBE)]}, "livenessProbe"),
        ({"containers": [container("true", lifecycle={"preStop": {}})]}, "lifecycle"),
        ({"initContainers": [container("true", restartPolicy="Never")]}, "restartPolicy"),
        ({"containers": [container("true", restartPolicy="Always")]}, "restartPolicy"),
        ({"affinity": {"nodeAffinity": {}}}, "spec.affinity"),
        ({"volumes": [CERTIFICATE]}, "spec.volumes[own].projected.sources[0].podCertificate"),
        ({"containers": [container("true", env=[LIMIT])]}, "env[LIMIT].valueFrom.resourceFieldRef"),
        ({"aFieldOfTheFuture": 1}, "spec.aFieldOfTheFuture"),
    ],
)
def test_a_field_that_cannot_be_honoured_is_named(fields: dict[str, Any], named: str) -> None:
    refusal = find_refusal(pod(container("true"), **fields))
    assert refusal is not None
    assert named in refusal


def test_a_field_that_says_no_is_no_reason_to_refuse() -> None:
    assert find_refusal(pod(container("true"), hostNetwork=False, volumes=[])) is None


@pytest.mark.cluster
def test_a_refused_pod_fails_with_the_name_of_the_field(namespace: Namespace) -> None:
    ended = run(namespace, pod(container("true", livenessProbe=PROBE)))
    assert (ended["status"]["phase"], ended["status"]["reason"]) == ("Failed", "NodeCannotHonour")
    assert "spec.containers[main].livenessProbe" in ended["status"]["message"]


@pytest.mark.cluster
def test_an_unknown_image_is_waited_for(cluster: Cluster, namespace: Namespace) -> None:
    namespace.apply(pod(container("true", image="nobody/knows:1")))
    waiting = namespace.wait("pod", "pod", lambda p: is_waiting(p, "ImagePullBackOff"))
    assert "nobody/knows:1" in state(waiting)["waiting"]["message"]
    cluster.node.images.register("nobody/knows:1")
    ended = namespace.wait("pod", "pod", has_ended)
    assert ended["status"]["phase"] == "Succeeded"
    cluster.node.images.forget("nobody/knows:1")


@pytest.mark.cluster
def test_root_is_refused_where_the_pod_forbids_it(cluster: Cluster, namespace: Namespace) -> None:
    cluster.node.images.register("as:root", user=0)
    namespace.apply(pod(container("true", image="as:root")))
    reason = "CreateContainerConfigError"
    waiting = namespace.wait("pod", "pod", lambda p: is_waiting(p, reason))
    message = state(waiting)["waiting"]["message"]
    assert message.startswith("container has runAsNonRoot and image will run as root")


@pytest.mark.cluster
def test_an_image_without_a_shell_has_none(cluster: Cluster, namespace: Namespace) -> None:
    cluster.node.images.register("distroless:1", has_machine_programs=False)
    terminated = state(run(namespace, pod(container("true", image="distroless:1"))))["terminated"]
    assert terminated["reason"] == "StartError"


@pytest.mark.cluster
def test_a_pod_for_another_node_stays_unscheduled(namespace: Namespace) -> None:
    namespace.apply(pod(container("true"), nodeSelector={"disk": "fast"}))

    def is_unschedulable(document: dict[str, Any]) -> bool:
        conditions = document["status"].get("conditions", [])
        return any(c.get("reason") == "Unschedulable" for c in conditions)

    assert namespace.wait("pod", "pod", is_unschedulable)["status"]["phase"] == "Pending"
