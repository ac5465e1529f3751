"""A proxy, an agent and what else a resource brings into its Pod, on a real node."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.waiting import eventually
from tests.node_e2e.images import OWN, POSTGRES
from tests.node_e2e.node import RealCluster
from tests.node_e2e.postgres import CONTAINER_SECURITY, PodServer
from tests.operator_e2e.shop import FILES, Shop

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

PASSWORD = "from-the-agent"
PYTHON = "/opt/dbmigrate/bin/python"
PROXY = """\
import socket, sys, threading, time

def connect():
    while True:
        try:
            return socket.create_connection((sys.argv[1], 5432))
        except OSError:
            time.sleep(0.1)

def copy(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)

def serve(client):
    server = connect()
    back = threading.Thread(target=copy, args=(server, client), daemon=True)
    back.start()
    copy(client, server)
    back.join()
    client.close()
    server.close()

connect().close()
with socket.create_server(("127.0.0.1", 5432)) as listening:
    while True:
        client, _ = listening.accept()
        threading.Thread(target=serve, args=(client,), daemon=True).start()
"""
"""Begins to listen when its server is there, as a cloud's proxy does. As the first process of its
container it ignores SIGTERM: nothing but SIGKILL ends it."""


def container(name: str, image: str, command: list[str], **more: Any) -> dict[str, Any]:
    fixed = {"imagePullPolicy": "Never", "securityContext": CONTAINER_SECURITY}
    return {"name": name, "image": image, "command": command, **fixed, **more}


def publish(shop: Shop, postgres: PodServer) -> None:
    """A Service of the team's namespace that leads to PostgreSQL."""
    pod = postgres.namespace.get("pod", "postgres")
    shop.namespace.apply(
        [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "upstream"},
                "spec": {"ports": [{"port": 5432}]},
            },
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": "upstream",
                    "labels": {"kubernetes.io/service-name": "upstream"},
                },
                "addressType": "IPv4",
                "ports": [{"port": 5432}],
                "endpoints": [{"addresses": [pod["status"]["podIP"]]}],
            },
        ]
    )


def test_a_run_waits_for_its_proxy_which_does_not_keep_the_job_alive(
    shop: Shop, postgres: PodServer, real: RealCluster
) -> None:
    role = f"r_{shop.database.name}"
    postgres.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    shop.database.execute(f"GRANT ALL ON SCHEMA public TO {role}; GRANT ALL ON applied TO {role}")
    shop.write_files(FILES)
    shop.namespace.config_map("proxy", {"proxy.py": PROXY})
    upstream = f"upstream.{shop.namespace.name}.svc.cluster.local"
    scripts = {"name": "scripts", "mountPath": "/scripts"}
    login = {"name": "login", "mountPath": "/login"}
    agent = ["/bin/sh", "-c", f"echo {PASSWORD} > /login/password"]
    proxy = [PYTHON, "/scripts/proxy.py", upstream]
    handler = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "handler": "runc"}
    real.cluster.api.post(
        "/apis/node.k8s.io/v1/runtimeclasses", {**handler, "metadata": {"name": "plain"}}
    )
    shop.order(
        database={
            "connection": {
                "host": "shop.database.example",
                "dbname": shop.database.name,
                "user": role,
                "passwordFile": "/login/password",
                "sslmode": "disable",
            }
        },
        job={
            "initContainers": [
                container("agent", POSTGRES, agent, volumeMounts=[login]),
                container("proxy", OWN, proxy, restartPolicy="Always", volumeMounts=[scripts]),
            ],
            "volumes": [
                {"name": "scripts", "configMap": {"name": "proxy"}},
                {"name": "login", "emptyDir": {"medium": "Memory"}},
            ],
            "volumeMounts": [{**login, "readOnly": True}],
            "hostAliases": [{"ip": "127.0.0.1", "hostnames": ["shop.database.example"]}],
            "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
            "runtimeClassName": "plain",
            # The agent writes the file, and the runner reads it, as two images' users.
            "podSecurityContext": {"fsGroup": 65532},
        },
    )

    def running() -> list[str]:
        """The Pods whose runner is at work."""
        return [
            pod["metadata"]["name"]
            for pod in shop.namespace.list("pod")
            for status in pod["status"].get("containerStatuses", [])
            if status["name"] == "dbmigrate" and "running" in status["state"]
        ]

    (pod,) = eventually(running, what="a runner that waits")
    waiting = eventually(
        lambda: shop.namespace.kubectl("logs", pod, "--container", "dbmigrate"),
        lambda log: "retried for 60 s" in log,
        what="the runner's word that it waits",
    )
    assert "shop.database.example:5432" in waiting
    assert shop.applied() == []
    publish(shop, postgres)
    status = shop.wait_ready(deadline=90)["status"]
    assert (status["version"], status["lastRun"]["attempts"]) == ("2", 1)
    assert shop.applied() == [1, 2]
    assert shop.database.query("SELECT tableowner FROM pg_tables WHERE tablename = 'items'") == [
        (role,)
    ]
    eventually(
        lambda: [p for p in shop.namespace.list("pod") if p["status"]["phase"] == "Running"],
        lambda left: not left,
        what="the end of the run's Pod",
    )


def test_a_container_that_pod_security_forbids_is_told(shop: Shop) -> None:
    shop.prepare()
    plain = {"name": "proxy", "image": OWN, "restartPolicy": "Always"}
    shop.order(job={"initContainers": [plain]})
    resource = shop.wait_for_reason("PodNotStarting")
    (ready,) = (c for c in resource["status"]["conditions"] if c["type"] == "Ready")
    assert 'violates PodSecurity "restricted:latest"' in ready["message"]
    assert 'container "proxy" must set securityContext' in ready["message"]
