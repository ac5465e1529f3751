"""The other tools, asked through one process for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.diff_command.peers import Peers, PeersUnavailable, find_peers


@pytest.fixture(scope="session")
def peers() -> Iterator[Peers]:
    """pg-delta and migra."""
    try:
        home = find_peers()
    except PeersUnavailable as problem:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"nobody to compare with: {problem}", pytrace=False)
        pytest.skip(f"NOT TESTED, nobody to compare with: {problem}")
    with Peers(home) as running:
        yield running
