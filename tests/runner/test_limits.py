"""Limits of statements: what lifts them, and where a hint says that they come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.program import Ran, run, write_scripts
from tests.database import Database

pytestmark = pytest.mark.database

SLOW = "SELECT pg_sleep(30);"
UNLIMITED = (
    "DO $$ BEGIN ASSERT current_setting('statement_timeout') = '0';"
    " ASSERT current_setting('lock_timeout') = '0'; END $$;"
)


def ran(url: str, directory: Path, *options: str) -> Ran:
    return run("-path", str(directory), "-database", url, *options, "up")


def test_a_limit_of_sessions_is_named_where_it_ends_the_connection(
    database: Database, tmp_path: Path
) -> None:
    ((number,),) = database.query("SELECT current_setting('server_version_num')::int")
    if number < 170000:
        pytest.skip("transaction_timeout begins with PostgreSQL 17")
    write_scripts(tmp_path, {"1_a.up.sql": SLOW})
    ended = ran(f"{database.url}&transaction_timeout=200", tmp_path)
    assert "connection lost during version 1 (a) up, which was rolled back" in ended.stderr
    assert "hint: transaction_timeout is set for the role" in ended.stderr


@pytest.fixture
def limited(database: Database) -> str:
    """The URL for a role on which limits are set."""
    role = database.create_role(password="secret")
    database.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
    database.execute(f"ALTER ROLE {role} SET statement_timeout = '723ms'")
    database.execute(f"ALTER ROLE {role} SET lock_timeout = '4s'")
    return database.url_for(role, "secret")


@pytest.mark.parametrize("head", ["", "-- dbmigrate:no-transaction\n"])
def test_none_lifts_what_the_role_has(limited: str, tmp_path: Path, head: str) -> None:
    write_scripts(tmp_path, {"1_a.up.sql": head + UNLIMITED})
    lifted = ran(limited, tmp_path, "-statement-timeout", "none", "-statement-lock-timeout", "none")
    assert lifted.code == 0, lifted.stderr


@pytest.mark.parametrize("head", ["", "-- dbmigrate:no-transaction\n"])
def test_a_statement_that_took_too_long_says_whose_limit_it_was(
    database: Database, limited: str, tmp_path: Path, head: str
) -> None:
    write_scripts(tmp_path, {"1_a.up.sql": head + SLOW})
    by_role = ran(limited, tmp_path)
    assert "a statement may run for 723ms by the role (ALTER ROLE ... SET)" in by_role.stderr
    assert "-statement-timeout D sets another limit, and `none` removes it" in by_role.stderr
    # The superuser does not trust a history of that role's.
    database.execute("DROP TABLE IF EXISTS schema_migrations, schema_migrations_log")
    by_url = ran(f"{database.url}&x-statement-timeout=650", tmp_path)
    assert "for 650ms by x-statement-timeout in the URL" in by_url.stderr
    by_option = ran(database.url, tmp_path, "-statement-timeout", "600ms")
    assert "for 600ms by -statement-timeout" in by_option.stderr
    in_options = ran(f"{database.url}&statement_timeout=550", tmp_path)
    assert "for 550ms by the connection's options" in in_options.stderr
