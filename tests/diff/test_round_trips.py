"""Every case there and back on real servers: the judge sees what was wanted, and then nothing new.

On 18 by the online forms, on 17 by the plain ones.
"""

from __future__ import annotations

import pytest

from tests.database import Server
from tests.diff.cases import Case
from tests.diff.cases.columns import COLUMNS
from tests.diff.cases.constraints import CONSTRAINTS
from tests.diff.cases.database import DATABASE
from tests.diff.cases.indexes import INDEXES
from tests.diff.cases.partitions import PARTITIONS
from tests.diff.cases.rights import RIGHTS
from tests.diff.cases.routines import ROUTINES
from tests.diff.cases.tables import TABLES
from tests.diff.cases.types import TYPES
from tests.diff.cases.views import VIEWS
from tests.diff.round_trip import there_and_back

pytestmark = pytest.mark.database

CASES = [
    *DATABASE,
    *TABLES,
    *COLUMNS,
    *CONSTRAINTS,
    *INDEXES,
    *PARTITIONS,
    *TYPES,
    *VIEWS,
    *ROUTINES,
    *RIGHTS,
]


def require(server: Server, case: Case) -> None:
    """Pass over what an older server than the usual one does not know."""
    if server.major < case.since:
        pytest.skip(f"PostgreSQL {server.major} does not know this")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_online_plan_leads_there_and_back(server: Server, case: Case) -> None:
    require(server, case)
    plan, back = there_and_back(server, case.before, case.after)
    statements = [change.sql for change in plan]
    rest = iter(statements)
    for part in case.says:
        assert any(part in sql for sql in rest), f"{part!r} is missing in {statements}"
    for part in case.never:
        assert not any(part in sql for sql in statements), f"{part!r} is in {statements}"
    assert not any("CASCADE" in change.sql.split("REFERENCES")[0] for change in (*plan, *back))


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.since <= 17], ids=lambda case: case.name
)
def test_the_plain_plan_leads_there_and_back_on_17(server_17: Server, case: Case) -> None:
    require(server_17, case)
    plan, _ = there_and_back(server_17, case.before, case.after, online=False)
    assert all(change.can_be_in_transaction for change in plan)
    is_first = [change for change in plan if "ADD VALUE" in change.sql]
    assert len({change.file for change in plan if change not in is_first}) <= 1
