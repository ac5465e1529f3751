"""The table of results is refused where writing to it would run what others have put there."""

from __future__ import annotations

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.target import HistoryTable, parse_target
from dbmigrate.report import Reason
from dbmigrate.runner.fleet.results import Results
from tests.database import Database

pytestmark = pytest.mark.database


def test_a_default_with_a_hidden_cast_is_refused(database: Database) -> None:
    target, table = parse_target(database.url, {}), HistoryTable(name="results")
    Results(target, table).close()
    database.execute(
        "CREATE TYPE t AS ENUM ('a'); CREATE FUNCTION hidden(timestamptz) RETURNS t LANGUAGE sql"
        " AS $$ SELECT 'a'::t $$; CREATE CAST (timestamptz AS t) WITH FUNCTION hidden(timestamptz)"
        " AS ASSIGNMENT; ALTER TABLE results ADD t t; ALTER TABLE results ALTER t SET DEFAULT now()"
    )
    with pytest.raises(MigrationError, match="has a default t: ") as refused:
        Results(target, table)
    assert refused.value.reason is Reason.FOREIGN_HISTORY
