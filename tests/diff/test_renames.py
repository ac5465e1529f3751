"""Renames: found, told, and done only when they were chosen."""

from __future__ import annotations

import pytest

from dbmigrate.diff.plan import plan_changes
from dbmigrate.diff.renames import Rename, find_renames
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.schema.catalog import ObjectName
from dbmigrate.report import Reason
from tests.database import Server
from tests.diff.round_trip import carry_out, loaded

pytestmark = pytest.mark.database

BEFORE = """CREATE TYPE mood AS ENUM ('sad', 'fine');
CREATE TABLE users (id bigserial PRIMARY KEY, name text NOT NULL, mood mood,
    CONSTRAINT named CHECK (name <> ''));
CREATE INDEX users_name ON users (lower(name)); CREATE VIEW names AS SELECT u.name FROM users u;
CREATE FUNCTION greet(a text) RETURNS text LANGUAGE sql AS 'SELECT a';
CREATE TABLE notes (id int, body varchar(10))"""
AFTER = """CREATE SCHEMA app; CREATE TYPE mood AS ENUM ('blue', 'fine');
CREATE TABLE app.people (id bigserial PRIMARY KEY, name text NOT NULL, mood mood,
    CONSTRAINT has_name CHECK (name <> ''));
CREATE INDEX users_name ON app.people (lower(name));
CREATE VIEW names AS SELECT u.name FROM app.people u;
CREATE FUNCTION hello(a text) RETURNS text LANGUAGE sql AS 'SELECT a';
CREATE TABLE notes (id int, "Text" varchar(10))"""


def rename(kind: str, before: str, after: str) -> Rename:
    return Rename(ObjectName(kind, before), ObjectName(kind, after))


RENAMES = (
    rename("column", "public.notes.body", 'public.notes."Text"'),
    rename("enum value", "public.mood.'sad'", "public.mood.'blue'"),
    rename("function", "public.greet(text)", "public.hello(text)"),
    rename("table", "public.users", "app.people"),
)


def test_candidates_are_found_and_none_is_acted_on(server: Server) -> None:
    with loaded(server, BEFORE) as one, loaded(server, AFTER) as other:
        before, after = one.schema(), other.schema()
        found = find_renames(before, after)
        assert set(RENAMES) <= {each.rename for each in found}
        assert [str(each.rename) for each in found if each.rename.before.kind == "column"] == [
            'column public.notes.body to public.notes."Text"'
        ]
        plan = plan_changes(before, after)
    assert not any(change.action == "rename" for change in plan if "RENAME COLUMN" in change.sql)
    assert any(change.sql == "DROP TABLE public.users" for change in plan)


def test_chosen_renames_come_first_and_lose_nothing(server: Server) -> None:
    chosen = (
        *RENAMES,
        rename("constraint", "app.people.named", "app.people.has_name"),
        rename("constraint", "app.people.users_pkey", "app.people.people_pkey"),
        rename("sequence", "app.users_id_seq", "app.people_id_seq"),
    )
    with loaded(server, BEFORE) as one, loaded(server, AFTER) as other:
        one.session.execute(b"CREATE SCHEMA app")
        renamed = one.schema(chosen)
        plan = carry_out(one, renamed, other.schema(), other.catalog())
    assert [change.sql for change in plan if change.file == 0] == [
        "ALTER TABLE public.users SET SCHEMA app",
        "ALTER TABLE app.users RENAME TO people",
        "ALTER FUNCTION public.greet(text) RENAME TO hello",
        "ALTER SEQUENCE app.users_id_seq RENAME TO people_id_seq",
        'ALTER TABLE public.notes RENAME COLUMN body TO "Text"',
        "ALTER TABLE app.people RENAME CONSTRAINT named TO has_name",
        "ALTER TABLE app.people RENAME CONSTRAINT users_pkey TO people_pkey",
        "ALTER TYPE public.mood RENAME VALUE 'sad' TO 'blue'",
    ]
    assert not any(change.destroys for change in plan)


def test_reading_with_renames_changes_nothing(server: Server) -> None:
    with loaded(server, BEFORE) as one:
        before = one.catalog()
        one.schema((rename("table", "public.users", "public.people"),))
        assert one.catalog() == before


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (rename("table", "public.nothing", "public.people"), "does not exist"),
        (rename("table", "public.users", "public.notes"), "already exists"),
        (rename("cast", "a", "b"), "is not among what can be"),
    ],
)
def test_renames_that_can_not_be_are_refused(server: Server, wrong: Rename, says: str) -> None:
    with loaded(server, BEFORE) as one:
        with pytest.raises(MigrationError, match=says) as raised:
            one.schema((wrong,))
        assert raised.value.reason is Reason.SOURCE_INVALID
        assert one.schema().objects, "the session is of use afterwards"
