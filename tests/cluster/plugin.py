"""The fixtures: `cluster`, one a test process, and `namespace`, one a test.

Each worker of pytest-xdist has a control plane of its own: it starts in seconds,
and a test that takes the API server away disturbs no other. In CI (CI=true)
tests fail where no cluster can be had; elsewhere they are skipped, and the summary
of the run says why.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.namespace import Namespace
from tests.cluster.unavailable import ClusterUnavailable


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster of this test process."""
    with start_or_skip() as running:
        yield running


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    """A namespace under Pod Security `restricted`, removed after the test."""
    created = cluster.namespace()
    yield created
    created.remove()


def start_or_skip() -> Cluster:
    """A cluster; without one the test fails in CI, and is skipped loudly elsewhere."""
    try:
        return Cluster.start()
    except ClusterUnavailable as problem:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"no Kubernetes for the tests: {problem}", pytrace=False)
        pytest.skip(f"NOT TESTED, no Kubernetes: {problem}")
