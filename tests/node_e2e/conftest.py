"""The fixtures: one real node for all tests of this folder, with PostgreSQL and the chart on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.charts.helm import CHART, install
from tests.cluster import Namespace
from tests.cluster.unavailable import ClusterUnavailable
from tests.image.build import ImageUnavailable
from tests.node_e2e.node import RealCluster, prepare
from tests.node_e2e.postgres import PodServer
from tests.node_e2e.programs import NodeUnavailable
from tests.operator_e2e.shop import Shop

RELEASE = "dbmigrate"
SYSTEM = "dbmigrate-system"
UNAVAILABLE = (NodeUnavailable, ImageUnavailable, ClusterUnavailable)
VALUES = {
    "image.repository": "localhost/dbmigrate",
    "image.tag": "node",
    "image.pullPolicy": "Never",
}


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build and download before the first test: it takes longer than a test may."""
    if session.config.option.collectonly:
        return
    if any("real" in getattr(item, "fixturenames", ()) for item in session.items):
        with suppress(*UNAVAILABLE):  # the fixture says so, for each test that needs it
            prepare()


@pytest.fixture(scope="package")
def real() -> Iterator[RealCluster]:
    """The cluster with a real node. Its thread is in the node's network meanwhile."""
    try:
        running = RealCluster()
    except UNAVAILABLE as problem:
        message = f"NOT TESTED, no real node can run here: {problem}"
        if os.environ.get("DBMIGRATE_TEST_NODE") == "required":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    with running:
        yield running


@pytest.fixture(scope="package")
def postgres(real: RealCluster) -> PodServer:
    """PostgreSQL in a Pod."""
    return PodServer(real.cluster.namespace("data"))


@pytest.fixture(scope="package")
def system(real: RealCluster) -> Namespace:
    """The operator, installed by helm as a platform engineer would."""
    namespace = real.cluster.namespace(SYSTEM)
    install(real.cluster, SYSTEM, RELEASE, CHART, VALUES, deadline=240)
    return namespace


@pytest.fixture
def namespace(system: Namespace) -> Iterator[Namespace]:
    """A team's namespace, under Pod Security `restricted`, removed after the test."""
    created = system.cluster.namespace()
    yield created
    created.remove()


@pytest.fixture
def shop(namespace: Namespace, postgres: PodServer) -> Shop:
    """A team's namespace and database."""
    return Shop(namespace, postgres.create_database())
