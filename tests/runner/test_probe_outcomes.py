"""How `wait` and `wait -once` end, as the table of docs/init-container.md says.

Mistakes in the settings fail at once, and with a message, whatever the database is like. What is
wrong with a database takes a running Pod out of service only if its schema is behind.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli.program import Ran, run
from tests.database import Database

pytestmark = pytest.mark.database

ENDS, WAITS, FAILS = "ends", "waits", "fails"
PASSES, WARNS = "passes", "passes, with a warning"


@dataclass(frozen=True)
class Situation:
    """A command line behind `-database URL`, or in its place, and what is said of it."""

    told: str
    words: tuple[str, ...] = ("-version", "2")
    before: tuple[str, ...] = ()
    url: Callable[[str], str] = lambda url: url
    environ: Mapping[str, str] = field(default_factory=dict)
    sql: str = ""


def elsewhere(url: str) -> str:
    return url.replace(url[url.index("@") : url.index("?")], "@127.0.0.1:1/x")


def at(version: int, dirty: bool = False) -> str:
    return (
        "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);"
        f"INSERT INTO schema_migrations VALUES ({version}, {dirty})"
    )


def with_host(host: str) -> Callable[[str], str]:
    return lambda _: f"host={host} dbname=x"


def with_setting(setting: str) -> Callable[[str], str]:
    return lambda url: elsewhere(url).replace("?sslmode=disable", f"?{setting}")


MISTAKES = {
    "a host name that none can be": Situation("no host's name", url=with_host("a..b")),
    "a label of 64 characters": Situation("no host's name", url=with_host("a" * 64)),
    "no URL": Situation("not a URL", url=lambda _: "psql shop"),
    "another driver": Situation("unknown driver", url=lambda _: "mysql://a/b"),
    "a service that no file has": Situation("not found", url=lambda u: f"{u}&service=none"),
    "a word that libpq does not know": Situation("sslmode", url=with_setting("sslmode=verify")),
    "another one": Situation("require_auth", url=with_setting("require_auth=any")),
    "no file of authorities": Situation(
        "/none.pem does not exist", url=with_setting("sslmode=verify-full&sslrootcert=/none.pem")
    ),
    "no file of the password": Situation(
        "/none can't be read", environ={"DBMIGRATE_PASSWORD_FILE": "/none"}
    ),
    "no client certificate": Situation(
        "/none can't be read",
        url=with_setting("sslmode=require"),
        environ={"DBMIGRATE_CLIENT_CERTIFICATE": "/none"},
    ),
    "a client certificate without TLS": Situation(
        "sslmode=disable", environ={"DBMIGRATE_CLIENT_CERTIFICATE": "/none"}
    ),
    "a token without TLS": Situation("over TLS alone", before=("-identity", "gcp")),
    "a token and a password": Situation(
        "PGPASSWORD",
        before=("-identity", "gcp"),
        url=with_setting("sslmode=require"),
        environ={"PGPASSWORD": "x"},
    ),
    "an unknown identity": Situation("identity", before=("-identity", "oracle")),
    "an unknown format": Situation("-format", before=("-format", "rails")),
    "an unknown history": Situation("-history", words=("-history", "x", "-version", "1")),
    "a history without a name": Situation("-history needs -version", words=("-history", "django")),
    "a name that is none": Situation("APP.NAME", words=("-history", "django", "-version", "a.")),
    "a version that is none": Situation("version", words=("-version", "x")),
    "an unknown flag": Situation("-onze", words=("-onze",)),
    "an unknown twin's value": Situation(
        "DBMIGRATE_WAIT_ONCE", environ={"DBMIGRATE_WAIT_ONCE": "perhaps"}
    ),
    "an operand": Situation("too many arguments", words=("-version", "1", "2")),
    "no files": Situation("none", words=(), before=("-path", "/none")),
    "a table's name that is none": Situation("history table", before=("-history-table", "a.b.c")),
    "another tool's table": Situation(
        "belongs to another tool", sql="CREATE TABLE schema_migrations (id int, n int)"
    ),
    "a table that is not the ORM's": Situation(
        "is not Django's",
        words=("-history", "django", "-version", "1"),
        sql="CREATE TABLE django_migrations (id int)",
    ),
    "a view": Situation("is a view", sql="CREATE VIEW schema_migrations AS SELECT 1 AS version"),
}


Ask = Callable[..., Ran]


@pytest.fixture
def arrange(database: Database, tmp_path: Path) -> Ask:
    def ask(situation: Situation, *more: str) -> Ran:
        if situation.sql:
            database.execute(situation.sql)
        words = ("-database", situation.url(database.url), *situation.before, "wait", *more)
        return run(*words, *situation.words, environ=situation.environ, cwd=tmp_path)

    return ask


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_settings_fails_whatever_the_database_is_like(
    arrange: Ask, database: Database, name: str
) -> None:
    situation = MISTAKES[name]
    for more in ((), ("-once",), ("-timeout", "1h")):
        done = arrange(situation, *more)
        assert done.code in (1, 2), done.stderr
        assert situation.told in done.stderr
        assert "not known to be behind" not in done.stderr
        database.execute(
            "DROP VIEW IF EXISTS v; DO $$ BEGIN EXECUTE (SELECT coalesce(string_agg(format("
            "'DROP %s %I', CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, relname), ';'), '')"
            " FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v'));"
            " END $$"
        )


STATES = {
    "at the version": (at(2), ENDS, PASSES),
    "above it": (at(3), ENDS, PASSES),
    "below it": (at(1), WAITS, FAILS),
    "without a version": ("SELECT 1", WAITS, FAILS),
    "dirty at the version": (at(2, True), WAITS, WARNS),
    "dirty below it": (at(1, True), WAITS, FAILS),
    "another tool has migrated it": (
        "CREATE TABLE alembic_version (version_num text)",
        WAITS,
        FAILS,
    ),
    "may not be read": (at(2), WAITS, WARNS),
    "another password": (at(2), FAILS, WARNS),
    "no such database": ("SELECT 1", WAITS, FAILS),
    "no server": ("SELECT 1", WAITS, WARNS),
    "a name that nobody knows": ("SELECT 1", WAITS, WARNS),
    "a server without TLS": (at(2), FAILS, WARNS),
    "a server that is full": (at(2), WAITS, WARNS),
}


def url_of(database: Database, state: str) -> str:
    url = database.url
    if state == "may not be read":
        return database.url_for(database.create_role(password="p"), "p")
    if state == "another password":
        return database.url_for(database.create_role(password="p"), "q")
    if state == "no such database":
        return url.replace(database.name, "none")
    if state == "no server":
        with socket.create_server(("127.0.0.1", 0)) as closed:
            return f"postgres://u@127.0.0.1:{closed.getsockname()[1]}/x?sslmode=disable"
    if state == "a name that nobody knows":
        return "postgres://u@none.invalid/x"
    if state == "a server without TLS":
        return url.replace("sslmode=disable", "sslmode=require")
    if state == "a server that is full":
        role = database.create_role(password="p")
        database.execute(f"ALTER ROLE {role} CONNECTION LIMIT 0")
        return database.url_for(role, "p")
    return url


@pytest.mark.parametrize("state", STATES)
def test_a_database_that_is_not_known_to_be_behind_takes_no_pod_out_of_service(
    database: Database, state: str
) -> None:
    sql, blocking, probing = STATES[state]
    database.execute(sql)
    url = url_of(database, state)
    words = ("-database", url, "wait", "-version", "2")
    probed = run(*words, "-once")
    assert probed.code == (1 if probing == FAILS else 0), probed.stderr
    assert ("not known to be behind" in probed.stderr) == (probing == WARNS)
    assert (probed.stderr == "") == (probing == PASSES)
    waited = run(*words, "-timeout", "0s")
    assert waited.code == (0 if blocking == ENDS else 1), waited.stderr
    assert ("gave up waiting" in waited.stderr) == (blocking == WAITS)
