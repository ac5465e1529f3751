"""The examples for Argo CD and Flux fit the repository, and the API server takes what is ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.helm import ROOT
from tests.cluster import Cluster, Namespace

ARGOCD = ROOT / "examples" / "argocd"
FLUX = ROOT / "examples" / "flux"


def test_argo_cds_script_is_the_tested_one() -> None:
    (config,) = read(ARGOCD / "argocd-cm.yaml")
    key = "resource.customizations.health.dbmigrate.dev_DatabaseMigration"
    assert config["data"][key] == (ROOT / "deploy" / "argocd" / "health.lua").read_text()


def test_the_chart_lies_where_both_look_for_it() -> None:
    (application,) = read(ARGOCD / "operator.yaml")
    _, release = read(FLUX / "operator.yaml")
    for path in (application["spec"]["source"]["path"], release["spec"]["chart"]["spec"]["chart"]):
        assert (ROOT / path / "Chart.yaml").is_file()


def test_flux_waits_for_the_migration_before_the_application() -> None:
    first, then = read(FLUX / "app.yaml")
    (migration,) = read(FLUX / "migration.yaml")
    (check,) = first["spec"]["healthChecks"]
    assert (check["apiVersion"], check["kind"]) == (migration["apiVersion"], migration["kind"])
    assert check["name"] == migration["metadata"]["name"]
    assert check["namespace"] == first["spec"]["targetNamespace"]
    assert then["spec"]["dependsOn"] == [{"name": first["metadata"]["name"]}]


@pytest.mark.cluster
@pytest.mark.parametrize("path", [ARGOCD / "migration.yaml", FLUX / "migration.yaml"])
def test_the_migrations_are_valid(path: Path, cluster: Cluster, namespace: Namespace) -> None:
    cluster.install_crds(ROOT / "crds")
    (applied,) = namespace.apply(path)
    assert applied["status"]["observedGeneration"] == -1


def read(path: Path) -> list[Any]:
    """The documents of a file."""
    return list(yaml.safe_load_all(path.read_text()))
