"""A certificate authority, its file, and migration files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from dbmigrate.postgres.identity import tokens
from tests.cli.program import SCRIPTS


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def roots(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The authority's certificate."""
    path = tmp_path_factory.mktemp("authority") / "roots.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Three migrations."""
    directory = tmp_path / "migrations"
    directory.mkdir()
    for name, text in SCRIPTS.items():
        (directory / name).write_text(text)
    return directory


@pytest.fixture
def no_providers() -> Iterator[None]:
    """Each test asks anew, in its own environment."""
    tokens._providers.clear()
    yield
    tokens._providers.clear()
