"""Where the control plane's programs and the clients come from."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from unittest.mock import Mock

import pytest

from tests.cluster import Cluster, ClusterUnavailable, plugin
from tests.cluster.build import find_programs
from tests.cluster.clients import find_helm, find_kubectl
from tests.cluster.cluster import KUBECONFIG_VARIABLE


def test_assets_of_the_environment_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("etcd", "kube-apiserver", "kube-controller-manager"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    assert find_programs().apiserver == (str(tmp_path / "kube-apiserver"),)


def test_assets_without_a_part_are_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("etcd", "kube-apiserver"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(ClusterUnavailable, match="no executable kube-controller-manager"):
        find_programs()


@pytest.mark.cluster
def test_an_existing_cluster_is_taken_by_its_kubeconfig(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBMIGRATE_TEST_KUBECONFIG", str(cluster.kubeconfig))
    with Cluster.start() as existing:
        assert not existing.is_own
        namespace = existing.namespace()
        namespace.config_map("seen", {"by": "both"})
        assert cluster.api.get(namespace.path("configmap", "seen"))["data"] == {"by": "both"}
        assert "seen" in namespace.kubectl("get", "configmaps")
        with pytest.raises(ClusterUnavailable, match="its own nodes run the Pods"):
            _ = existing.node
        namespace.remove()


@pytest.mark.cluster
def test_a_server_that_comes_back_has_kept_everything(cluster: Cluster) -> None:
    namespace = cluster.namespace()
    namespace.config_map("kept", {"a": "b"})
    cluster.control_plane.stop_apiserver()
    cluster.control_plane.start_apiserver()
    assert namespace.get("configmap", "kept")["data"] == {"a": "b"}
    namespace.remove()


@pytest.mark.parametrize("find", [find_kubectl, find_helm])
def test_the_clients_come_out_of_their_wheel(
    find: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    program = find()  # type: ignore[operator]
    assert os.access(program, os.X_OK)
    arguments = ["version", "--client"] if program.endswith("kubectl") else ["version"]
    run = subprocess.run([program, *arguments], capture_output=True, text=True, check=True)
    assert "v1.37" in run.stdout or "v4." in run.stdout


@pytest.mark.parametrize(("fixtures", "is_made"), [(["cluster"], True), (["tmp_path"], False)])
def test_the_programs_are_made_before_the_first_test_and_its_time_limit(
    fixtures: list[str],
    is_made: bool,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    made = []
    monkeypatch.delenv(KUBECONFIG_VARIABLE, raising=False)
    monkeypatch.setattr(plugin, "find_programs", lambda: made.append("control plane"))
    item, session = Mock(fixturenames=fixtures), Mock(config=request.config)
    session.items = [item]
    plugin.pytest_collection_finish(session)
    assert bool(made) is is_made
