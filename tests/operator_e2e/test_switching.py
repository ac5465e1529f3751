"""The manifests of the switching guides, applied as they stand in the page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import Cluster
from tests.docs.guide import read_blocks
from tests.operator_e2e.process import ROOT, Operator
from tests.operator_e2e.shop import FILES, Shop

pytestmark = [pytest.mark.cluster, pytest.mark.database]

IMAGE = "ghcr.io/dbmigrate/dbmigrate:0.1.0"
FROM_GOLANG_MIGRATE = "switching-from-golang-migrate.md"
FROM_AN_ORM = "switching-from-auto-migrate.md"


@pytest.fixture
def team(shop: Shop, installed: Cluster) -> Shop:
    """What the pages take for granted: Secret, ConfigMap, and the image with its entry point."""
    program = str(Path(sys.executable).with_name("dbmigrate"))
    commands = {"dbmigrate": [program], "migrate": [program]}
    installed.node.images.register(IMAGE, commands=commands, entrypoint=["dbmigrate"])
    installed.node.images.register("app:1", commands={"app": ["/bin/true"]})
    shop.namespace.secret("users-database", url=shop.database.url)
    shop.write_files(FILES, name="users-migrations")
    return shop


def manifest(page: str, kind: str) -> dict[str, Any]:
    """The page's block of that kind; `initContainers` for a piece of a Pod."""
    for block in read_blocks((ROOT / "docs" / page).read_text()):
        body = yaml.safe_load(block.body) if block.kind == "yaml" else {}
        if body.get("kind") == kind or kind in body:
            found: dict[str, Any] = body
            return found
    raise AssertionError(f"{page} has no {kind}")


def restricted(spec: dict[str, Any]) -> dict[str, Any]:
    """The Pod's spec as the tests' namespaces demand it; the pages leave that to their readers."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    for container in (*spec.get("initContainers", []), *spec["containers"]):
        container["securityContext"] = security
    pod_security = {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return {**spec, "securityContext": pod_security}


def run_job(team: Shop, job: dict[str, Any]) -> None:
    job["spec"]["template"]["spec"] = restricted(job["spec"]["template"]["spec"])
    team.namespace.apply(job)
    name = job["metadata"]["name"]
    team.namespace.wait("job", name, lambda j: j.get("status", {}).get("succeeded") == 1)


def test_the_init_container_of_migrate_migrate(team: Shop) -> None:
    spec = {
        **manifest(FROM_GOLANG_MIGRATE, "initContainers"),
        "restartPolicy": "Never",
        "containers": [{"name": "app", "image": "app:1", "command": ["app"]}],
    }
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "app"}}
    team.namespace.apply({**body, "spec": restricted(spec)})
    team.namespace.wait("pod", "app", lambda p: p.get("status", {}).get("phase") == "Succeeded")
    assert team.applied() == [1, 2]


def test_the_hook_job_and_then_the_operator(team: Shop, operator: Operator) -> None:
    run_job(team, manifest(FROM_GOLANG_MIGRATE, "Job"))
    assert team.applied() == [1, 2]
    team.namespace.apply(manifest(FROM_GOLANG_MIGRATE, "DatabaseMigration"))
    ready = team.wait_ready(name="users")
    assert (ready["status"]["version"], ready["status"]["lastRun"]["outcome"]) == ("2", "UpToDate")
    assert team.applied() == [1, 2]
    assert operator.is_running


def test_the_baseline_of_an_orms_database_and_then_the_operator(
    team: Shop, operator: Operator
) -> None:
    team.database.execute("CREATE TABLE items (id int PRIMARY KEY)")
    run_job(team, manifest(FROM_AN_ORM, "Job"))
    team.namespace.apply(manifest("first-migration.md", "DatabaseMigration"))
    assert team.wait_ready(name="users")["status"]["version"] == "2"
    assert team.applied() == [2]
    assert operator.is_running
