"""The tools themselves: goose, built from its Go module, and dbmate, from its Python wheel."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.database.oracle import find_dbmate, find_goose
from tests.toolchain import GoUnavailable


@pytest.fixture(scope="session")
def goose() -> Path:
    """goose's own binary."""
    return _found(find_goose, "goose")


@pytest.fixture(scope="session")
def dbmate() -> Path:
    """dbmate's own binary."""
    return _found(find_dbmate, "dbmate")


def _found(find: Callable[[], Path], name: str) -> Path:
    try:
        return find()
    except GoUnavailable as problem:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"no {name} to compare with: {problem}", pytrace=False)
        pytest.skip(f"NOT TESTED, no {name}: {problem}")
