"""The fixtures: `cluster`, one a test process, and `namespace`, one a test.

Each worker of pytest-xdist has a control plane of its own: it starts in seconds,
and a test that takes the API server away disturbs no other. In CI (CI=true)
tests fail where no cluster can be had; elsewhere they are skipped, and the summary
of the run says why. So are tests that need the harness's own node or parts, when
an existing cluster is used.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import NoReturn

import pytest

from tests.cluster.cluster import KUBECONFIG_VARIABLE, Cluster
from tests.cluster.namespace import Namespace
from tests.cluster.unavailable import ClusterUnavailable


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster of this test process."""
    try:
        running = Cluster.start()
    except ClusterUnavailable as problem:
        _go_without(problem)
    with running:
        yield running


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[Namespace]:
    """A namespace under Pod Security `restricted`, removed after the test."""
    created = cluster.namespace()
    yield created
    created.remove()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    """A fixture may ask for what an existing cluster does not have."""
    try:
        return (yield)
    except ClusterUnavailable as problem:
        _go_without(problem)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """So may a test."""
    try:
        return (yield)
    except ClusterUnavailable as problem:
        _go_without(problem)


def _go_without(problem: ClusterUnavailable) -> NoReturn:
    """Fail in CI, unless it chose an existing cluster; skip elsewhere."""
    in_ci = os.environ.get("CI", "").lower() in {"1", "true"}
    if in_ci and KUBECONFIG_VARIABLE not in os.environ:
        pytest.fail(f"no Kubernetes for the tests: {problem}", pytrace=False)
    pytest.skip(f"NOT TESTED, no Kubernetes: {problem}")
