"""The node together with the real Job controller, RBAC and audit log."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster import Api, ApiError, Cluster, Namespace
from tests.test_cluster.pods import container, pod

pytestmark = pytest.mark.cluster
STOPS_AT_ONCE = "trap 'exit 0' TERM; while :; do sleep 0.05; done"


def job(script: str, **fields: object) -> dict[str, Any]:
    """A Job of one try."""
    template = {"spec": pod(container(script))["spec"]}
    spec = {"backoffLimit": 0, "template": template, **fields}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "job"}, "spec": spec}


def has_condition(kind: str) -> Any:
    """Whether the Job has it."""

    def look(document: dict[str, Any]) -> bool:
        conditions = document.get("status", {}).get("conditions", [])
        return any(c["type"] == kind and c["status"] == "True" for c in conditions)

    return look


def test_a_job_completes(namespace: Namespace) -> None:
    namespace.apply(job("true"))
    ended = namespace.wait("job", "job", has_condition("Complete"))
    assert ended["status"]["succeeded"] == 1


def test_a_job_fails_after_its_one_try(namespace: Namespace) -> None:
    namespace.apply(job("exit 1"))
    ended = namespace.wait("job", "job", has_condition("Failed"))
    assert (ended["status"]["failed"], len(namespace.list("pod"))) == (1, 1)


def test_a_job_past_its_deadline_loses_its_pod(namespace: Namespace) -> None:
    namespace.apply(job(STOPS_AT_ONCE, activeDeadlineSeconds=1))
    ended = namespace.wait("job", "job", has_condition("Failed"))
    (condition,) = [c for c in ended["status"]["conditions"] if c["type"] == "Failed"]
    assert condition["reason"] == "DeadlineExceeded"


def test_deleting_a_job_takes_its_pod_with_it(namespace: Namespace) -> None:
    namespace.apply(job(STOPS_AT_ONCE))
    namespace.wait("job", "job", lambda j: j.get("status", {}).get("ready"))
    (name,) = [p["metadata"]["name"] for p in namespace.list("pod")]
    namespace.delete("job", "job")
    namespace.wait_until_gone("job", "job")
    namespace.wait_until_gone("pod", name)


def test_a_held_node_leaves_pods_pending_until_it_is_released(
    cluster: Cluster, namespace: Namespace
) -> None:
    cluster.node.hold()
    try:
        namespace.apply(pod(container("true")))
        namespace.apply(pod(container("true"), name="second"))
        assert namespace.wait("pod", "second")["status"]["phase"] == "Pending"
    finally:
        cluster.node.release()
    namespace.wait("pod", "pod", lambda p: p["status"]["phase"] == "Succeeded")


def test_a_service_account_has_its_own_rights_only(cluster: Cluster, namespace: Namespace) -> None:
    kubeconfig = namespace.service_account_kubeconfig("default")
    said = cluster.kubectl("get", "secrets", kubeconfig=kubeconfig, check=False)
    assert f'User "system:serviceaccount:{namespace.name}:default" cannot list' in said


def test_a_pods_own_token_speaks_for_its_service_account(
    cluster: Cluster, namespace: Namespace
) -> None:
    document = pod(container("cat /var/run/secrets/kubernetes.io/serviceaccount/token"))
    namespace.apply(document)
    namespace.wait("pod", "pod", lambda p: p["status"]["phase"] == "Succeeded")
    token = cluster.node.logs(namespace.name, "pod", "main")
    account = Api(cluster.server, token=token, authority=cluster.control_plane.authority)
    # The Pod is over, and its token with it: the server knows what it was bound to.
    with pytest.raises(ApiError) as refused:
        account.get(namespace.path("pod"))
    assert refused.value.status == 403


def test_kubectl_shows_and_follows_logs(namespace: Namespace) -> None:
    namespace.apply(pod(container("echo one; sleep 0.2; echo two")))
    namespace.wait("pod", "pod", lambda p: p["status"]["phase"] != "Pending")
    assert namespace.kubectl("logs", "--follow", "pod/pod") == "one\ntwo\n"
    assert namespace.kubectl("logs", "--tail=1", "pod/pod") == "two\n"
    refused = namespace.kubectl("logs", "--timestamps", "pod/pod", check=False)
    assert "does not know timestamps" in refused


def test_requests_are_counted_by_who_made_them(cluster: Cluster, namespace: Namespace) -> None:
    mark = cluster.audit.mark()
    namespace.config_map("counted", {"a": "b"})
    namespace.get("configmap", "counted")
    requests = cluster.audit.requests(since=mark, user="admin", namespace=namespace.name)
    assert [(r.verb, r.resource, r.code) for r in requests] == [
        ("patch", "configmaps", 201),
        ("get", "configmaps", 200),
    ]
    writes = cluster.audit.requests(since=mark, namespace=namespace.name, writes=True)
    assert len([r for r in writes if r.user == "admin"]) == 1
