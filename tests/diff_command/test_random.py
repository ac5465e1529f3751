"""Schemas out of thin air: from any one to any other, and back, on a real PostgreSQL.

DBMIGRATE_DIFF_EXAMPLES asks for more of them than CI has time for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbmigrate.diff.change import Change
from dbmigrate.diff.plan import plan_changes
from dbmigrate.diff.reader import read_schema
from dbmigrate.diff.schema import Schema
from dbmigrate.postgres.catalog import Catalog, compare, read_catalog
from dbmigrate.postgres.failures import ServerFailure
from dbmigrate.postgres.session import Session
from dbmigrate.postgres.target import parse_target
from dbmigrate.runner.drafting import group_changes
from dbmigrate.runner.scratch import open_session
from tests.database import Server
from tests.diff_command.arrange import make_roles
from tests.diff_command.random_schemas import schemas

pytestmark = pytest.mark.database

EXAMPLES = int(os.environ.get("DBMIGRATE_DIFF_EXAMPLES", "40"))
EMPTY = "DROP SCHEMA public CASCADE; CREATE SCHEMA public"


@dataclass(frozen=True)
class Pair:
    """Two databases that are emptied rather than made anew: that is quicker."""

    here: Session
    there: Session


@pytest.fixture(scope="module")
def pair(server: Server) -> Iterator[Pair]:
    make_roles(server)
    with ExitStack() as stack:
        sessions = []
        for _ in range(2):
            database = server.create_database()
            stack.callback(database.drop)
            target = parse_target(database.url, {})
            sessions.append(stack.enter_context(open_session(target, "test")))
        yield Pair(*sessions)


def make(session: Session, sql: str) -> tuple[Schema, Catalog]:
    session.query(f"{EMPTY}; {sql}")
    return read_schema(session), read_catalog(session)


def apply(session: Session, changes: Sequence[Change]) -> None:
    """As files are run: those that share one in a transaction."""
    for group in group_changes(changes):
        script = ";\n".join(change.sql for change in group)
        try:
            session.query(f"BEGIN; {script}; COMMIT" if group[0].can_be_in_transaction else script)
        except ServerFailure as failure:
            session.roll_back()
            raise AssertionError(f"{failure}\n{script}") from None


def differences(before: Catalog, after: Catalog) -> list[str]:
    return [each.describe() for each in compare(before, after)]


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
