"""Where the control plane's programs and the clients come from."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.builds import make_row
from tests.cluster import Cluster, ClusterUnavailable
from tests.cluster.build import find_programs
from tests.cluster.clients import find_helm, find_kubectl
from tests.toolchain import made_once


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


def test_the_time_limit_of_a_test_stands_still_while_something_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    left, _ = signal.getitimer(signal.ITIMER_REAL)
    seen = []

    def make(directory: Path) -> None:
        seen.append(signal.getitimer(signal.ITIMER_REAL))
        (directory / "made").touch()

    for _ in range(2):
        assert (made_once("thing", make) / "made").exists()
    assert seen == [(0.0, 0.0)]
    assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= left


def test_what_cannot_be_built_is_said_and_stops_nothing_else() -> None:
    made = []

    def fail() -> None:
        raise ClusterUnavailable("no Go here")

    row = (("the control plane", fail), ("helm", lambda: made.append("helm")))
    assert make_row(row) == ["the control plane: no Go here"]
    assert made == ["helm"]
