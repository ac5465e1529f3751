"""PostgreSQL as a Pod with a Service, and databases in it."""

from __future__ import annotations

import secrets

import psycopg

from tests.cluster import Namespace
from tests.cluster.api import Document
from tests.cluster.waiting import eventually
from tests.database import Database
from tests.node_e2e.images import POSTGRES, POSTGRES_USER

NAME = "postgres"
CONTAINER_SECURITY = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


class PodDatabase(Database):
    """One database of the Pod's server."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.url = url


class PodServer:
    """A PostgreSQL server in a Pod. Its superuser needs no password."""

    def __init__(self, namespace: Namespace, *, tls_secret: str | None = None) -> None:
        self.namespace = namespace
        namespace.apply([_pod(tls_secret), _service()])
        service = namespace.wait("service", NAME, lambda s: s["spec"].get("clusterIP"))
        self.address: str = service["spec"]["clusterIP"]
        self.host = f"{NAME}.{namespace.name}.svc.cluster.local"
        """The name by which Pods reach it."""
        eventually(self._answers, what="PostgreSQL in its Pod")

    def url(self, database: str, *, user: str = "postgres", host: str | None = None) -> str:
        """In golang-migrate's form, by address unless a host is named."""
        return f"postgres://{user}@{host or self.address}:5432/{database}?sslmode=disable"

    def create_database(self) -> Database:
        """A new database with a name of its own."""
        name = f"test_{secrets.token_hex(6)}"
        self.execute(f"CREATE DATABASE {name}")
        return PodDatabase(name, self.url(name))

    def execute(self, statement: str) -> None:
        """Run a statement as the superuser."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _pod(tls_secret: str | None) -> Document:
    volumes: list[Document] = [{"name": "data", "emptyDir": {}}]
    mounts: list[Document] = [{"name": "data", "mountPath": "/data"}]
    if tls_secret is not None:
        volumes.append({"name": "tls", "secret": {"secretName": tls_secret}})
        mounts.append({"name": "tls", "mountPath": "/tls"})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": NAME, "labels": {"app": NAME}},
        "spec": {
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": POSTGRES_USER,
                "fsGroup": POSTGRES_USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": NAME,
                    "image": POSTGRES,
                    "imagePullPolicy": "Never",
                    "volumeMounts": mounts,
                    "securityContext": CONTAINER_SECURITY,
                }
            ],
            "volumes": volumes,
        },
    }


def _service() -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME},
        # A node that is lost takes nothing from a test's own connections.
        "spec": {
            "selector": {"app": NAME},
            "ports": [{"port": 5432}],
            "publishNotReadyAddresses": True,
        },
    }
