"""Schemas out of thin air: from any one to any other, and back, on a real PostgreSQL.

DBMIGRATE_DIFF_EXAMPLES asks for more of them than CI has time for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbmigrate.diff.plan import plan_changes
from dbmigrate.diff.reader import read_schema
from dbmigrate.postgres.schema.catalog import read_catalog
from tests.database import Server
from tests.diff_command.pair import Pair, apply, differences, make, open_pair
from tests.diff_command.random_schemas import schemas

pytestmark = pytest.mark.database

EXAMPLES = int(os.environ.get("DBMIGRATE_DIFF_EXAMPLES", "30"))


@pytest.fixture(scope="module")
def pair(server: Server) -> Iterator[Pair]:
    with open_pair(server) as opened:
        yield opened


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="DBMIGRATE_DIFF_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(schemas(), schemas(), st.booleans())
def test_from_any_schema_to_any_other_and_back(
    pair: Pair, start: str, goal: str, online: bool
) -> None:
    before, old = make(pair.here, start)
    wanted, new = make(pair.there, goal)
    apply(pair.here, plan_changes(before, wanted, online=online))
    assert differences(new, read_catalog(pair.here)) == []
    reached = read_schema(pair.here)
    assert plan_changes(reached, wanted) == ()
    apply(pair.here, plan_changes(reached, before, online=not online))
    assert differences(old, read_catalog(pair.here)) == []
    assert plan_changes(read_schema(pair.here), before) == ()
