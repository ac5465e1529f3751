"""PostgreSQL over TLS on a real node, with every way of trusting it and of being known to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import trustme

from tests.charts.helm import ROOT
from tests.cluster import Namespace
from tests.node_e2e.images import OWN
from tests.node_e2e.node import RealCluster
from tests.node_e2e.postgres import CONTAINER_SECURITY, PodDatabase, PodServer
from tests.operator_e2e.shop import FILES, Shop, condition

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

EXAMPLES = ROOT / "examples" / "connections"
PLACE = "tls"
HOST = f"postgres.{PLACE}.svc.cluster.local"
ROLE, PASSWORD = "team", "s3cret"
CERTIFIED = "certified"
"""The role that the server of the tests knows by its certificate alone."""
SYSTEM_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
RUNNER_GROUP = 65532


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A private authority, which no machine trusts by itself."""
    return trustme.CA()


@pytest.fixture(scope="module")
def encrypted(real: RealCluster, authority: trustme.CA) -> Iterator[PodServer]:
    """PostgreSQL in a Pod, with a certificate of that authority."""
    namespace = real.cluster.namespace(PLACE)
    namespace.secret("server", **pem_of(authority, authority.issue_cert(HOST)))
    server = PodServer(namespace, tls_secret="server")
    server.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}' SUPERUSER")
    server.execute(f"CREATE ROLE {CERTIFIED} LOGIN SUPERUSER")
    yield server
    namespace.remove()


@pytest.fixture
def shop(namespace: Namespace, encrypted: PodServer) -> Shop:
    """A team's namespace, and a database on that server."""
    return Shop(namespace, encrypted.create_database())


def pem_of(authority: trustme.CA, issued: trustme.LeafCert) -> dict[str, str]:
    """The content of a Secret of type kubernetes.io/tls, with the authority beside it."""
    return {
        "tls.crt": issued.cert_chain_pems[0].bytes().decode(),
        "tls.key": issued.private_key_pem.bytes().decode(),
        "ca.crt": authority.cert_pem.bytes().decode(),
    }


def connection_of(shop: Shop) -> dict[str, Any]:
    shop.namespace.secret("login", password=PASSWORD)
    return {
        "host": HOST,
        "dbname": shop.database.name,
        "user": ROLE,
        "passwordFrom": {"secretKeyRef": {"name": "login", "key": "password"}},
        "sslmode": "verify-full",
        "rootCertificateFrom": {"secretKeyRef": {"name": "authority", "key": "ca.crt"}},
    }


def test_verify_full_with_a_private_authority(shop: Shop, authority: trustme.CA) -> None:
    shop.write_files(FILES)
    shop.namespace.secret("authority", **{"ca.crt": trustme.CA().cert_pem.bytes().decode()})
    shop.order(database={"connection": connection_of(shop)})
    resource = shop.wait_for_reason("TlsFailed")
    assert "certificate verify failed" in condition(resource, "Ready")["message"]
    shop.namespace.secret("authority", **{"ca.crt": authority.cert_pem.bytes().decode()})
    assert shop.wait_ready(deadline=240)["status"]["version"] == "2"
    assert shop.applied() == [1, 2]


def test_the_authorities_of_the_system(shop: Shop, authority: trustme.CA) -> None:
    """Of libpq in the runner, and of the one in pg_dump."""
    url = f"postgres://{ROLE}:{PASSWORD}@{HOST}/{shop.database.name}?sslmode=verify-full"
    url += "&sslrootcert=system"
    shop.namespace.secret("authority", **{"ca.crt": authority.cert_pem.bytes().decode()})
    refused = run_pod(shop, "refused", ["-database", url, "up"])
    assert "certificate verify failed" in refused
    assert "sslrootcert=system trusts the authorities of this machine" in refused
    bundle = {"name": "tls", "mountPath": SYSTEM_BUNDLE, "subPath": "ca.crt"}
    words = ["-database", url, "-backup-to", "/tmp/backups", "up"]
    assert "2/u add_price" in run_pod(shop, "trusting", words, "authority", bundle)
    assert shop.applied() == [1, 2]


def test_a_certificate_of_the_clients_own(shop: Shop, authority: trustme.CA) -> None:
    """From a Secret that belongs to root, and that the runner reads by its group."""
    url = f"postgres://{CERTIFIED}@{HOST}/{shop.database.name}?sslmode=verify-full"
    url += "&sslrootcert=/tls/ca.crt&sslcert=/tls/tls.crt&sslkey=/tls/tls.key"
    issued = authority.issue_cert("team@example.org", common_name=CERTIFIED)
    shop.namespace.secret("client", **pem_of(authority, issued))
    mount = {"name": "tls", "mountPath": "/tls"}
    up = run_pod(shop, "up", ["-database", url, "up"], "client", mount)
    assert "2/u add_price" in up
    waited = run_pod(shop, "wait", ["-database", url, "wait"], "client", mount)
    assert "nothing to wait for: the database is at version 2" in waited


POD_USERS: dict[str, dict[str, Any]] = {
    "the image's user": {},
    "a volume's group of its own": {"fsGroup": 4711},
    # As OpenShift does it: a uid that no image knows, in the group 0.
    "a user of the cluster's choice": {
        "runAsUser": 1000690000,
        "runAsGroup": 0,
        "fsGroup": 1000690000,
    },
    "such a user without a volume's group": {"runAsUser": 1000690000, "runAsGroup": 0},
}


