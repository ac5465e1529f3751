"""What a container finds at its mount paths."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster import Cluster, Namespace
from tests.test_cluster.pods import container, has_ended, is_waiting, output, pod

pytestmark = pytest.mark.cluster


def mount(name: str, path: str, **fields: object) -> dict[str, object]:
    """A volumeMount."""
    return {"name": name, "mountPath": path, **fields}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An application's image: a directory that stands for its root."""
    files = tmp_path / "image" / "srv" / "app" / "sql"
    files.mkdir(parents=True)
    (files / "1_a.up.sql").write_text("select 1;\n")
    return tmp_path / "image"


def test_a_configmap_is_laid_out_with_links_as_the_kubelet_does(namespace: Namespace) -> None:
    namespace.config_map("files", {"a.sql": "select 1;", "b.sql": "select 2;"})
    volume = {"name": "files", "configMap": {"name": "files"}}
    script = (
        "ls -A /migrations; readlink /migrations/a.sql; cat /migrations/b.sql; touch /migrations/c"
    )
    running = container(script, volumeMounts=[mount("files", "/migrations", readOnly=True)])
    lines = output(namespace, pod(running, volumes=[volume])).splitlines()
    assert {"..data", "a.sql", "b.sql"} <= set(lines)
    assert "..data/a.sql" in lines
    assert any("select 2;" in line and "Read-only file system" in line for line in lines)


def test_secrets_items_modes_and_projection_hold(namespace: Namespace) -> None:
    namespace.secret("key", tls="private", other="hidden")
    namespace.config_map("ca", {"ca.crt": "public"})
    item = {"key": "tls", "path": "deep/tls.key", "mode": 0o400}
    where = {"path": "ns", "fieldRef": {"fieldPath": "metadata.namespace"}}
    sources = [
        {"secret": {"name": "key", "items": [item]}},
        {"configMap": {"name": "ca"}},
        {"downwardAPI": {"items": [where]}},
    ]
    volumes = [{"name": "all", "projected": {"sources": sources}}]
    script = "cd /etc/app/tls; ls deep; stat -L -c %a deep/tls.key; cat ca.crt ns"
    running = container(script, volumeMounts=[mount("all", "/etc/app/tls")])
    said = output(namespace, pod(running, volumes=volumes))
    assert said == f"tls.key\n400\npublic{namespace.name}"


def test_annotations_become_files(namespace: Namespace) -> None:
    path = "metadata.annotations['example.dev/file-0']"
    item = {"path": "000001_a.up.sql", "fieldRef": {"fieldPath": path}}
    running = container("cat /sql/000001_a.up.sql", volumeMounts=[mount("sql", "/sql")])
    document = pod(
        running,
        volumes=[{"name": "sql", "downwardAPI": {"items": [item]}}],
        annotations={"example.dev/file-0": "create table t ();\n-- ünïcode"},
    )
    assert output(namespace, document) == "create table t ();\n-- ünïcode"


def test_an_init_container_of_another_image_fills_an_emptydir(
    cluster: Cluster, namespace: Namespace, tree: Path
) -> None:
    cluster.node.images.register("app:1", tree=tree)
    copy = container("", name="copy", image="app:1", volumeMounts=[mount("sql", "/migrations")])
    copy["command"] = ["cp", "-R", "/srv/app/sql/.", "/migrations"]
    script = "cat /migrations/1_a.up.sql; ls /srv/app 2>/dev/null || echo not here"
    main = container(script, volumeMounts=[mount("sql", "/migrations", readOnly=True)])
    document = pod(main, initContainers=[copy], volumes=[{"name": "sql", "emptyDir": {}}])
    assert output(namespace, document) == "select 1;\nnot here\n"


def test_an_image_can_be_a_volume(cluster: Cluster, namespace: Namespace, tree: Path) -> None:
    cluster.node.images.register("app:2", tree=tree)
    volume = {"name": "app", "image": {"reference": "app:2"}}
    parts = [mount("app", "/whole"), mount("app", "/part", subPath="srv/app")]
    script = "cat /whole/srv/app/sql/*; ls /part; touch /whole/x"
    said = output(namespace, pod(container(script, volumeMounts=parts), volumes=[volume]))
    assert said.startswith("select 1;\nsql\n")
    assert "Read-only file system" in said


def test_a_claim_is_one_directory_for_all_pods(cluster: Cluster, namespace: Namespace) -> None:
    requests = {"requests": {"storage": "1Mi"}}
    spec = {"accessModes": ["ReadWriteOnce"], "resources": requests}
    metadata = {"name": "data"}
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": spec,
    }
    namespace.apply(claim)
    (cluster.node.claim_directory(namespace.name, "data") / "in").write_text("before")
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    mounts = [mount("data", "/data")]
    writes = pod(container("cp /data/in /data/out", volumeMounts=mounts), name="w", volumes=volumes)
    output(namespace, writes)
    reads = pod(container("cat /data/out", volumeMounts=mounts), name="r", volumes=volumes)
    assert output(namespace, reads) == "before"


def test_a_missing_configmap_is_an_event_and_heals_when_it_appears(namespace: Namespace) -> None:
    volume = {"name": "files", "configMap": {"name": "late"}}
    running = container("cat /files/a", volumeMounts=[mount("files", "/files")])
    namespace.apply(pod(running, volumes=[volume]))
    message = 'MountVolume.SetUp failed for volume "files" : configmap "late" not found'
    namespace.wait(
        "pod",
        "pod",
        lambda p: any(
            (e["reason"], e["message"]) == ("FailedMount", message)
            for e in namespace.events("pod", p["metadata"]["name"])
        ),
    )
    namespace.wait("pod", "pod", lambda p: is_waiting(p, "ContainerCreating"))

    namespace.config_map("late", {"a": "now"})
    namespace.wait("pod", "pod", has_ended)
    assert namespace.cluster.node.logs(namespace.name, "pod", "main") == "now"
