"""Sidecars: init containers that go on beside the others, and end after them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster import Cluster, Namespace
from tests.cluster.waiting import eventually
from tests.test_cluster.pods import container, has_ended, pod, run, state

pytestmark = pytest.mark.cluster

SHARED: dict[str, Any] = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
VOLUMES = [{"name": "shared", "emptyDir": {}}]
SERVE = """
trap 'echo ended >> /shared/order; exit 3' TERM
echo up > /shared/up
while :; do sleep 0.02; done
"""
USE = "until [ -e /shared/up ]; do sleep 0.02; done; echo used >> /shared/order"


def sidecar(script: str = SERVE, **fields: Any) -> dict[str, Any]:
    return container(script, name="beside", restartPolicy="Always", **SHARED, **fields)


def first_init(document: dict[str, Any]) -> dict[str, Any]:
    status: dict[str, Any] = document["status"]["initContainerStatuses"][0]
    return status


def test_a_sidecar_serves_the_others_and_ends_after_them(
    cluster: Cluster, namespace: Namespace
) -> None:
    main = container(f"{USE}; sleep 0.1; echo done >> /shared/order", **SHARED)
    second = sidecar(SERVE.replace("echo ended", "echo second")) | {"name": "second"}
    ended = run(namespace, pod(main, initContainers=[sidecar(), second], volumes=VOLUMES))
    assert ended["status"]["phase"] == "Succeeded"
    assert state(ended)["terminated"]["exitCode"] == 0
    assert first_init(ended)["state"]["terminated"]["exitCode"] == 3
    uid = ended["metadata"]["uid"]
    order = cluster.node.directory / "pods" / uid / "volumes" / "shared" / "order"
    assert order.read_text().split() == ["used", "done", "second", "ended"]


def test_a_failed_container_fails_the_pod_and_its_sidecar_does_not(namespace: Namespace) -> None:
    document = pod(
        container(f"{USE}; exit 4", **SHARED), initContainers=[sidecar()], volumes=VOLUMES
    )
    ended = run(namespace, document)
    assert ended["status"]["phase"] == "Failed"
    assert state(ended)["terminated"]["exitCode"] == 4


def test_a_sidecar_that_ends_is_started_again(namespace: Namespace) -> None:
    once = "if [ ! -e /shared/once ]; then touch /shared/once; exit 0; fi;"
    document = pod(
        container(USE, **SHARED), initContainers=[sidecar(once + SERVE)], volumes=VOLUMES
    )
    ended = run(namespace, document)
    assert ended["status"]["phase"] == "Succeeded"
    assert first_init(ended)["restartCount"] == 1


def test_what_comes_after_a_sidecar_waits_for_its_start(
    cluster: Cluster, namespace: Namespace
) -> None:
    late = sidecar(image="late/sidecar:1")
    namespace.apply(pod(container(USE, **SHARED), initContainers=[late], volumes=VOLUMES))

    def is_waiting(document: dict[str, Any]) -> bool:
        statuses = document["status"].get("initContainerStatuses") or [{}]
        waiting = statuses[0].get("state", {}).get("waiting", {})
        return bool(waiting.get("reason") == "ImagePullBackOff")

    waiting = namespace.wait("pod", "pod", is_waiting)
    assert state(waiting)["waiting"]["reason"] == "PodInitializing"
    cluster.node.images.register("late/sidecar:1")
    ended = namespace.wait("pod", "pod", has_ended)
    assert ended["status"]["phase"] == "Succeeded"
    cluster.node.images.forget("late/sidecar:1")


def test_deletion_ends_the_sidecar_after_the_container(
    cluster: Cluster, namespace: Namespace
) -> None:
    slow = "trap 'sleep 0.2; echo main >> /shared/order; exit' TERM;"
    main = container(f"{slow} {USE}; while :; do sleep 0.02; done", **SHARED)
    namespace.apply(pod(main, initContainers=[sidecar()], volumes=VOLUMES))
    uid = namespace.get("pod", "pod")["metadata"]["uid"]
    order = cluster.node.directory / "pods" / uid / "volumes" / "shared" / "order"
    eventually(lambda: order.exists() and "used" in order.read_text(), what="work")
    kept = order.open()
    namespace.delete("pod", "pod")
    namespace.wait_until_gone("pod", "pod")
    with kept:
        assert kept.read().split() == ["used", "main", "ended"]
