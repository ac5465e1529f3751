"""Claims on local volumes: directories of this machine, as a node's own disk."""

from __future__ import annotations

from pathlib import Path

from tests.cluster import Namespace


def claim_directory(namespace: Namespace, name: str, place: Path, *, kind: str = "local") -> None:
    """A claim bound to a volume in a directory of this machine.

    A kubelet gives a volume of kind `local` to the Pod's fsGroup, and leaves `hostPath` alone.
    """
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
                    kind: {"path": str(place)},
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
