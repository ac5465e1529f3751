"""A step without a transaction whose run was killed: the next run goes on with it by itself.

It does so only where the log and the database tell for certain what is done. All else is
for a person, who finds everything as the killed run has left it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from dbmigrate.report import Reason
from dbmigrate.runner.commands.goto import goto
from dbmigrate.runner.commands.repair import repair
from dbmigrate.runner.commands.up import up
from tests.database import Database
from tests.runner.arrange import (
    BEGUN,
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
    "CREATE TABLE users (id int, email text);\nCREATE INDEX old ON users (id);\n"
    "CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'",
)
AFTER = "\nCREATE TABLE reached ();"
INDEX = "CREATE INDEX CONCURRENTLY i ON users (id)"
INDEXES = "SELECT indexrelid::regclass::text, indisvalid FROM pg_index WHERE indrelid > 16383"
INVALID = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass"


@dataclass(frozen=True)
class Case:
    """What was under way, and what the killed run, or somebody else, has left."""

    statement: str
    left: str = "SELECT 1"
    before: str = BEGUN


CERTAIN = [
    Case(INDEX),
    Case(INDEX, f"CREATE INDEX i ON users (id); {INVALID}"),
    Case(INDEX, "CREATE INDEX i ON users (id)"),
    Case(f"{INDEX} WHERE id > 0", f"CREATE INDEX i ON users (id) WHERE id > 0; {INVALID}"),
    Case(INDEX.replace(" i ", " IF NOT EXISTS i "), f"CREATE INDEX i ON users (id); {INVALID}"),
    Case("DROP INDEX CONCURRENTLY old"),
    Case("DROP INDEX CONCURRENTLY old", INVALID.replace("'i'", "'old'")),
    Case("VACUUM users"),
    Case("INSERT INTO users VALUES (1); VACUUM"),
    Case("BEGIN; INSERT INTO users VALUES (1); COMMIT; VACUUM"),
    Case("BEGIN ISOLATION LEVEL SERIALIZABLE; INSERT INTO users VALUES (1); END; VACUUM"),
]
UNCERTAIN = [
    Case(INDEX, f"CREATE INDEX i ON users (email); {INVALID}"),
    Case(INDEX, f"CREATE UNIQUE INDEX i ON users (id); {INVALID}"),
    Case(INDEX, f"CREATE TABLE other (id int); CREATE INDEX i ON other (id); {INVALID}"),
    Case("CREATE INDEX CONCURRENTLY ON users (id)"),
    Case(f"VACUUM users; {INDEX}", f"CREATE INDEX i ON users (id); {INVALID}"),
    Case("REINDEX INDEX CONCURRENTLY old"),
    Case("CALL p()"),
    Case("ALTER SYSTEM RESET work_mem"),
    Case("SET ROLE NONE; VACUUM users", before=BEGUN),
    Case("BEGIN; INSERT INTO users VALUES (1); COMMIT AND CHAIN; COMMIT; VACUUM"),
    Case("BEGIN; ROLLBACK; VACUUM"),
    Case("BEGIN; PREPARE TRANSACTION 'x'; VACUUM"),
]


def kill_in(database: Database, case: Case) -> str:
    """Make the database what it is when a run was killed in that statement; the script."""
    up(request(database, source(USERS))).unwrap()
    broken = migration(2, f"{case.before}SELECT 1/0; VACUUM")
    assert up(request(database, source(USERS, broken))).error is not None
    script = f"{case.before}{case.statement};{AFTER}"
    leave_running(database, case.before, script)
    for statement in case.left.split("; "):
        database.execute(statement)
    return script


@pytest.mark.parametrize("run", [up, goto])
@pytest.mark.parametrize("case", CERTAIN, ids=lambda case: f"{case.statement} / {case.left}")
def test_what_is_certain_is_gone_on_with(database: Database, case: Case, run: object) -> None:
    script = kill_in(database, case)
    result = run(request(database, source(USERS, migration(2, script))))  # type: ignore[operator]
    assert result.error is None
    assert version_row(database) == [(2, False)]
    assert "reached" in table_names(database)
    assert database.query("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == [(0,)]
    rows = database.query("SELECT count(*) FROM users")[0][0]
    assert rows == case.statement.count("INSERT")


@pytest.mark.parametrize("case", UNCERTAIN, ids=lambda case: f"{case.statement} / {case.left}")
def test_what_is_not_is_left_to_a_person_as_it_is(database: Database, case: Case) -> None:
    script = kill_in(database, case)
    before = database.query(INDEXES)
    result = up(request(database, source(USERS, migration(2, script))))
    assert result.error is not None
    assert result.error.reason is Reason.DIRTY
    assert version_row(database) == [(2, True)]
    assert database.query(INDEXES) == before
    assert table_names(database) - {"other"} == {"users", "begun"}


def test_a_file_that_was_edited_since_is_left_to_a_person(database: Database) -> None:
    case = Case(INDEX, f"CREATE INDEX i ON users (id); {INVALID}")
    edited = source(USERS, migration(2, kill_in(database, case).replace("reached", "other")))
    result = up(request(database, edited))
    assert result.error is not None
    assert result.error.reason is Reason.DIRTY
    assert repair(request(database, edited)).error is None
    assert "other" in table_names(database)


def test_a_way_that_does_not_lead_through_the_step_is_refused(database: Database) -> None:
    files = source(USERS, migration(2, kill_in(database, Case(INDEX))))
    result = goto(request(database, files), 1)
    assert result.error is not None
    assert result.error.reason is Reason.DIRTY
