"""Small Pods for the harness's own tests, as Pod Security `restricted` wants them."""

from __future__ import annotations

from typing import Any

from tests.cluster import Namespace

Document = dict[str, Any]
IMAGE = "tests:shell"
"""Registered by the fixtures: an image with this machine's programs."""
HARDENED: Document = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def container(script: str, *, name: str = "main", **fields: object) -> Document:
    """A container that runs a shell script."""
    return {
        "name": name,
        "image": IMAGE,
        "command": ["sh", "-c", script],
        "securityContext": HARDENED,
        **fields,
    }


def pod(*containers: Document, name: str = "pod", **fields: object) -> Document:
    """A Pod of those containers that is not started again."""
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"restartPolicy": "Never", "securityContext": security, "containers": list(containers)}
    metadata: Document = {"name": name}
    if "annotations" in fields:
        metadata["annotations"] = fields.pop("annotations")
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**spec, **fields}}


def has_ended(document: Document) -> bool:
    """Whether the Pod has."""
    return document["status"].get("phase") in {"Succeeded", "Failed"}


def run(namespace: Namespace, document: Document) -> Document:
    """Apply the Pod, and give it back when it has ended."""
    namespace.apply(document)
    return namespace.wait("pod", document["metadata"]["name"], has_ended)


def output(namespace: Namespace, document: Document, name: str = "main") -> str:
    """Run the Pod; what its container has written."""
    ended = run(namespace, document)
    pod_name = ended["metadata"]["name"]
    return namespace.cluster.node.logs(namespace.name, pod_name, name)


def state(document: Document, kind: str = "containerStatuses") -> Document:
    """The state of its first container."""
    found: Document = document["status"][kind][0]["state"]
    return found


def is_running(document: Document) -> bool:
    """Whether its first container is; the Pod's status tells it after its log does."""
    statuses = document["status"].get("containerStatuses", [])
    return any("running" in s["state"] for s in statuses[:1])


def is_waiting(document: Document, reason: str) -> bool:
    """Whether its first container waits for that reason."""
    statuses = document["status"].get("containerStatuses", [])
    return any(s["state"].get("waiting", {}).get("reason") == reason for s in statuses)
