"""Containers that the cluster puts into a run's Pod, and Pods that never start.

An admission policy injects the containers into every Pod of the namespace, as a service
mesh does: the operator knows nothing of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cluster import Cluster, Namespace
from tests.cluster.injection import make_policy
from tests.cluster.waiting import eventually
from tests.operator_e2e.conftest import StartOperator
from tests.operator_e2e.process import Operator
from tests.operator_e2e.shop import FILES, THIRD, Shop, condition
from tests.test_cluster.pods import container as container_of_pod
from tests.test_cluster.pods import pod

pytestmark = [pytest.mark.cluster, pytest.mark.database]

MESH_IMAGE = "mesh:1"
Inject = Callable[..., None]


@pytest.fixture
def inject(installed: Cluster, namespace: Namespace) -> Iterator[Inject]:
    """Adds a container to every new Pod of the test's namespace."""
    installed.node.images.register(MESH_IMAGE)
    made: list[str] = []

    def add(name: str, script: str, *, kind: str = "containers", **fields: Any) -> None:
        container = {"name": name, "image": MESH_IMAGE, "command": ["sh", "-c", script], **fields}
        for path, body in make_policy(namespace.name, kind, container):
            installed.api.post(path, body)
            made.append(f"{path}/{namespace.name}")

        def is_at_work() -> bool:
            """Whether a Pod that is never scheduled gets the container."""
            probe = pod(container_of_pod("true"), name="probe", schedulingGates=[{"name": "a/b"}])
            namespace.apply(probe)
            found = namespace.get("pod", "probe")["spec"].get(kind, [])
            namespace.delete("pod", "probe")
            namespace.wait_until_gone("pod", "probe")
            return name in [each["name"] for each in found]

        eventually(is_at_work, what="the policy at work")

    yield add
    for path in made:
        installed.api.delete(path)


def test_a_plain_sidecar_that_never_ends_holds_up_nothing(
    shop: Shop, operator: Operator, inject: Inject
) -> None:
    inject("zz-proxy", "exec sleep 600")
    shop.prepare()
    shop.order()
    ready = shop.wait_ready()
    assert ready["status"]["lastRun"]["outcome"] == "Applied"
    shop.write_files({**FILES, **THIRD})
    shop.wait(lambda r: r["status"].get("version") == "3")
    assert shop.applied() == [1, 2, 3]
    assert operator.is_running


def test_an_injected_init_container_that_fails_is_named_and_tried_again(
    shop: Shop, operator: Operator, inject: Inject
) -> None:
    inject("vault-agent", "echo sealed; exit 2", kind="initContainers")
    shop.prepare()
    shop.order()
    failed = shop.wait_for_reason("Interrupted")
    assert "container vault-agent failed" in condition(failed, "Ready")["message"]
    assert condition(failed, "Stalled")["status"] == "False"
    assert operator.is_running


def test_a_corrected_image_replaces_a_pod_that_never_started(
    shop: Shop, operator: Operator
) -> None:
    shop.prepare()
    shop.order(job={"image": "tpyo:1"})
    shop.wait_for_reason("ImagePullFailed")
    shop.order()
    shop.wait_ready()
    assert shop.applied() == [1, 2]
    assert operator.is_running


def test_a_corrected_setting_of_the_operator_replaces_a_pod_that_never_started(
    shop: Shop, make_operator: StartOperator
) -> None:
    operator = make_operator().start("--runner-image", "tpyo:1")
    shop.prepare()
    shop.order()
    shop.wait_for_reason("ImagePullFailed")
    first = shop.jobs()[0]["metadata"]["uid"]
    operator.stop()
    operator.start()
    shop.wait_ready()
    assert shop.applied() == [1, 2]
    # A run that was made by these settings stays.
    shop.write_files({**FILES, **THIRD})
    shop.wait(lambda r: r["status"].get("version") == "3")
    jobs = shop.jobs()
    assert first not in {job["metadata"]["uid"] for job in jobs}
    assert len(jobs) == 2
    assert operator.is_running


def test_a_suspended_job_is_named_until_something_else_is_wanted(
    shop: Shop, operator: Operator
) -> None:
    shop.prepare()
    shop.order(job={"image": "tpyo:1"})
    shop.wait_for_reason("ImagePullFailed")
    job = shop.jobs()[0]["metadata"]["name"]
    shop.namespace.patch("job", job, {"spec": {"suspend": True}})
    assert job in condition(shop.wait_for_reason("JobSuspended"), "Ready")["message"]
    shop.namespace.patch("job", job, {"spec": {"suspend": False}})
    shop.wait_for_reason("ImagePullFailed")
    shop.namespace.patch("job", job, {"spec": {"suspend": True}})
    shop.order()
    shop.wait_ready()
    assert shop.applied() == [1, 2]
    assert operator.is_running


def test_an_order_replaces_a_pod_that_never_started(shop: Shop, operator: Operator) -> None:
    shop.prepare()
    shop.order(job={"image": "tpyo:1"})
    shop.wait_for_reason("ImagePullFailed")
    first = shop.jobs()[0]["metadata"]["name"]
    shop.act("Retry")
    shop.namespace.wait_until_gone("job", first)
    shop.wait(lambda r: r["status"]["lastRun"]["attempts"] == 2)
    assert operator.is_running


@pytest.mark.parametrize(
    ("forbidding", "word"),
    [
        (
            {
                "apiVersion": "v1",
                "kind": "ResourceQuota",
                "metadata": {"name": "small"},
                "spec": {"hard": {"limits.cpu": "1"}},
            },
            "limits.cpu",
        ),
        (None, "serviceaccount"),
    ],
)
def test_why_there_is_no_pod_is_told_and_the_corrected_spec_is_taken_up(
    shop: Shop,
    operator: Operator,
    installed: Cluster,
    forbidding: dict[str, Any] | None,
    word: str,
) -> None:
    shop.prepare()
    if forbidding is not None:
        shop.namespace.apply(forbidding)
        # No controller of quotas runs here: what it would count is written down.
        used = {"hard": forbidding["spec"]["hard"], "used": {"limits.cpu": "0"}}
        path = shop.namespace.path("resourcequota", "small")
        installed.api.patch(f"{path}/status", {"status": used})
        shop.order()
    else:
        shop.order(job={"serviceAccountName": "nobody"})
    told = shop.wait_for_reason("PodNotStarting")
    assert word in condition(told, "Ready")["message"]
    limits = {"limits": {"cpu": "500m", "memory": "256Mi"}}
    shop.order(job={"resources": limits})
    shop.wait_ready()
    assert operator.is_running
