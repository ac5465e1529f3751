"""Where the demo plays: a namespace with the operator, and an empty database.

On a simulated node the Pods are processes of this machine, PostgreSQL is one too, and the
operator runs as the ServiceAccount that the manifests of deploy/ make. On a real one
all three are Pods, and the operator is the chart's release.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import Cluster, Namespace
from tests.database import Database, Server
from tests.node_e2e.node import real_cluster
from tests.node_e2e.postgres import PodServer
from tests.node_e2e.release import install_operator

ROOT = Path(__file__).parents[1]
IMAGE = "dbmigrate:demo"


@dataclass(frozen=True, slots=True)
class Stage:
    """What the story needs."""

    namespace: Namespace
    database: Database
    url: str
    """Of the database, as Pods reach it."""
    way_in: str
    """How another terminal gets at the cluster."""


@contextmanager
def simulated() -> Iterator[Stage]:
    """Pods as processes: no root is needed, and it is there in seconds."""
    with Server.start() as server, Cluster.start() as cluster:
        database = server.create_database()
        program = str(Path(sys.executable).with_name("dbmigrate"))
        cluster.node.images.register(IMAGE, commands={"dbmigrate": [program]})
        namespace = cluster.namespace("demo")
        with _running_operator(cluster):
            way_in = f"export KUBECONFIG={cluster.kubeconfig}"
            yield Stage(namespace, database, database.url, way_in)


@contextmanager
def real() -> Iterator[Stage]:
    """Pods of a kubelet and containerd. Raises as `tests.node_e2e.node.prepare`."""
    with real_cluster() as running:
        cluster = running.cluster
        postgres = PodServer(cluster.namespace("data"))
        database = postgres.create_database()
        install_operator(cluster)
        url = postgres.url(database.name, host=postgres.host)
        way_in = f"{' '.join(running.machine.inside([]))} env KUBECONFIG={cluster.kubeconfig} bash"
        yield Stage(cluster.namespace("demo"), database, url, way_in)


@contextmanager
def _running_operator(cluster: Cluster) -> Iterator[None]:
    """Install the manifests of deploy/, and run the operator as the ServiceAccount they make."""
    cluster.install_crds(ROOT / "crds")
    cluster.kubectl("apply", "-f", str(ROOT / "deploy" / "namespace.yaml"))
    cluster.kubectl("apply", "-f", str(ROOT / "deploy" / "rbac.yaml"))
    account = cluster.service_account_kubeconfig("dbmigrate-system", "dbmigrate-operator")
    with (cluster.directory / "operator.log").open("wb") as log:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("dbmigrate-operator"), "run", "--runner-image", IMAGE],
            env={**os.environ, "KUBECONFIG": str(account)},
            stdout=log,
            stderr=log,
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
