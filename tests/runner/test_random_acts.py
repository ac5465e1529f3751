"""What people do to one database in a year, drawn at random (tests/runner/operators.py).

DBMIGRATE_RANDOM_ACTS asks for more such years than CI has time for.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from dbmigrate.postgres.connection.target import HistoryKind
from tests.database import Database
from tests.runner.operators import Operators

pytestmark = pytest.mark.database

YEARS = int(os.environ.get("DBMIGRATE_RANDOM_ACTS", "10"))
ACTS = 30


@pytest.mark.parametrize("seed", range(YEARS))
def test_nothing_runs_twice_and_each_refusal_leads_on(
    database: Database, tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    # Those two share a table.
    first = random.choice((HistoryKind.GOLANG_MIGRATE, HistoryKind.DBMATE))
    others = (HistoryKind.GOOSE, HistoryKind.FLYWAY, HistoryKind.ATLAS)
    kinds = (first, *random.sample(others, random.randint(1, 3)))
    people = Operators(database, tmp_path, random, kinds, random.choice(kinds))
    people.begin()
    try:
        for _ in range(ACTS):
            people.act()
        people.up()
    finally:
        for each in people.moved:
            each.drop()
