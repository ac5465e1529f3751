"""Reading a Pod: small questions about its document."""

from __future__ import annotations

import re

from tests.cluster.api import Document
from tests.cluster.node.problems import Refused

SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


def key_of(pod: Document) -> tuple[str, str]:
    """Its namespace and name."""
    return pod["metadata"]["namespace"], pod["metadata"]["name"]


def uid_of(pod: Document) -> str:
    """Its uid."""
    uid: str = pod["metadata"]["uid"]
    return uid


def path_of(pod: Document) -> str:
    """Its URL path."""
    namespace, name = key_of(pod)
    return f"/api/v1/namespaces/{namespace}/pods/{name}"


def is_over(pod: Document) -> bool:
    """Whether it has reached its end."""
    return pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}


def grace_of(pod: Document) -> float:
    """Seconds from SIGTERM to SIGKILL: what its deletion asks for, else its own."""
    asked = pod["metadata"].get("deletionGracePeriodSeconds")
    own = pod["spec"].get("terminationGracePeriodSeconds", 30)
    return float(own if asked is None else asked)


def read_field(pod: Document, path: str) -> str:
    """A downward API field. Refused if this node does not know it."""
    metadata, spec = pod["metadata"], pod["spec"]
    if found := SUBSCRIPT.fullmatch(path):
        value: str = metadata.get(found[1], {}).get(found[2], "")
        return value
    if path in {"metadata.labels", "metadata.annotations"}:
        entries = metadata.get(path.partition(".")[2], {})
        return "\n".join(f"{key}={_quote(value)}" for key, value in sorted(entries.items()))
    known = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "status.hostIP": "127.0.0.1",
        "status.hostIPs": "127.0.0.1",
        "status.podIP": "127.0.0.1",
        "status.podIPs": "127.0.0.1",
    }
    if path not in known:
        raise Refused(f"fieldRef {path} is not known to this node")
    return str(known[path])


def _quote(value: str) -> str:
    """As Go's strconv.Quote does for what labels and annotations hold."""
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return '"' + "".join(escapes.get(letter, letter) for letter in value) + '"'
