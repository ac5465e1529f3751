"""etcd, kube-apiserver and kube-controller-manager: the real programs, on free loopback ports.

RBAC is on and ServiceAccount tokens are real, so an operator under test runs with
its own rights and no more. Each part can be stopped and started by itself, which
is how tests make faults. What the server is asked goes to its audit log.
"""

from __future__ import annotations

import os
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

from tests.cluster.api import Api, ApiError
from tests.cluster.audit import MARKS, POLICY, AuditLog, wait_for_line
from tests.cluster.build import Programs
from tests.cluster.credentials import Tokens, write_kubeconfig, write_signing_key, write_tokens
from tests.cluster.daemon import Daemon
from tests.ports import free_port

CONTROLLERS = (
    "clusterrole-aggregation",
    "deployment",
    "disruption",
    "garbagecollector",
    "job",
    "namespace",
    "replicaset",
    "root-ca-cert-publisher",
    "serviceaccount",
    "serviceaccount-token",
    "ttl-after-finished",
)


@dataclass(frozen=True, slots=True)
class Setup:
    """How the control plane is reached, and what it is started with beyond the usual."""

    address: str = "127.0.0.1"
    server_flags: Mapping[str, object] = field(default_factory=dict)
    manager_flags: Mapping[str, object] = field(default_factory=dict)
    controllers: tuple[str, ...] = CONTROLLERS
    node_group: str = "system:masters"
    """The group of the node's user: `system:nodes` for a kubelet with a kubelet's own rights."""


@dataclass(frozen=True, slots=True)
class Ports:
    """One for each listener."""

    etcd: int
    peers: int
    server: int
    manager: int


class ControlPlane:
    """The three programs, with their files in one directory."""

    def __init__(self, programs: Programs, directory: Path, setup: Setup | None = None) -> None:
        self.directory = directory
        self._setup = setup or Setup()
        self._programs = programs
        self._ports = Ports(*(free_port() for _ in range(4)))
        self.server = f"https://{self._setup.address}:{self._ports.server}"
        self.authority = str(directory / "certificates" / "apiserver.crt")
        self._signing_key = directory / "signing.key"
        write_signing_key(self._signing_key)
        self.tokens: Tokens = write_tokens(
            directory / "tokens.csv", node_group=self._setup.node_group
        )
        self.etcd = self._etcd()
        self.apiserver = self._apiserver()
        self.controller_manager = self._controller_manager()
        self.audit = AuditLog(directory / "audit.log", self._settle_audit)

    @property
    def certificate(self) -> tuple[Path, Path]:
        """The server's certificate and key, which it makes at its first start."""
        return Path(self.authority), Path(self.authority).with_suffix(".key")

    @property
    def server_port(self) -> int:
        """Where the API server listens."""
        return self._ports.server

    def start(self) -> None:
        """Start all three; returns when the server serves."""
        self.etcd.start()
        self.etcd.wait_until_ready()
        self.apiserver.start()
        self.apiserver.wait_until_ready()
        self.start_controller_manager()

    def start_controller_manager(self) -> None:
        """It reads its kubeconfig at its start, so the server's certificate must be there."""
        write_kubeconfig(
            self.directory / "manager.kubeconfig",
            server=self.server,
            authority=self.authority,
            token=self.tokens.manager,
        )
        self.controller_manager.start()
        self.controller_manager.wait_until_ready()

    def stop_apiserver(self) -> None:
        """Let the server be away until `start_apiserver`: it dies, as its machine would.

        A friendly end would wait 10 seconds for the clients' watches.
        """
        self.apiserver.kill()

    def start_apiserver(self) -> None:
        """Bring it back on the same port; returns when it serves."""
        self.apiserver.start()
        self.apiserver.wait_until_ready()

    def stop(self) -> None:
        """Stop all three. The data stays in the directory."""
        self.controller_manager.kill()
        self.apiserver.kill()
        self.etcd.kill()

    def api(self, token: str) -> Api:
        """A client with that token."""
        return Api(self.server, token=token, authority=self.authority)

    def _settle_audit(self) -> None:
        """Make a request that can be told from all others, and wait for it in the log."""
        mark = secrets.token_hex(8)
        try:
            self.api(self.tokens.admin).get(f"{MARKS}{mark}")
        except ApiError:
            pass
        wait_for_line(self.directory / "audit.log", mark)

    def _etcd(self) -> Daemon:
        clients = f"http://127.0.0.1:{self._ports.etcd}"
        peers = f"http://127.0.0.1:{self._ports.peers}"
        flags = {
            "data-dir": self.directory / "etcd",
            "listen-client-urls": clients,
            "advertise-client-urls": clients,
            "listen-peer-urls": peers,
            "log-level": "error",
            "unsafe-no-fsync": "true",
        }
        return self._daemon(self._programs.etcd, flags, f"{clients}/health")

    def _apiserver(self) -> Daemon:
        policy = self.directory / "audit-policy.yaml"
        policy.write_text(POLICY)
        flags = {
            "etcd-servers": f"http://127.0.0.1:{self._ports.etcd}",
            "secure-port": self._ports.server,
            "bind-address": self._setup.address,
            "advertise-address": self._setup.address,
            "cert-dir": self.directory / "certificates",
            "token-auth-file": self.directory / "tokens.csv",
            "authorization-mode": "RBAC",
            "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
            "service-account-key-file": self._signing_key,
            "service-account-signing-key-file": self._signing_key,
            "service-cluster-ip-range": "10.0.0.0/24",
            "audit-policy-file": policy,
            "audit-log-path": self.directory / "audit.log",
            "shutdown-delay-duration": "0s",
            **self._setup.server_flags,
        }
        return self._daemon(self._programs.apiserver, flags, None)

    def _controller_manager(self) -> Daemon:
        flags = {
            "kubeconfig": self.directory / "manager.kubeconfig",
            "controllers": ",".join(self._setup.controllers),
            "service-account-private-key-file": self._signing_key,
            "root-ca-file": self.authority,
            "bind-address": "127.0.0.1",
            "secure-port": self._ports.manager,
            "cert-dir": self.directory / "manager-certificates",
            "leader-elect": "false",
            # The default, 20 requests a second, is for a busy machine: it would be what a
            # burst of Jobs measures.
            "kube-api-qps": 500,
            "kube-api-burst": 1000,
            **self._setup.manager_flags,
        }
        health = f"https://127.0.0.1:{self._ports.manager}/healthz"
        return self._daemon(self._programs.controller_manager, flags, health)

    def _daemon(
        self, program: tuple[str, ...], flags: dict[str, object], health: str | None
    ) -> Daemon:
        name = program[-1].rpartition("/")[2]

        def is_ready() -> bool:
            if health is None:
                certified = Path(self.authority).exists()
                return certified and self.api(self.tokens.admin).is_ready()
            return _answers(health)

        return Daemon(
            name,
            [*program, *(f"--{flag}={value}" for flag, value in flags.items())],
            log=self.directory / f"{name}.log",
            is_ready=is_ready,
            environment={"PATH": os.environ.get("PATH", ""), "HOME": str(self.directory)},
        )


def _answers(url: str) -> bool:
    """Whether a health endpoint on the loopback says yes; its certificate is of no interest."""
    address = urlsplit(url)
    host, port = str(address.hostname), address.port
    connection: HTTPConnection
    if address.scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = HTTPSConnection(host, port, timeout=2, context=context)
    else:
        connection = HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", address.path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
