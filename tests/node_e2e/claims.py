"""Claims on local volumes: directories of this machine, as a node's own disk."""

from __future__ import annotations

from pathlib import Path

from tests.cluster import Namespace


def claim_directory(namespace: Namespace, name: str, place: Path) -> None:
    """A claim bound to a local volume in a directory of this machine."""
    volume = f"{namespace.name}-{name}"
    linux = {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}
    size = {"storage": "1Gi"}
    shared = {"accessModes": ["ReadWriteOnce"], "storageClassName": volume}
    namespace.apply(
        [
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": volume},
                "spec": {
                    **shared,
                    "capacity": size,
                    "local": {"path": str(place)},
                    "nodeAffinity": {
                        "required": {"nodeSelectorTerms": [{"matchExpressions": [linux]}]}
                    },
                },
            },
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": name},
                "spec": {**shared, "volumeName": volume, "resources": {"requests": size}},
            },
        ]
    )
