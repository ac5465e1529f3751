"""The check of a history is planned once a session, whatever the files do to the session."""

from __future__ import annotations

import pytest

from dbmigrate.policies import Transactions
from dbmigrate.report import Reason
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options
from tests.database import Database
from tests.runner.arrange import migration, request, source, tables, version_row

pytestmark = pytest.mark.database

TOGETHER = (Transactions.FILE, Transactions.ALL)
KEEP = "CREATE TABLE IF NOT EXISTS kept AS SELECT * FROM pg_prepared_statements WITH NO DATA;"
NOTE = f"{KEEP} INSERT INTO kept SELECT * FROM pg_prepared_statements WHERE name LIKE 'dbmigrate%'"
COUNT = "SELECT count(*), count(DISTINCT name) FROM kept"


@pytest.mark.parametrize("transactions", TOGETHER)
def test_the_second_step_uses_what_the_first_has_planned(
    database: Database, transactions: Transactions
) -> None:
    files = source(*(migration(n, NOTE) for n in range(1, 6)))
    up(request(database, files, options=Options(transactions=transactions))).unwrap()
    assert database.query(COUNT) == [(4, 1)]


@pytest.mark.parametrize("transactions", TOGETHER)
@pytest.mark.parametrize("text", ["DEALLOCATE ALL", "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$"])
def test_a_file_that_removes_what_is_prepared_is_applied(
    database: Database, text: str, transactions: Transactions
) -> None:
    """And those behind it; the check is made for each all the same."""
    files = source(*(migration(n, f"{NOTE}; {text}; SELECT {n}") for n in range(1, 6)))
    up(request(database, files, options=Options(transactions=transactions))).unwrap()
    assert version_row(database) == [(5, False)]
    trap = migration(
        6,
        "CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END';"
        " CREATE TRIGGER t BEFORE UPDATE ON schema_migrations EXECUTE FUNCTION trap()",
    )
    for last in (source(*files.migrations, trap), source(*files.migrations, trap)):
        result = up(request(database, last, options=Options(transactions=transactions)))
        assert result.error is not None
        assert result.error.reason is Reason.FOREIGN_HISTORY


def test_a_prepared_statement_of_the_files_that_is_missing_is_the_files_error(
    database: Database,
) -> None:
    files = source(*tables(1, 2).migrations, migration(3, "EXECUTE nothing"))
    result = up(request(database, files))
    assert result.error is not None
    assert result.error.sqlstate == "26000"
    assert version_row(database) == [(2, False)]


def test_the_tables_that_the_first_step_makes_are_looked_at_anew(database: Database) -> None:
    """The table of batches comes in the middle of a run: the check is another one."""
    batched = (
        "-- dbmigrate:batched size=10 start=0\nUPDATE t1 SET a = 1 WHERE id IN (SELECT id FROM t1"
        " WHERE id > :cursor ORDER BY id LIMIT :batch_size) RETURNING id;"
    )
    made = "CREATE TABLE t1 (id int PRIMARY KEY, a int); INSERT INTO t1 SELECT 1"
    files = source(migration(1, made), migration(2, batched), *tables(3, 4).migrations)
    up(request(database, files)).unwrap()
    assert version_row(database) == [(4, False)]
