"""An existing cluster, by a kubeconfig file that the environment names."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.cluster.api import Api, Document
from tests.cluster.unavailable import ClusterUnavailable


@dataclass(frozen=True, slots=True)
class Existing:
    """How an API server is reached as its administrator."""

    api: Api
    kubeconfig: Path
    authority: str
    """The path of the certificate that vouches for the server."""


def read_kubeconfig(path: Path, scratch: Path) -> Existing:
    """The current context: a token or a client certificate, as kind, k3d and minikube write."""
    if not path.is_file():
        raise ClusterUnavailable(f"there is no kubeconfig file {path}")
    document = yaml.safe_load(path.read_text())
    context = _named(document, "contexts", document.get("current-context"))["context"]
    cluster = _named(document, "clusters", context["cluster"])["cluster"]
    user = _named(document, "users", context["user"])["user"]
    authority = _file(cluster, "certificate-authority", scratch)
    certificate = _file(user, "client-certificate", scratch)
    key = _file(user, "client-key", scratch)
    token = user.get("token")
    if authority is None or (token is None and (certificate is None or key is None)):
        problem = f"{path}: the tests need a certificate authority, and a token or a certificate"
        raise ClusterUnavailable(problem)
    api = Api(
        cluster["server"],
        token=token,
        authority=authority,
        certificate=(certificate, key) if certificate and key else None,
    )
    return Existing(api, path, authority)


def _named(document: Document, kind: str, name: str | None) -> Document:
    for entry in document.get(kind, []):
        if entry["name"] == name:
            found: Document = entry
            return found
    raise ClusterUnavailable(f"the kubeconfig has no {name} among its {kind}")


def _file(entry: Document, name: str, scratch: Path) -> str | None:
    """The path of a certificate or key that is named, or included as data."""
    if data := entry.get(f"{name}-data"):
        target = scratch / name
        target.write_bytes(base64.b64decode(data))
        target.chmod(0o600)
        return str(target)
    named: str | None = entry.get(name)
    return named
