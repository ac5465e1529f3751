"""The fixtures: `server`, one a test process, and `database`, one a test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.database.programs import PostgresUnavailable
from tests.database.server import Database, Server


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
