"""Every command against databases that refuse it: each time in words that help.

What needs no database is in tests/unit/cli/test_every_error.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from dbmigrate.cli.arguments.usage import COMMANDS
from tests.cli.errors import SECRET, check_error
from tests.cli.program import run_here, write_scripts
from tests.database.server import Database

LINES = {
    "goto": "goto 2",
    "down": "down 1",
    "force": "force 2",
    "baseline": "baseline 2",
    "prune": "prune -keep 5",
    "adopt": "adopt -f -from goose",
    "backup": "backup saved.dump",
    "wait": "wait -timeout 0",
    "restore": "restore file.dump",
    "drop": "drop -f",
}
OF_FILES = ("create", "convert", "hash", "lint", "diff", "squash", "rehearse", "fleet")
OF_DATABASES = [each for each in COMMANDS if each not in OF_FILES]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.dump").write_text("no dump\n" * 9)
    return write_scripts(tmp_path / "migrations")


def migrate(database: Database, directory: Path) -> None:
    assert run_here("-path", str(directory), "-database", database.url, "up").code == 0


def walk(
    directory: Path,
    url: str,
    *,
    fails: Callable[[str], bool],
    named: str = "hint: ",
    commands: Iterable[str] = OF_DATABASES,
) -> None:
    """Run every command; those that have to fail, and do, are checked."""
    for command in commands:
        line = LINES.get(command, command).split()
        done = run_here("-path", str(directory), "-database", url, *line)
        if done.code != 0 or fails(command):
            check_error(done, codes=(1,), named=named)
            assert "hint: " in done.stderr, done.stderr


def every(_: str) -> bool:
    return True


def test_a_login_that_is_refused(database: Database, files: Path) -> None:
    role = database.create_role(password="other")
    url = database.url_for(role, SECRET)
    walk(files, url, fails=every, named="hint: check the user, the password")
    walk(files, url.replace(f":{SECRET}", ""), fails=every, named="hint: give a password: ")


def test_a_database_that_is_missing_or_not_for_the_role(database: Database, files: Path) -> None:
    missing = database.url.replace(database.name, "nosuch")
    walk(files, missing, fails=every, named="hint: create the database first")
    role = database.create_role(password=SECRET)
    database.execute(f"REVOKE CONNECT ON DATABASE {database.name} FROM PUBLIC")
    url = database.url_for(role, SECRET)
    walk(files, url, fails=every, named="hint: let the role connect: GRANT CONNECT")


def test_a_server_that_is_not_there(files: Path) -> None:
    url = f"postgres://app:{SECRET}@127.0.0.1:1/shop?connect_timeout=2"
    walk(files, url, fails=every, named="hint: check the host and the port")


def test_a_role_without_rights_on_the_history(database: Database, files: Path) -> None:
    migrate(database, files)
    role = database.create_role(password=SECRET)
    walk(files, database.url_for(role, SECRET), fails=every, named="hint: ")


def test_a_role_that_may_read_and_one_that_is_read_only(database: Database, files: Path) -> None:
    migrate(database, files)
    role = database.create_role(password=SECRET)
    database.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    database.execute(f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}")
    url = database.url_for(role, SECRET)
    writing = ("goto", "down", "redo", "drop", "force", "prune")
    walk(files, url, fails=lambda command: command in writing)
    read_only = f"{database.url}&options=-cdefault_transaction_read_only%3Don"
    walk(files, read_only, fails=lambda command: command in writing)


def test_a_search_path_to_nowhere(database: Database, files: Path) -> None:
    walk(files, f"{database.url}&search_path=nosuch", fails=every, named="hint: create the schema")


@pytest.mark.parametrize(
    "table",
    [
        "CREATE VIEW schema_migrations AS SELECT 1 AS version, false AS dirty",
        "CREATE TABLE schema_migrations (version varchar PRIMARY KEY)",
        "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, inserted_at timestamp)",
        "CREATE TABLE schema_migrations (version int)",
    ],
)
def test_a_table_of_another_kind_in_the_place_of_the_history(
    database: Database, files: Path, table: str
) -> None:
    database.execute(table)
    walk(files, database.url, fails=every)


def test_a_database_that_is_dirty(database: Database, files: Path) -> None:
    migrate(database, files)
    database.execute("UPDATE schema_migrations SET version = 2, dirty = true")
    refused = ("up", "goto", "down", "redo", "plan", "apply", "baseline", "repair", "wait", "drift")
    walk(files, database.url, fails=every, commands=refused)


def test_a_database_without_a_history(database: Database, files: Path) -> None:
    walk(files, database.url, fails=every, commands=("redo", "down", "drift", "wait", "adopt"))


def test_files_that_are_not_what_the_database_was_migrated_with(
    database: Database, files: Path
) -> None:
    migrate(database, files)
    (files / "3_orders.up.sql").write_text("SELECT 3;")
    walk(files, database.url, fails=every, commands=("up", "plan", "apply"))
    (files / "3_orders.up.sql").unlink()
    (files / "3_orders.down.sql").unlink()
    walk(files, database.url, fails=every, commands=("up", "redo", "apply", "drift"))
    (files / "2_phone.up.sql").unlink()
    (files / "2_phone.down.sql").unlink()
    database.execute("TRUNCATE schema_migrations, schema_migrations_log")
    walk(files, database.url, fails=every, commands=("goto", "baseline"))
