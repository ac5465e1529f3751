"""What `repair` takes for done: what the log left as running, and the database shows as done."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from dbmigrate.report import Reason
from dbmigrate.runner.commands.repair import repair
from dbmigrate.runner.commands.up import up
from tests.database import Database
from tests.runner.arrange import (
    BEGUN,
    Witness,
    leave_running,
    migration,
    request,
    source,
    table_names,
    version_row,
)

pytestmark = pytest.mark.database

USERS = migration(
    1,
    'CREATE TABLE users (id int, email text, name varchar(20) COLLATE "C", born date);\n'
    "CREATE INDEX old ON users (id);\n"
    "CREATE SCHEMA s;\nCREATE TABLE s.users (id int, email text);",
)
AFTER = "\nCREATE TABLE reached ();"


def attempt(database: Database, text: str) -> tuple[str | None, bool]:
    """Repair with this text of the file: the SQLSTATE if it fails, and whether it came through."""
    result = repair(request(database, source(USERS, migration(2, text))))
    return result.error.sqlstate if result.error else None, "reached" in table_names(database)


@pytest.mark.parametrize(
    "existing",
    [
        "CREATE INDEX users_email_idx ON users (email)",
        "CREATE UNIQUE INDEX users_email_idx ON users (lower(email))",
        "CREATE INDEX users_email_idx ON users (lower(email)) WHERE id > 0",
        "CREATE INDEX users_email_idx ON users (lower(email) DESC)",
        "CREATE INDEX users_email_idx ON users (lower(email)) INCLUDE (id)",
        "CREATE INDEX users_email_idx ON users (lower(email)) WITH (fillfactor = 50)",
        'CREATE INDEX users_email_idx ON users (lower(email) COLLATE "C")',
        "CREATE INDEX users_email_idx ON users (lower(email) text_pattern_ops)",
        "CREATE INDEX users_email_idx ON users USING hash (lower(email))",
        "CREATE INDEX users_email_idx ON users (upper(email))",
        # What the statement makes, letter for letter: it failed all the same.
        "CREATE INDEX users_email_idx ON users (lower(email))",
    ],
)
def test_a_failed_create_is_not_done_whatever_stands_there(
    database: Database, existing: str
) -> None:
    text = f"{BEGUN}CREATE INDEX CONCURRENTLY users_email_idx ON users (lower(email));{AFTER}"
    up(request(database, source(USERS))).unwrap()
    database.execute(existing)
    assert up(request(database, source(USERS, migration(2, text)))).error is not None
    assert attempt(database, text) == ("42P07", False)
    assert version_row(database) == [(2, True)]
    database.execute("DROP INDEX users_email_idx")
    assert attempt(database, text) == (None, True)


@dataclass(frozen=True)
class Case:
    """An index that is there, and a statement under way; whether that one is done."""

    existing: str
    statement: str
    end: str
    """done: it does not run; built: it runs; 42P07: it runs, and the server refuses it."""
    before: str = ""


CREATES = [
    Case("CREATE INDEX i ON users (id)", "CREATE INDEX CONCURRENTLY i ON users (id)", "done"),
    Case("CREATE INDEX i ON users (id)", "CREATE INDEX CONCURRENTLY i ON users (email)", "42P07"),
    Case(
        "CREATE INDEX i ON users (id)", "CREATE UNIQUE INDEX CONCURRENTLY i ON users (id)", "42P07"
    ),
    Case("CREATE INDEX i ON s.users (id)", "CREATE INDEX CONCURRENTLY i ON users (id)", "built"),
    Case(
        "CREATE INDEX i ON s.users (id)",
        "CREATE INDEX CONCURRENTLY i ON users (id)",
        "done",
        before="SET search_path = s;\n",
    ),
    Case(
        "CREATE INDEX i ON s.users (id)",
        "CREATE INDEX CONCURRENTLY i ON users (id)",
        "done",
        before="SELECT pg_catalog.set_config('search_path', 's', false);\n",
    ),
    Case(
        'CREATE INDEX "I i" ON users (lower(email), name varchar_pattern_ops DESC)'
        " INCLUDE (born) WITH (fillfactor = 70) WHERE email <> ';'",
        'CREATE /* c */ INDEX CONCURRENTLY "I i" ON ONLY public . "users" USING btree'
        " (lower(users.email),\n name varchar_pattern_ops DESC NULLS FIRST) -- c\n"
        " INCLUDE (born) WITH (fillfactor = '70') WHERE email != ';'",
        "done",
    ),
    Case(
        'CREATE INDEX i ON users (name COLLATE "C")',
        "CREATE INDEX CONCURRENTLY i ON users (name)",
        "done",
    ),
    Case(
        "CREATE INDEX i ON users ((born + 1))",
        "CREATE INDEX CONCURRENTLY I ON users ((born+1))",
        "done",
    ),
    Case(
        "CREATE INDEX ON users (id, born)", "CREATE INDEX CONCURRENTLY ON users (id, born)", "done"
    ),
    Case(
        "CREATE INDEX ON users (id, born)", "CREATE INDEX CONCURRENTLY ON users (born, id)", "built"
    ),
]


@pytest.mark.parametrize("case", CREATES, ids=lambda case: case.statement)
def test_a_create_that_was_under_way_is_done_if_its_very_index_is_there(
    database: Database, case: Case
) -> None:
    before = f"{BEGUN}{case.before}"
    broken = f"{before}SELECT 1/0; VACUUM;"
    up(request(database, source(USERS))).unwrap()
    assert up(request(database, source(USERS, migration(2, broken)))).error is not None
    leave_running(database, before)
    database.execute(case.existing)
    count = "SELECT count(*) FROM pg_index WHERE indrelid::regclass::text ~ 'users'"
    indexes = database.query(count)[0][0]
    error, _ = attempt(database, f"{before}{case.statement};{AFTER}")
    assert error == (case.end if case.end == "42P07" else None)
    assert database.query(count)[0][0] == indexes + (case.end == "built")
    table = "s.reached" if case.before else "public.reached"
    if error is None:
        assert database.query(f"SELECT to_regclass('{table}') IS NOT NULL") == [(True,)]


def test_an_invalid_index_without_a_name_in_the_file_goes_before_the_next_attempt(
    database: Database,
) -> None:
    up(request(database, source(USERS))).unwrap()
    database.execute("INSERT INTO users (id) VALUES (1), (1)")
    text = f"CREATE UNIQUE INDEX CONCURRENTLY ON users (id);{AFTER}"
    assert up(request(database, source(USERS, migration(2, text)))).error is not None
    database.execute("DELETE FROM users")
    result = repair(request(database, source(USERS, migration(2, text))))
    done = result.unwrap()
    assert done is not None
    assert done.dropped_indexes == ("public.users_id_idx",)
    names = "SELECT relname FROM pg_class WHERE relkind = 'i' AND relname ~ 'users' ORDER BY 1"
    assert database.query(names) == [("users_id_idx",)]


def test_a_failed_drop_is_not_done(database: Database) -> None:
    text = f"{BEGUN}DROP INDEX CONCURRENTLY odl;{AFTER}"
    assert up(request(database, source(USERS, migration(2, text)))).error is not None
    assert attempt(database, text) == ("42704", False)
    assert attempt(database, text.replace("odl", "old")) == (None, True)
    assert database.query("SELECT to_regclass('old')") == [(None,)]


def test_a_drop_that_never_ran_is_not_done(database: Database) -> None:
    """Killed before the statement was sent: the log says running, and the index never was."""
    up(request(database, source(USERS))).unwrap()
    assert up(request(database, source(USERS, migration(2, f"{BEGUN}SELECT 1/0; VACUUM")))).error
    leave_running(database)
    database.execute("UPDATE schema_migrations_log SET error = NULL")
    assert attempt(database, f"{BEGUN}DROP INDEX CONCURRENTLY odl;{AFTER}") == ("42704", False)


@pytest.mark.parametrize("name", ["old", "public.old", 'PUBLIC."old"'])
def test_a_drop_that_was_under_way_is_done_if_that_index_is_gone(
    database: Database, name: str
) -> None:
    text = f"DROP INDEX CONCURRENTLY {name};{AFTER}"
    up(request(database, source(USERS))).unwrap()
    with database.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE users IN ACCESS SHARE MODE")
        # The statement waits, so that the log's row is as a killed run leaves it.
        error = _kill_while_it_waits(database, text)
        assert error is Reason.CONNECTION_LOST
    state = "SELECT outcome, error ~ 'drops the index' FROM schema_migrations_log ORDER BY id DESC"
    assert database.query(state)[0] == ("running", True)
    database.execute("DROP INDEX old")
    assert attempt(database, text.replace(name, "odl")) == ("42704", False)


def _kill_while_it_waits(database: Database, text: str) -> Reason | None:
    def kill() -> None:
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DROP INDEX%'"
        )

    witness = Witness(on_blocked=kill)
    result = up(request(database, source(USERS, migration(2, text)), observer=witness))
    return result.error.reason if result.error else None


def test_a_drop_that_was_done_but_not_counted_is_not_run_again(database: Database) -> None:
    text = f"DROP INDEX CONCURRENTLY old;{AFTER}"
    up(request(database, source(USERS))).unwrap()
    with database.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE users IN ACCESS SHARE MODE")
        assert _kill_while_it_waits(database, text) is Reason.CONNECTION_LOST
    database.execute("DROP INDEX old")
    assert attempt(database, text) == (None, True)


def test_a_drop_that_stopped_halfway_is_finished_by_itself(database: Database) -> None:
    """The first half of DROP INDEX CONCURRENTLY leaves an invalid index: the statement's own."""
    text = f"DROP INDEX CONCURRENTLY old;{AFTER}"
    up(request(database, source(USERS))).unwrap()
    with database.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE users IN ACCESS SHARE MODE")
        assert _kill_while_it_waits(database, text) is Reason.CONNECTION_LOST
    assert database.query("SELECT indisvalid FROM pg_index WHERE indexrelid = 'old'::regclass") == [
        (False,)
    ]
    assert attempt(database, text) == (None, True)
    assert database.query("SELECT to_regclass('old')") == [(None,)]


