"""A migration file that releases the run's locks: they are taken again, or the run stops."""

from __future__ import annotations

import threading

import psycopg
import pytest

from dbmigrate.policies import Transactions
from dbmigrate.postgres.history.advisory_locks import lock_ids
from dbmigrate.report import Reason
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.request import Options, Request
from tests.database import Database
from tests.runner.arrange import Witness, migration, request, source, table, version_row

pytestmark = pytest.mark.database

RELEASED = "SELECT pg_advisory_unlock_all();"
FILES = {
    "in a transaction": f"{RELEASED} CREATE TABLE t1 (id int);",
    "outside of one": f"CREATE TABLE t1 (id int); {RELEASED} VACUUM t1;",
    "with all that a session has": "DISCARD ALL; CREATE TABLE t1 (id int);",
    "in batches": "-- dbmigrate:batched size=10 start=0\nUPDATE t0 SET n = 1 WHERE id IN"
    " (SELECT id FROM t0 WHERE id > :cursor ORDER BY id LIMIT :batch_size) RETURNING id;",
}
BEFORE = (
    "CREATE TABLE t0 (id int PRIMARY KEY, n int); INSERT INTO t0 VALUES (1), (2);"
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN PERFORM pg_advisory_unlock_all(); RETURN NULL; END $$;"
    "CREATE TRIGGER f AFTER UPDATE ON t0 EXECUTE FUNCTION f()"
)
"""What the batches need; its trigger releases the locks."""


def ids(database: Database) -> tuple[int, ...]:
    return lock_ids("public", "schema_migrations", database.name, f"/{database.name}")


def is_free(connection: psycopg.Connection[tuple[object, ...]], lock: int) -> bool:
    taken = connection.execute(f"SELECT pg_try_advisory_lock({lock})").fetchone()
    connection.execute("SELECT pg_advisory_unlock_all()")
    return taken == (True,)


def arranged(database: Database, file: str, witness: Witness, options: Options) -> Request:
    database.execute(BEFORE)
    files = source(migration(1, FILES[file]), table(2), table(3))
    return request(database, files, observer=witness, options=options)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("together", [False, True])
def test_the_next_step_has_them_again(database: Database, file: str, together: bool) -> None:
    if together and file != "in a transaction":
        pytest.skip("can't be one transaction with others")
    options = Options(who="tester")
    if together:
        options = Options(who="tester", transactions=Transactions.ALL)
    with database.connect() as other:
        free: list[bool] = []
        witness = Witness(on_start=lambda _: free.extend(is_free(other, i) for i in ids(database)))
        up(arranged(database, file, witness, options)).unwrap()
        assert free == [False] * (3 * len(ids(database)))
        assert version_row(database) == [(3, False)]
        # Taken several times, and all of them are released at the end.
        assert [is_free(other, lock) for lock in ids(database)] == [True] * len(ids(database))


@pytest.mark.parametrize("file", FILES)
def test_another_session_that_waits_for_them_stops_the_run(database: Database, file: str) -> None:
    """As golang-migrate waits: it has the lock in the moment in which it is released."""
    lock = ids(database)[0]
    with database.connect() as other, database.connect() as looking:
        waiting = threading.Thread(target=other.execute, args=(f"SELECT pg_advisory_lock({lock})",))

        def begin(_: object) -> None:
            waiting.start()
            query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            while looking.execute(query).fetchone() != (1,):
                pass

        result = up(arranged(database, file, Witness(on_start=begin), Options(who="tester")))
        waiting.join()
    assert result.error is not None
    assert result.error.reason is Reason.LOCK_TIMEOUT
    assert "releases the run's lock" in result.error.message
    assert [step.version for step in result.report.steps] == []
    is_whole = file == "in a transaction"
    assert version_row(database) == ([] if is_whole else [(1, True)])
