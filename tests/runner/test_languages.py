"""Reasons do not depend on the language in which the server speaks.

The server is PostgreSQL 15 as Debian has it, with its German messages; the locale is made
for the test.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dbmigrate.report import Reason
from dbmigrate.runner.commands.read_only.version import version
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.execution.script_text import ScriptText
from tests.database import Database, Server
from tests.database.programs import VARIABLE
from tests.runner.arrange import migration, request, source, table, version_row

pytestmark = pytest.mark.database

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
MESSAGES = Path("/usr/share/locale/de/LC_MESSAGES/postgres-15.mo")
LOCALE = "de_DE.UTF-8"


@pytest.fixture(scope="module")
def german() -> Iterator[Server]:
    localedef = shutil.which("localedef")
    if localedef is None or not MESSAGES.exists() or not (PROGRAMS / "initdb").exists():
        pytest.skip("no PostgreSQL with German messages: Debian's postgresql-15 and locales")
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        Path(directory).chmod(0o755)
        made = [localedef, "-i", "de_DE", "-f", "UTF-8", f"{directory}/{LOCALE}"]
        if subprocess.run(made, capture_output=True, check=False).returncode > 1:
            pytest.skip("the German locale can't be made: Debian's package locales")
        patch.setenv("LOCPATH", directory)
        patch.setenv(VARIABLE, str(PROGRAMS))
        server = Server.start(settings={"lc_messages": LOCALE})
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
def database(german: Server) -> Iterator[Database]:
    made = german.create_database()
    yield made
    made.drop()


def test_the_server_speaks_german(database: Database) -> None:
    with pytest.raises(psycopg.Error, match="Syntaxfehler"):
        database.execute("SELEC 1")


@pytest.mark.parametrize(
    ("change", "reason", "sqlstate"),
    [
        (("postgres@", "{role}:wrong@"), Reason.AUTHENTICATION_FAILED, "28P01"),
        (("postgres@", "nobody-there:x@"), Reason.AUTHENTICATION_FAILED, "28P01"),
        (("/{name}?", "/nowhere?"), Reason.DATABASE_MISSING, "3D000"),
        (("?", "?no_such_setting=1&"), Reason.CONNECTION_INVALID, "42704"),
        (("?", "?statement_timeout=soon&"), Reason.CONNECTION_INVALID, "22023"),
    ],
)
def test_a_refused_login_has_its_reason(
    database: Database, change: tuple[str, str], reason: Reason, sqlstate: str
) -> None:
    names = {"role": database.create_role(password="right"), "name": database.name}
    old, new = (each.format(**names) for each in change)
    result = version(request(database.url.replace(old, new)))
    assert result.error is not None
    assert result.error.reason is reason, result.error.message
    assert f"SQLSTATE {sqlstate}" in result.error.message


def test_a_role_that_may_not_connect_and_one_that_may_not_log_in(database: Database) -> None:
    role = database.create_role(password="right")
    database.execute(f"REVOKE CONNECT ON DATABASE {database.name} FROM PUBLIC")
    for _ in range(2):
        result = version(request(database.url_for(role, "right")))
        assert result.error is not None
        assert result.error.reason is Reason.AUTHENTICATION_FAILED, result.error.message
        database.execute(f"ALTER ROLE {role} NOLOGIN")


def test_too_many_clients_are_worth_another_attempt(database: Database) -> None:
    role = database.create_role(password="right")
    database.execute(f"ALTER ROLE {role} CONNECTION LIMIT 0")
    result = version(request(database.url_for(role, "right")))
    assert result.error is not None
    assert result.error.reason is Reason.CONNECTION_REFUSED
    assert result.error.is_retryable


def test_the_fence_is_recognised(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScriptText, "can_be_one_transaction", True)
    text = "CREATE TABLE t2 (); COMMIT; CREATE TABLE t3 ();"
    result = up(request(database, source(table(1), migration(2, text))))
    assert result.error is not None
    assert result.error.reason is Reason.STATEMENT_FAILED
    assert "ended its own transaction" in result.error.message
    assert version_row(database) == [(2, True)]
