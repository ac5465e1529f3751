"""Flyway's process, one for all tests of a worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.formats.flyway_oracle import Flyway, running_flyway


@pytest.fixture(scope="session")
def flyway(flyway_oracle: Path) -> Iterator[Flyway]:
    """Flyway itself."""
    with running_flyway(flyway_oracle) as process:
        yield process
