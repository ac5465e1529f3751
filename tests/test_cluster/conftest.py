"""The image that all of these tests run."""

from __future__ import annotations

import pytest

from tests.cluster import Cluster
from tests.test_cluster.pods import IMAGE


@pytest.fixture(scope="module", autouse=True)
def shell_image(cluster: Cluster) -> None:
    """Register it with the node; on somebody else's cluster these tests mean nothing."""
    if not cluster.is_own:
        pytest.skip("NOT TESTED: these tests are about the harness's own node")
    cluster.node.images.register(IMAGE)
