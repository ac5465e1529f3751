"""Why a run can't begin: the connection, the schema, another tool's history."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from dbmigrate.postgres.connection.target import HistoryTable
from dbmigrate.report import Outcome, Reason
from dbmigrate.runner.commands.read_only.version import version
from dbmigrate.runner.commands.up import up
from dbmigrate.runner.observer import Notice
from dbmigrate.runner.request import Options
from dbmigrate.runner.stop import Stop
from tests.database import Database
from tests.database.server import Server
from tests.runner.arrange import Witness, migration, request, source, tables, version_row

pytestmark = pytest.mark.database


def test_a_server_that_is_not_there(database: Database) -> None:
    del database
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        result = up(request(f"postgres://u:secret@127.0.0.1:{port}/d", tables(1)))
    assert result.error is not None
    assert result.error.reason is Reason.CONNECTION_REFUSED
    assert result.error.is_retryable
    assert "secret" not in result.report.to_json()
    assert (result.report.outcome, result.report.version, result.report.dirty) == (
        Outcome.FAILED,
        None,
        None,
    )


def test_a_server_that_comes_up_while_the_first_connection_waits() -> None:
    with Server.start() as server:
        database = server.create_database()
        server.shut_down()

        class Starting(Witness):
            """Starts the server as soon as the run says that it waits for it."""

            def notice(self, notice: Notice) -> None:
                super().notice(notice)
                server.launch()

        observer = Starting()
        options = Options(who="tester", connect_wait=60)
        result = up(request(database, tables(1), options=options, observer=observer))
        assert result.error is None
        (told,) = observer.notices
        assert "Connection refused: retried for 60 s" in told.message
        # Only the first one waits: a server that goes away is the next test's.
        server.shut_down()
        stop = Stop()
        stop.request()
        result = up(request(database, tables(1), options=options, stop=stop))
        assert result.error is not None
        assert result.error.reason is Reason.CONNECTION_REFUSED


def test_a_host_that_does_not_exist() -> None:
    result = version(request("postgres://u@no-such-host.invalid/d"))
    assert result.error is not None
    assert result.error.reason is Reason.HOST_NOT_FOUND
    assert result.error.is_retryable


def test_a_wrong_password_and_its_secrecy(database: Database) -> None:
    role = database.create_role(password="right")
    result = version(request(database.url_for(role, "hunter2")))
    assert result.error is not None
    assert result.error.reason is Reason.AUTHENTICATION_FAILED
    assert not result.error.is_retryable
    assert "hunter2" not in result.report.to_json()


def test_a_database_that_does_not_exist(database: Database) -> None:
    result = version(request(database.url.replace(database.name, "nowhere")))
    assert result.error is not None
    assert result.error.reason is Reason.DATABASE_MISSING


def test_a_server_without_tls(database: Database) -> None:
    result = version(request(database.url.replace("sslmode=disable", "sslmode=require")))
    assert result.error is not None
    assert result.error.reason is Reason.TLS_FAILED


def test_a_search_path_without_a_schema(database: Database) -> None:
    result = up(request(f"{database.url}&search_path=nope", tables(1)))
    assert result.error is not None
    assert result.error.reason is Reason.DATABASE_MISSING
    assert result.error.message.startswith("no schema")


@pytest.mark.parametrize(
    ("columns", "tool"),
    [
        ("version varchar(255) primary key", "dbmate or Rails"),
        ("version bigint primary key, inserted_at timestamp(0)", "Ecto"),
        ("version int not null primary key", "golang-migrate's first version"),
        ("version bigint, n text", "another tool"),
    ],
)
def test_another_tools_history_is_left_alone(database: Database, columns: str, tool: str) -> None:
    database.execute(f"CREATE TABLE schema_migrations ({columns})")
    result = up(request(database, tables(1)))
    assert result.error is not None
    assert result.error.reason is Reason.FOREIGN_HISTORY
    assert f"belongs to {tool}" in result.error.message
    own = f"{database.url}&x-migrations-table=own_history"
    assert up(request(own, tables(1))).unwrap() is None
    assert database.query("SELECT version, dirty FROM own_history") == [(1, False)]
    assert database.query("SELECT count(*) FROM own_history_log") == [(1,)]


def test_a_view_is_no_history(database: Database) -> None:
    database.execute("CREATE VIEW schema_migrations AS SELECT 1::bigint version, false dirty")
    result = up(request(database, tables(1)))
    assert result.error is not None
    assert result.error.reason is Reason.FOREIGN_HISTORY


def test_two_version_rows_are_one_too_many(database: Database) -> None:
    up(request(database, tables(1))).unwrap()
    database.execute("INSERT INTO schema_migrations VALUES (7, false)")
    result = up(request(database, tables(1)))
    assert result.error is not None
    assert result.error.reason is Reason.FOREIGN_HISTORY
    assert len(version_row(database)) == 2


def test_a_role_that_may_not_create_tables_is_told_what_is_missing(database: Database) -> None:
    role = database.create_role(password="p")
    result = up(request(database.url_for(role, "p"), tables(1)))
    assert result.error is not None
    assert result.error.sqlstate == "42501"
    assert "can't prepare the history public.schema_migrations" in result.error.message
    assert result.error.hint is not None


def test_a_role_that_owns_golang_migrates_table_alone_is_enough_to_read_it(
    database: Database,
) -> None:
    database.execute(
        "CREATE TABLE schema_migrations (version bigint not null primary key,"
        " dirty boolean not null); INSERT INTO schema_migrations VALUES (1, false)"
    )
    role = database.create_role(password="p")
    database.execute(f"ALTER TABLE schema_migrations OWNER TO {role}")
    result = up(request(database.url_for(role, "p"), tables(1)))
    assert result.unwrap() is None
    assert result.report.outcome is Outcome.UP_TO_DATE


def test_a_schema_named_like_the_role_does_not_hide_the_history(database: Database) -> None:
    """The first file makes the schema that the default search path begins with: the run goes on
    where it began, and the next one asks which of the two schemas is meant."""
    role = database.create_role(password="secret")
    database.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
    database.execute(f"GRANT CREATE ON DATABASE {database.name} TO {role}")
    url = database.url_for(role, "secret")
    files = source(migration(1, f"CREATE SCHEMA {role};"), *tables(2).migrations)
    up(request(url, files)).unwrap()
    assert database.query("SELECT version FROM public.schema_migrations") == [(2,)]
    more = source(*files.migrations, *tables(3).migrations)
    for use_case in (lambda: up(request(url, more)), lambda: version(request(url))):
        error = use_case().error
        assert error is not None
        assert error.reason is Reason.FOREIGN_HISTORY
        assert f"{role}.schema_migrations, which does not exist" in error.message
        assert "public.schema_migrations" in error.message
        assert "-history-table public.schema_migrations" in (error.hint or "")
    assert database.query(f"SELECT to_regclass('{role}.schema_migrations')") == [(None,)]
    named = HistoryTable("public")
    target = request(url, more).target
    there = replace(request(url, more), target=replace(target, history=named))
    assert up(there).report.version == "3"


@pytest.mark.parametrize(
    ("here", "behind", "is_refused"),
    [
        ("", "CREATE TABLE behind.schema_migrations (version bigint, dirty boolean)", True),
        ("", "CREATE TABLE behind.schema_migrations (version varchar primary key)", False),
        ("", "CREATE VIEW behind.schema_migrations AS SELECT 1 AS version", False),
        (
            "CREATE TABLE here.schema_migrations (version bigint primary key, dirty boolean)",
            "CREATE TABLE behind.schema_migrations (version bigint, dirty boolean)",
            False,
        ),
    ],
)
def test_what_another_schema_of_the_path_holds_decides(
    database: Database, here: str, behind: str, is_refused: bool
) -> None:
    database.execute("CREATE SCHEMA here; CREATE SCHEMA behind")
    for statement in filter(None, (here, behind)):
        database.execute(statement)
    result = up(request(f"{database.url}&search_path=here,behind", tables(1)))
    assert (result.error is not None) is is_refused
    if result.error is not None:
        assert result.error.reason is Reason.FOREIGN_HISTORY
    # A schema that is not in the path may have a history of its own.
    up(request(f"{database.url}&search_path=here", tables(1))).unwrap()


def test_a_log_behind_a_table_without_one_is_seen(database: Database) -> None:
    """golang-migrate's program has begun a second history in the schema that came first."""
    up(request(database, tables(1))).unwrap()
    database.execute(
        "CREATE SCHEMA here; CREATE TABLE here.schema_migrations"
        " (version bigint not null primary key, dirty boolean not null)"
    )
    error = up(request(f"{database.url}&search_path=here,public", tables(1))).error
    assert error is not None
    assert "has no log of dbmigrate's" in error.message


def test_a_password_out_of_a_file_is_read_for_every_connection(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = database.create_role(password="first")
    file = tmp_path / "password"
    monkeypatch.setenv("DBMIGRATE_PASSWORD_FILE", str(file))
    host = f"{database.server.host}:{database.server.port}"
    asked = request(f"postgres://{role}@{host}/{database.name}?sslmode=disable")
    file.write_text("first\n")
    assert version(asked).error is None
    database.execute(f"ALTER ROLE {role} PASSWORD 'second-secret'")
    refused = version(asked)
    assert refused.error is not None
    assert refused.error.reason is Reason.AUTHENTICATION_FAILED
    file.write_text("second-secret")
    assert version(asked).error is None
    file.write_text("third-secret")
    refused = version(asked)
    assert refused.error is not None
    assert "third-secret" not in refused.report.to_json()
