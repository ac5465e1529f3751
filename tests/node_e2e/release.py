"""The operator on the real node: the chart of the checkout and its image, installed by helm."""

from __future__ import annotations

from tests.charts.helm import CHART, HelmFailed, install
from tests.cluster import Cluster, Namespace

RELEASE = "dbmigrate"
SYSTEM = "dbmigrate-system"
VALUES = {
    "image.repository": "localhost/dbmigrate",
    "image.tag": "node",
    "image.pullPolicy": "Never",
}

PODS = ("describe", "pods")
LOGS = ("logs", f"deployment/{RELEASE}-dbmigrate-operator", "--tail=50")


def install_operator(cluster: Cluster) -> Namespace:
    """Install it as a platform engineer would; returns its namespace when it is ready."""
    namespace = cluster.namespace(SYSTEM)
    try:
        install(cluster, SYSTEM, RELEASE, CHART, VALUES, deadline=240)
    except HelmFailed as problem:
        told = [namespace.kubectl(*words, check=False) for words in (PODS, LOGS)]
        raise HelmFailed("\n".join([str(problem), *told])) from None
    return namespace
