"""A migration file finds the search path that its session has, whatever ours is around it."""

from __future__ import annotations

import pytest

from dbmigrate.postgres.connection.connect import connect
from dbmigrate.postgres.connection.target import parse_target
from dbmigrate.runner.commands.up import up
from tests.database import Database
from tests.runner.arrange import migration, request, source

pytestmark = pytest.mark.database

SEEN = (
    "INSERT INTO public.seen VALUES"
    " (current_setting('search_path'), current_setting('row_security'))"
)
DEFERRED = f"""
CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql
  AS $$ BEGIN {SEEN}; RETURN NULL; END $$;
CREATE TABLE public.t (id int);
CREATE CONSTRAINT TRIGGER see AFTER INSERT ON public.t DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION public.see()
"""
NOT_ONE_TRANSACTION = "VACUUM public.seen;"


@pytest.fixture
def role(database: Database) -> str:
    """A superuser whose own path is `theirs, public`."""
    name = database.create_role(password="p")
    database.execute(
        f"CREATE SCHEMA theirs; CREATE SCHEMA app; ALTER ROLE {name} SUPERUSER;"
        f"ALTER ROLE {name} SET search_path = theirs, public;"
        "CREATE TABLE public.seen (path text, row_security text)"
    )
    return name


def seen(database: Database) -> list[tuple[str, str]]:
    return [(path, rows) for path, rows in database.query("SELECT * FROM public.seen")]


def test_it_is_that_of_the_url_else_of_the_role(database: Database, role: str) -> None:
    files = source(
        migration(1, SEEN),
        migration(2, f"SET search_path = app; {SEEN}; RESET search_path; {SEEN}"),
        migration(3, f"SET LOCAL search_path = app; {SEEN}; SET search_path TO DEFAULT; {SEEN}"),
        migration(4, f"{NOT_ONE_TRANSACTION} {SEEN}; SET search_path = app; {SEEN}; {SEEN}"),
        migration(5, SEEN),
    )
    url = database.url_for(role, "p")
    own = ("theirs, public", "on")
    app = ("app", "on")
    up(request(url, files)).unwrap()
    assert seen(database) == [own, app, own, app, own, own, app, app, own]
    database.execute("TRUNCATE seen; DROP TABLE theirs.schema_migrations")
    up(request(f"{url}&search_path=public", files)).unwrap()
    own = ("public", "on")
    assert seen(database) == [own, app, own, app, own, own, app, app, own]


@pytest.mark.parametrize(
    "insert",
    [
        "INSERT INTO public.t VALUES (1);",
        "BEGIN; INSERT INTO public.t VALUES (1); COMMIT;",
    ],
)
def test_deferred_triggers_of_a_statement_see_the_path_of_their_file(
    database: Database, role: str, insert: str
) -> None:
    text = f"{NOT_ONE_TRANSACTION} SET search_path = app; {insert}"
    up(request(database.url_for(role, "p"), source(migration(1, DEFERRED), migration(2, text))))
    assert seen(database) == [("app", "on")]


def test_nothing_of_ours_is_left_in_the_session(database: Database) -> None:
    session = connect(parse_target(f"{database.url}&search_path=app", {}))
    settings = "SELECT current_setting('search_path'), current_setting('row_security')"
    assert session.query(settings) == [[("pg_catalog, pg_temp", "off")]]
    assert session.query_as_user(settings) == [[("app", "on")]]
    session.query("BEGIN; SELECT 1; COMMIT")
    assert session.query_as_user(settings) == [[("app", "on")]]
    session.close()
