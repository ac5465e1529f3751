"""`-role`: users who come and go leave nothing that belongs to them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from dbmigrate.runner.commands.up import up
from dbmigrate.runner.planning.step import PlannedStep
from tests.cli.program import SCRIPTS, run
from tests.database import Database, Server
from tests.database.programs import PostgresUnavailable
from tests.runner.arrange import Witness, migration, request, source, table, version_row

pytestmark = pytest.mark.database

OWNERS = """
SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class c
JOIN pg_namespace n ON n.oid = relnamespace
WHERE n.nspname = 'public'"""


PAGE = Path(__file__).parents[2] / "docs" / "vault.md"


class Vault:
    """Makes and drops users as Vault's database engine does: by the page's own statements, as
    the role that the page makes for it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        name = secrets.token_hex(4)
        self.role, self.login = f"shop owner {name}", f"vault_{name}"
        self.leased: list[str] = []
        (sql,) = re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.S)
        sql = re.sub(r"\bvault\b", self.login, sql).replace("'...'", f"'{self.login}'")
        database.execute(sql.replace("shop_owner", f'"{self.role}"'))

    def lease(self) -> str:
        """The URL of a new user."""
        user = f"v-token-{secrets.token_hex(8)}"
        until = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
        values = {"name": user, "password": user, "expiration": until}
        self._run("creation_statements", values)
        self.leased.append(user)
        return self.database.url_for(user, user)

    def revoke(self) -> None:
        """Drop the newest user, as a lease's end does."""
        self._run("revocation_statements", {"name": self.leased[-1]})

    def _run(self, which: str, values: Mapping[str, str]) -> None:
        (sql,) = re.findall(rf'{which}="((?:[^"\\]|\\.)*)"', PAGE.read_text())
        sql = sql.replace('\\"', '"').replace("shop_owner", f'"{self.role}"')
        for name, value in values.items():
            sql = sql.replace(f"{{{{{name}}}}}", value)
        url = self.database.url_for(self.login, self.login)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.encode())


@pytest.fixture
def vault(database: Database) -> Iterator[Vault]:
    made = Vault(database)
    yield made
    for name in (made.role, made.login):
        database.execute(f'DROP OWNED BY "{name}"')
    there = {name for (name,) in database.query("SELECT rolname FROM pg_roles")}
    for name in (*sorted(there & set(made.leased)), made.login, made.role):
        database.execute(f'DROP ROLE "{name}"')


@pytest.fixture
def files(tmp_path: Path) -> Path:
    directory = tmp_path / "migrations"
    directory.mkdir()
    for name, text in SCRIPTS.items():
        (directory / name).write_text(text)
    return directory


def owners(database: Database) -> list[str]:
    return [name for (name,) in database.query(OWNERS)]


@pytest.mark.parametrize("is_in_url", [False, True])
def test_each_run_has_another_user_and_all_belongs_to_the_role(
    vault: Vault, files: Path, is_in_url: bool
) -> None:
    database = vault.database

    def migrate(*command: str) -> None:
        url = vault.lease()
        if is_in_url:
            done = run("-path", str(files), "-database", f"{url}&role={vault.role}", *command)
        else:
            done = run("-path", str(files), "-role", vault.role, "-database", url, *command)
        assert done.code == 0, done.stderr
        vault.revoke()  # fails where the user owns anything

    migrate("up", "1")
    (files / "2_phone.up.sql").write_text(
        "RESET ROLE; ALTER TABLE users ADD phone text; CREATE TABLE made_by_reset ();"
    )
    migrate("up", "1")
    # Statement by statement, beside the transaction.
    (files / "4_index.up.sql").write_text("CREATE INDEX CONCURRENTLY o ON orders (id);")
    migrate("up")
    migrate("down", "1")
    migrate("verify")
    migrate("status")
    assert owners(database) == [vault.role]
    who = database.query("SELECT DISTINCT executed_by FROM schema_migrations_log ORDER BY 1")
    assert {name for (name,) in who} == set(vault.leased[:4])


@pytest.mark.parametrize("is_one_transaction", [True, False])
def test_a_lease_that_ends_during_a_run_ends_the_run_and_the_next_one_continues(
    vault: Vault, is_one_transaction: bool
) -> None:
    def end_lease(step: PlannedStep) -> None:
        if step.version == 2:
            vault.revoke()

    alone = migration(2, "CREATE INDEX CONCURRENTLY i ON t1 (id);", "DROP INDEX i;")
    database = vault.database
    files = source(table(1), table(2) if is_one_transaction else alone, table(3))
    url = f"{vault.lease()}&role={vault.role}"
    error = up(request(url, files, observer=Witness(on_start=end_lease))).error
    assert error is not None
    assert "let leases last longer than runs" in f"{error.hint}", error
    assert version_row(database) == [(1, False)]
    assert up(request(f"{vault.lease()}&role={vault.role}", files)).unwrap() is None
    assert version_row(database) == [(3, False)]


def test_a_role_that_the_user_may_not_act_as_is_told(vault: Vault, files: Path) -> None:
    database = vault.database
    user = database.create_role()
    url = database.url_for(user, user)
    for role in (vault.role, "nobody has it"):
        done = run("-path", str(files), "-role", role, "-database", url, "up")
        assert done.code == 1
        assert "GRANT ROLE TO USER" in done.stderr
    said = run("-role", "nosuch", "-database", url, "version").stderr
    assert ": role nosuch does not exist: " in said
    assert "create the role nosuch" in said
    # A parameter of a URL may be the end of a password.
    assert "nosuch" not in run("-database", f"{url}&role=nosuch", "version").stderr
    done = run("-role", "", "-database", url, "version")
    assert done.code == 2


def test_a_scratch_database_needs_no_such_role(vault: Vault, files: Path, server: Server) -> None:
    (files / "4_more.up.sql").write_text("ALTER TABLE orders ADD more int;")
    (files / "4_more.down.sql").write_text("ALTER TABLE orders DROP more;")
    url = vault.lease()
    done = run("-path", str(files), "-role", vault.role, "-database", url, "up", "3")
    assert done.code == 0, done.stderr
    with other_server(server) as scratch:
        for command in (
            ["-rehearse-on", scratch.url("postgres"), "up"],
            ["rehearse", "-copy", "-dev-url", scratch.url("postgres")],
            ["diff", "-to", f"file://{files}", "-check", "-dev-url", scratch.url("postgres"), "x"],
        ):
            done = run("-path", str(files), "-role", vault.role, "-database", url, *command)
            assert done.code == 0, (command, done.stderr)
            assert "what it may not do" not in done.stderr
    assert owners(vault.database) == [vault.role]


def other_server(server: Server) -> Server:
    """One that has none of the database's roles, of the same version."""
    try:
        return Server.start(settings={"max_connections": "50"})
    except PostgresUnavailable as problem:
        pytest.skip(f"NOT TESTED: {problem}, beside {server.host}")
