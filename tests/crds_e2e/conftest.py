"""The custom resources, installed once a test process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster import Cluster

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def custom_resources(cluster: Cluster) -> None:
    """The API server knows both kinds."""
    cluster.install_crds(ROOT / "crds")