OTHERS = [
    ("CREATE DATABASE {db}_2", "42P04"),
    ("CREATE INDEX CONCURRENTLY IF NOT EXISTS old ON users (id)", None),
    ("DROP INDEX CONCURRENTLY IF EXISTS none", None),
    ("VACUUM users", None),
    ("REINDEX INDEX CONCURRENTLY old", None),
    ("ALTER SYSTEM RESET work_mem", None),
    ("ALTER TABLE parts DETACH PARTITION part CONCURRENTLY", "42P01"),
]


@pytest.mark.parametrize(("statement", "refusal"), OTHERS, ids=lambda each: str(each)[:30])
def test_every_other_statement_that_was_under_way_runs_again(
    database: Database, statement: str, refusal: str | None
) -> None:
    """The server's own refusal says that it is done; no guess takes its place."""
    statement = statement.format(db=database.name)
    parts = migration(
        1,
        f"{(USERS.up.load() if USERS.up else b'').decode()}"
        "CREATE TABLE parts (a int) PARTITION BY LIST (a);"
        "CREATE TABLE part PARTITION OF parts FOR VALUES IN (1);",
    )
    files = source(parts, migration(2, f"{BEGUN}{statement};\nSELECT 1/0;"))
    try:
        assert up(request(database, files)).error is not None
        leave_running(database)
        result = repair(
            request(database, source(parts, migration(2, f"{BEGUN}{statement};{AFTER}")))
        )
        assert (result.error.sqlstate if result.error else None) == refusal
        assert version_row(database) == [(2, refusal is not None)]
    finally:
        database.execute(f"DROP DATABASE IF EXISTS {database.name}_2")


def test_settings_of_what_is_done_hold_for_what_is_left(database: Database) -> None:
    text = "SET search_path = s;\nVACUUM;\nCREATE TABLE reached (id int {});"
    broken = text.format("DEFAULT 'x'::no_such_type")
    assert up(request(database, source(USERS, migration(2, broken)))).error is not None
    good = source(USERS, migration(2, text.format("")))
    assert repair(request(database, good)).error is None
    assert database.query("SELECT to_regclass('s.reached') IS NOT NULL") == [(True,)]
