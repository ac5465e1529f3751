"""`drop` names and refuses what goes along and is not the schema's own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.drop import drop
from dbmigrate.runner.commands.up import up
from tests.database import Database
from tests.runner.arrange import Witness, request, tables

pytestmark = pytest.mark.database

DEPENDENTS = {
    "view other.v": "CREATE VIEW other.v AS TABLE t1",
    "materialized view other.m": "CREATE MATERIALIZED VIEW other.m AS TABLE t1",
    "table constraint far on other.t": "CREATE TABLE other.t (id int);"
    "ALTER TABLE t1 ADD PRIMARY KEY (id);"
    "ALTER TABLE other.t ADD CONSTRAINT far FOREIGN KEY (id) REFERENCES t1",
    "table other.part": "CREATE TABLE parts (a int) PARTITION BY RANGE (a);"
    "CREATE TABLE other.part PARTITION OF parts DEFAULT",
    "table other.child": "CREATE TABLE other.child () INHERITS (t1)",
    "function other.f(public.t1)": "CREATE FUNCTION other.f(t1) RETURNS int LANGUAGE sql"
    " AS 'SELECT 1'",
    "table column other.r.one": "CREATE TABLE other.r (id int, one t1)",
    "policy p on other.p": "CREATE TABLE other.p (id int);"
    "CREATE POLICY p ON other.p USING (id IN (SELECT id FROM public.t1))",
    "default value for other.d.id": "CREATE TABLE numbered (id serial);"
    "CREATE TABLE other.d (id int DEFAULT nextval('numbered_id_seq'))",
    "function other.g()": "CREATE FUNCTION other.g() RETURNS bigint LANGUAGE sql"
    " BEGIN ATOMIC SELECT count(*) FROM t1; END",
}
"""Of each kind of object that can depend on a table: its name, and how it is made."""


def everything(database: Database) -> list[tuple[object, ...]]:
    return database.query(
        "SELECT classid, objid, refclassid, refobjid, deptype FROM pg_depend"
        " WHERE objid >= 16384 ORDER BY 1, 2, 3, 4, 5"
    )


@pytest.mark.parametrize("name", DEPENDENTS)
def test_a_dependent_in_another_schema(database: Database, name: str) -> None:
    up(request(database, tables(1))).unwrap()
    database.execute(f"CREATE SCHEMA other; {DEPENDENTS[name]}")
    before = everything(database)
    result = drop(request(database))
    assert result.error is not None
    assert result.error.reason is Reason.STATEMENT_FAILED
    assert result.error.message.endswith(
        f"objects that do not belong to the schema would be dropped: {name}"
    ), result.error.message
    assert "-cascade" in (result.error.hint or "")
    assert everything(database) == before
    witness = Witness()
    done = drop(request(database, observer=witness), cascade=True)
    assert done.report.outcome is Outcome.APPLIED
    assert [notice.message for notice in witness.notices if "also dropped" in notice.message] == [
        f"also dropped: {name}"
    ]
    assert database.query("SELECT to_regclass('t1')") == [(None,)]


def test_no_dependent_is_forgotten(database: Database) -> None:
    """All kinds at once, and what depends on these in turn."""
    made = "; ".join(DEPENDENTS.values())
    database.execute(f"CREATE SCHEMA other; CREATE TABLE t1 (id int); {made}")
    database.execute("CREATE VIEW other.a AS TABLE other.v; CREATE VIEW here AS TABLE t1")
    result = drop(request(database))
    assert result.error is not None
    _, _, names = result.error.message.partition(
        "objects that do not belong to the schema would be dropped: "
    )
    *shown, more = names.split(", ")
    assert more == "1 more"
    assert len({*DEPENDENTS, "view other.a"} - set(shown)) == 1
    assert drop(request(database), cascade=True).error is None
    left = "SELECT count(*) FROM pg_class WHERE relnamespace = 'other'::regnamespace"
    assert database.query(f"{left} AND relkind IN ('v', 'm')") == [(0,)]


def test_a_superuser_does_not_drop_another_role_s_tables_unasked(database: Database) -> None:
    role = database.create_role(password="p")
    up(request(database, tables(1))).unwrap()
    database.execute(
        f"CREATE TABLE theirs (id int); ALTER TABLE theirs OWNER TO {role};"
        f"CREATE TYPE mood AS ENUM (); ALTER TYPE mood OWNER TO {role}"
    )
    result = drop(request(database))
    assert result.error is not None
    assert f"table public.theirs of role {role}" in result.error.message
    assert f"type public.mood of role {role}" in result.error.message
    assert "t1" not in result.error.message
    assert drop(request(database), cascade=True).error is None
    assert database.query("SELECT to_regclass('theirs')") == [(None,)]


def test_an_application_s_own_role_s_tables_are_the_schema_s_own(database: Database) -> None:
    """Where the application has migrated, and a superuser who knows of it empties the schema."""
    role = database.create_role(password="p")
    database.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
    up(request(database.url_for(role, "p"), tables(1, 2))).unwrap()
    asked = request(database)
    history = replace(asked.target.history, owner=role)
    assert drop(replace(asked, target=replace(asked.target, history=history))).error is None
    assert database.query("SELECT to_regclass('t1')") == [(None,)]


def test_what_comes_to_depend_on_a_table_while_its_lock_is_waited_for(database: Database) -> None:
    up(request(database, tables(1))).unwrap()
    database.execute("CREATE SCHEMA other")
    with database.connect() as other:
        other.execute("BEGIN; CREATE VIEW other.late AS TABLE t1")
        witness = Witness(on_blocked=lambda: other.execute("COMMIT"))
        result = drop(request(database, observer=witness))
    assert result.error is not None
    assert "view other.late" in result.error.message
    assert database.query("SELECT count(*) FROM other.late") == [(0,)]
