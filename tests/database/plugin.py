"""The fixtures: `server`, one a test process, and `database`, one a test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.database.oracle import (
    find_atlas,
    find_atlas_library,
    find_dbmate,
    find_flyway,
    find_goose,
    find_migrate,
)
from tests.database.programs import PostgresUnavailable
from tests.database.server import Database, Server
from tests.toolchain import GoUnavailable


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The PostgreSQL of this test process: it starts in about a second."""
    try:
        running = Server.start()
    except PostgresUnavailable as problem:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"no PostgreSQL for the tests: {problem}", pytrace=False)
        pytest.skip(f"NOT TESTED, no PostgreSQL: {problem}")
    with running:
        yield running


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    """An empty database, removed after the test."""
    created = server.create_database()
    yield created
    created.drop()


@pytest.fixture(scope="session")
def migrate_oracle() -> Path:
    """golang-migrate's own binary."""
    return _found(find_migrate, "golang-migrate")


@pytest.fixture(scope="session")
def goose_oracle() -> Path:
    """goose's own binary."""
    return _found(find_goose, "goose")


@pytest.fixture(scope="session")
def dbmate_oracle() -> Path:
    """dbmate's own binary."""
    return _found(find_dbmate, "dbmate")


@pytest.fixture(scope="session")
def atlas_oracle() -> Path:
    """Atlas's own binary, of an older version."""
    return _found(find_atlas, "Atlas")


@pytest.fixture(scope="session")
def atlas_library() -> Path:
    """A program on Atlas's library, of a newer version."""
    return _found(find_atlas_library, "Atlas's library")


@pytest.fixture(scope="session")
def flyway_oracle() -> Path:
    """Flyway's class path, with a program of ours on it."""
    return _found(find_flyway, "Flyway")


def _found(find: Callable[[], Path], name: str) -> Path:
    try:
        return find()
    except GoUnavailable as problem:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"no {name} to compare with: {problem}", pytrace=False)
        pytest.skip(f"NOT TESTED, no {name}: {problem}")
