"""What else is in a run's Pod, or happens to it, on a real node."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.charts.helm import ROOT, install, run_helm
from tests.cluster import Namespace
from tests.cluster.injection import make_policy
from tests.cluster.waiting import eventually
from tests.node_e2e.claims import claim_directory
from tests.node_e2e.images import OWN, POSTGRES
from tests.node_e2e.postgres import CONTAINER_SECURITY
from tests.operator_e2e.shop import Shop, condition

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

RUNNER_USER = 65532
MOUNTED = "/backups"
SLEEP = ["/bin/sh", "-c", "trap 'exit 143' TERM; while :; do sleep 1; done"]
DEAF = ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"]


def sidecar(name: str, command: list[str], **more: Any) -> dict[str, Any]:
    """A container that a mesh would inject."""
    image = {"image": POSTGRES, "imagePullPolicy": "Never", "command": command}
    return {"name": name, **image, **more}


INJECTED = {
    "native": ("initContainers", sidecar("proxy", SLEEP, restartPolicy="Always")),
    "native and deaf": ("initContainers", sidecar("proxy", DEAF, restartPolicy="Always")),
    "plain behind": ("containers", sidecar("proxy", SLEEP)),
    "plain before": ("containers", sidecar("a-proxy", SLEEP)),
    "plain that ends at once": ("containers", sidecar("proxy", ["/bin/true"])),
    "plain that fails at once": ("containers", sidecar("proxy", ["/bin/false"])),
}


@pytest.fixture
def inject(namespace: Namespace, request: pytest.FixtureRequest) -> Iterator[None]:
    """Kubernetes' own engine puts the container into every Pod of the namespace."""
    kind, container = INJECTED[request.param]
    api, made = namespace.cluster.api, make_policy(namespace.name, kind, container)
    for path, body in made:
        api.post(path, body)
    yield
    for path, _ in made:
        api.delete(f"{path}/{namespace.name}")


def is_injected(namespace: Namespace) -> bool:
    """Whether a new Pod would get it: the API server acts upon a policy a moment later."""
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe"},
        "spec": {
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {**sidecar("probe", ["/bin/true"]), "securityContext": CONTAINER_SECURITY}
            ],
        },
    }
    made = namespace.cluster.api.post(namespace.path("pod"), body, dryRun="All")
    spec = made["spec"]
    return len(spec["containers"]) + len(spec.get("initContainers", [])) > 1


@pytest.mark.parametrize("inject", list(INJECTED), indirect=True)
@pytest.mark.usefixtures("inject")
def test_the_runners_container_alone_decides(shop: Shop) -> None:
    eventually(lambda: is_injected(shop.namespace), what="the injection")
    shop.prepare()
    shop.order()
    status = shop.wait_ready(deadline=90)["status"]
    assert (status["version"], status["dirty"]) == ("2", False)
    assert shop.applied() == [1, 2]
    eventually(
        lambda: [p for p in shop.namespace.list("pod") if p["status"]["phase"] == "Running"],
        lambda running: not running,
        what="the end of the run's Pod",
    )


def test_a_run_without_enough_memory_says_so(shop: Shop) -> None:
    shop.prepare()
    shop.order(job={"resources": {"limits": {"memory": "6Mi"}}}, retry={"limit": 1})
    resource = shop.wait(lambda r: condition(r, "Stalled").get("status") == "True")
    assert "memory" in condition(resource, "Stalled")["message"]
    shop.order(job={"resources": {"limits": {"memory": "256Mi"}}})
    assert shop.wait_ready()["status"]["version"] == "2"


def test_an_application_whose_pods_wait_starts_when_it_is_migrated(shop: Shop) -> None:
    shop.namespace.secret("app-db", url=shop.database.url)
    values = {
        "image": POSTGRES,
        "command": ["/bin/sleep", "infinity"],
        "runnerImage": OWN,
        "migrations.timeout": "2m",
    }
    chart = ROOT / "examples" / "app-chart"
    run_helm("lint", "--strict", str(chart))
    namespace = shop.namespace
    install(namespace.cluster, namespace.name, "app", chart, values, deadline=240)
    assert namespace.get("deployment", "app")["status"]["readyReplicas"] == 2
    assert shop.applied() == [1, 2]
    (pod, *_) = namespace.list("pod", "app.kubernetes.io/instance=app")
    assert not [v for v in pod["spec"].get("volumes", []) if "projected" in v]
    assert [c["name"] for c in pod["status"]["initContainerStatuses"]] == ["wait-for-migration"]
    older = {**values, "migrations.version": 1, "replicas": 3}
    install(namespace.cluster, namespace.name, "app", chart, older, deadline=240)
    assert namespace.get("deployment", "app")["status"]["readyReplicas"] == 3


def test_a_backup_lands_on_a_local_volume(shop: Shop, tmp_path: Path) -> None:
    place = tmp_path / "backups"
    place.mkdir()
    claim_directory(shop.namespace, "backups", place)
    shop.prepare()
    shop.order(
        backup={"persistentVolumeClaim": {"claimName": "backups"}},
        job={"podSecurityContext": {"fsGroup": RUNNER_USER}},
    )
    assert shop.wait_ready()["status"]["version"] == "2"
    (backup,) = [path for path in place.iterdir() if path.suffix == ".dump"]
    about = backup.stat()
    assert (about.st_uid, about.st_gid) == (RUNNER_USER, RUNNER_USER)
    assert about.st_size > 0


def test_a_volume_that_the_runner_may_not_write_to_says_who_may(shop: Shop, tmp_path: Path) -> None:
    claim_directory(shop.namespace, "backups", tmp_path, kind="hostPath")
    shop.prepare()
    shop.order(backup={"persistentVolumeClaim": {"claimName": "backups"}})
    status = shop.wait_for_reason("BackupFailed")["status"]
    error = status["lastRun"]["error"]
    assert f"uid {RUNNER_USER} and gid {RUNNER_USER}" in error["message"]
    assert f"{MOUNTED} belongs to uid 0 and gid 0" in error["message"]
    assert "hostPath" in error["hint"]
    os.chown(tmp_path, RUNNER_USER, RUNNER_USER)
    shop.act("Retry")
    assert shop.wait_ready()["status"]["version"] == "2"