@pytest.mark.parametrize("user", POD_USERS)
def test_a_client_certificate_of_the_resource_whoever_the_pod_runs_as(
    shop: Shop, authority: trustme.CA, user: str
) -> None:
    """libpq accepts the key in each of them, and so does pg_dump."""
    issued = authority.issue_cert("team@example.org", common_name=CERTIFIED)
    shop.namespace.secret("client", **pem_of(authority, issued))
    shop.write_files(FILES)
    connection = {
        "host": HOST,
        "dbname": shop.database.name,
        "user": CERTIFIED,
        "sslmode": "verify-full",
        "rootCertificateFrom": {"secretKeyRef": {"name": "client", "key": "ca.crt"}},
    }
    shop.order(
        database={
            "connection": connection,
            "clientCertificateFrom": {"secretRef": {"name": "client"}},
        },
        job={"podSecurityContext": POD_USERS[user]},
    )
    assert shop.wait_ready(deadline=240)["status"]["version"] == "2"
    assert shop.applied() == [1, 2]


def test_a_certificate_of_another_role_is_refused_in_words(
    shop: Shop, authority: trustme.CA
) -> None:
    issued = authority.issue_cert("team@example.org", common_name="somebody")
    shop.namespace.secret("client", **pem_of(authority, issued))
    shop.write_files(FILES)
    connection = {
        "host": HOST,
        "dbname": shop.database.name,
        "user": CERTIFIED,
        "sslmode": "verify-full",
        "rootCertificateFrom": {"secretKeyRef": {"name": "client", "key": "ca.crt"}},
    }
    certificate = {"clientCertificateFrom": {"secretRef": {"name": "client"}}}
    shop.order(database={"connection": connection, **certificate})
    resource = shop.wait_for_reason("AuthenticationFailed")
    said = condition(resource, "Ready")["message"]
    assert f'certificate authentication failed for user "{CERTIFIED}"' in said
    issued = authority.issue_cert("team@example.org", common_name=CERTIFIED)
    shop.namespace.secret("client", **pem_of(authority, issued))
    assert shop.wait_ready(deadline=240)["status"]["version"] == "2"


@dataclass(frozen=True)
class Made:
    """What another operator makes for a cluster, by the names and keys of its own sources."""

    service: str
    database: str
    role: str
    login: tuple[str, dict[str, str]]
    """A Secret and its keys, beside the password."""
    authority: str | None = None
    """The Secret with the authority's certificate."""


MADE = {
    "cloudnativepg": Made(
        "shop-db-rw",
        "app",
        "app",
        ("shop-db-app", {"username": "app", "user": "app", "dbname": "app", "port": "5432"}),
        "shop-db-ca",
    ),
    "crunchy": Made(
        "hippo-primary",
        "hippo",
        "hippo",
        ("hippo-pguser-hippo", {"user": "hippo", "dbname": "hippo", "port": "5432"}),
        "hippo-cluster-cert",
    ),
    "zalando": Made(
        "acid-shop",
        "foo",
        "foo_user",
        ("foo-user.acid-shop.credentials.postgresql.acid.zalan.do", {"username": "foo_user"}),
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_the_example_works_with_what_another_operator_makes(
    namespace: Namespace, authority: trustme.CA, name: str
) -> None:
    """Those operators do not run here: PostgreSQL, the Service and the Secrets are as theirs."""
    made, example = MADE[name], EXAMPLES / f"{name}.yaml"
    issued = authority.issue_cert(made.service, f"{made.service}.{namespace.name}.svc")
    namespace.secret("server", **pem_of(authority, issued))
    server = PodServer(namespace, tls_secret="server")
    server.execute(f"CREATE ROLE {made.role} LOGIN PASSWORD '{PASSWORD}'")
    server.execute(f"CREATE DATABASE {made.database} OWNER {made.role}")
    shop = Shop(namespace, PodDatabase(made.database, server.url(made.database)))
    shop.database.execute(f"GRANT ALL ON applied TO {made.role}")
    namespace.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": made.service},
            "spec": {"selector": {"app": "postgres"}, "ports": [{"port": 5432}]},
        }
    )
    secret, keys = made.login
    namespace.secret(secret, **keys, password=PASSWORD)
    if made.authority is not None:
        ca = authority.cert_pem.bytes().decode()
        namespace.secret(made.authority, **{"ca.crt": ca, "ca.key": "no run may see it"})
    shop.write_files(FILES)
    namespace.apply(example)
    assert shop.wait_ready(deadline=240)["status"]["version"] == "2"
    assert shop.database.query("SELECT tableowner FROM pg_tables WHERE tablename = 'items'") == [
        (made.role,)
    ]


def run_pod(
    shop: Shop, name: str, words: list[str], secret: str = "", mount: dict[str, Any] | None = None
) -> str:
    """Run the image as an init container would, to its end; what it said."""
    shop.write_files(FILES)
    volumes: list[dict[str, Any]] = [
        {"name": "files", "configMap": {"name": "shop-migrations"}},
        {"name": "temporary", "emptyDir": {}},
    ]
    mounts = [
        {"name": "files", "mountPath": "/migrations"},
        {"name": "temporary", "mountPath": "/tmp"},
    ]
    if mount is not None:
        volumes.append({"name": "tls", "secret": {"secretName": secret, "defaultMode": 0o440}})
        mounts.append(mount)
    container = {
        "name": "dbmigrate",
        "image": OWN,
        "imagePullPolicy": "Never",
        "args": ["-path", "/migrations", *words],
        "volumeMounts": mounts,
        "securityContext": {**CONTAINER_SECURITY, "readOnlyRootFilesystem": True},
    }
    shop.namespace.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": shop.namespace.name},
            "spec": {
                "restartPolicy": "Never",
                "securityContext": {
                    "runAsNonRoot": True,
                    "fsGroup": RUNNER_GROUP,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [container],
                "volumes": volumes,
            },
        }
    )
    shop.namespace.wait("pod", name, lambda p: p["status"]["phase"] in {"Succeeded", "Failed"})
    return shop.namespace.kubectl("logs", name)
