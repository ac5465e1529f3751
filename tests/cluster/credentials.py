"""What the control plane's parts and users identify themselves with.

Three users are known by fixed tokens: the administrator, the controller manager
and the node. Everybody else is a ServiceAccount with the server's own tokens.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from pathlib import Path

import yaml

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
NODE_NAME = "test-node"


@dataclass(frozen=True, slots=True)
class Tokens:
    """The fixed users' bearer tokens."""

    admin: str
    manager: str
    node: str


def write_tokens(path: Path, *, node_group: str = "system:masters") -> Tokens:
    """New tokens, in the form of kube-apiserver's --token-auth-file."""
    tokens = Tokens(*(secrets.token_hex(16) for _ in range(3)))
    users = [
        (tokens.admin, "admin", "system:masters"),
        (tokens.manager, "system:kube-controller-manager", "system:masters"),
        (tokens.node, f"system:node:{NODE_NAME}", node_group),
    ]
    lines = [f'{token},{user},{user},"{group}"' for token, user, group in users]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)
    return tokens


def write_signing_key(path: Path) -> None:
    """A new ECDSA P-256 key, with which the server signs ServiceAccount tokens.

    An EC key is a random number below the order of the curve in a fixed DER frame
    (RFC 5915); the reader derives the public half.
    """
    number = 1 + secrets.randbelow(P256_ORDER - 1)
    frame = bytes.fromhex("303102010104 20")
    curve = bytes.fromhex("a00a06082a8648ce3d030107")
    der = frame + number.to_bytes(32, "big") + curve
    text = base64.encodebytes(der).decode()
    path.write_text(f"-----BEGIN EC PRIVATE KEY-----\n{text}-----END EC PRIVATE KEY-----\n")
    path.chmod(0o600)


def write_kubeconfig(
    path: Path, *, server: str, authority: str, token: str, namespace: str = "default"
) -> Path:
    """A kubeconfig file for one user; `authority` is the path of the server's certificate."""
    data = base64.b64encode(Path(authority).read_bytes()).decode()
    cluster = {"server": server, "certificate-authority-data": data}
    context = {"cluster": "tests", "user": "user", "namespace": namespace}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "tests",
        "clusters": [{"name": "tests", "cluster": cluster}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "tests", "context": context}],
    }
    path.write_text(yaml.safe_dump(document))
    path.chmod(0o600)
    return path
