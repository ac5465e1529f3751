"""The fixtures: one real node for all tests of this folder, with PostgreSQL and the chart on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.cluster import Namespace
from tests.cluster.unavailable import ClusterUnavailable
from tests.image.build import ImageUnavailable
from tests.node_e2e.node import RealCluster, real_cluster
from tests.node_e2e.postgres import PodServer
from tests.node_e2e.programs import NodeUnavailable
from tests.node_e2e.release import install_operator
from tests.operator_e2e.shop import Shop

UNAVAILABLE = (NodeUnavailable, ImageUnavailable, ClusterUnavailable)


@pytest.fixture(scope="package")
def real() -> Iterator[RealCluster]:
    """The cluster with a real node. Its thread is in the node's network meanwhile."""
    with ExitStack() as stack:
        try:
            running = stack.enter_context(real_cluster())
        except UNAVAILABLE as problem:
            message = f"NOT TESTED, no real node can run here: {problem}"
            if os.environ.get("DBMIGRATE_TEST_NODE") == "required":
                pytest.fail(message, pytrace=False)
            pytest.skip(message)
        yield running


@pytest.fixture(scope="package")
def postgres(real: RealCluster) -> PodServer:
    """PostgreSQL in a Pod."""
    return PodServer(real.cluster.namespace("data"))


@pytest.fixture(scope="package")
def system(real: RealCluster) -> Namespace:
    """The operator, installed by helm as a platform engineer would."""
    return install_operator(real.cluster)


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
