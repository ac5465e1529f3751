"""Parts of the Pod that a resource brings: the API server judges them, by the resource's names."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.waiting import eventually
from tests.operator_e2e.process import Operator
from tests.operator_e2e.shop import Shop, condition

pytestmark = [pytest.mark.cluster, pytest.mark.database]

PROXY = {"name": "proxy", "image": "proxy:1", "restartPolicy": "Always"}
FETCH = {"name": "fetch", "image": "fetch:1"}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no image": (
        {"initContainers": [FETCH, {"name": "proxy"}]},
        "spec.job.initContainers[1].image: Required value",
    ),
    "a typing error": (
        {"initContainers": [{"name": "proxy", "image": "proxy:1", "restartPolcy": "Always"}]},
        'unknown field "spec.job.initContainers[0].restartPolcy"',
    ),
    "a wrong type": (
        {"initContainers": [{**PROXY, "ports": "5432"}]},
        "spec.job.initContainers.ports",
    ),
    "a probe of a container that ends": (
        {"initContainers": [{**FETCH, "startupProbe": {"tcpSocket": {"port": 5432}}}]},
        "spec.job.initContainers[0].startupProbe: Forbidden",
    ),
    "a mount without its volume": (
        {"volumeMounts": [{"name": "config", "mountPath": "/config"}]},
        'spec.job.volumeMounts[0].name: Not found: "config"',
    ),
    "a mount in the place of another one": (
        {
            "volumes": [{"name": "config", "emptyDir": {}}],
            "volumeMounts": [{"name": "config", "mountPath": "/config"}] * 2,
        },
        'spec.job.volumeMounts[1].mountPath: Invalid value: "/config": must be unique',
    ),
    "a volume of two kinds": (
        {"volumes": [{"name": "v", "emptyDir": {}, "configMap": {"name": "a"}}]},
        "spec.job.volumes[0].configMap: Forbidden: may not specify more than 1 volume type",
    ),
    "an alias without an address": (
        {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}, {"ip": "ten"}]},
        "spec.job.hostAliases[1].ip: Invalid value",
    ),
    "four resolvers": (
        {"dnsConfig": {"nameservers": [f"10.0.0.{n}" for n in range(4)]}},
        "spec.job.dnsConfig.nameservers: Invalid value",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_api_server_refuses_is_told_by_the_resources_own_field(
    shop: Shop, operator: Operator, what: str
) -> None:
    job, said = REFUSED[what]
    shop.prepare()
    shop.order(job=job)
    refused = shop.wait_for_reason("JobRejected")
    assert said in condition(refused, "Ready")["message"]
    assert condition(refused, "Stalled")["status"] == "True"
    assert shop.jobs() == []
    # A corrected resource is taken up at once.
    shop.order()
    shop.wait_ready()
    assert operator.is_running


def test_a_runtime_class_that_is_not_there_is_told(shop: Shop, operator: Operator) -> None:
    shop.prepare()
    shop.order(job={"runtimeClassName": "nowhere"})
    told = shop.wait_for_reason("PodNotStarting")
    assert 'RuntimeClass "nowhere" not found' in condition(told, "Ready")["message"]
    assert operator.is_running


def test_a_job_of_a_resource_without_such_parts_may_have_what_it_always_could(
    shop: Shop, operator: Operator
) -> None:
    """Unknown fields of the older options are dropped by the API server, as they always were."""
    shop.prepare()
    shop.order(job={"affinity": {"nodeAffinty": {}}, "resources": {"limts": {}}})
    shop.wait_ready()
    eventually(lambda: shop.applied() == [1, 2], what="both steps")
    assert operator.is_running
