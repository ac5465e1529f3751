"""A query and a list whose author is to get no further: not at the catalog, not at passwords."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.connect import connect
from dbmigrate.postgres.connection.target import parse_target
from dbmigrate.runner.fleet import catalog
from tests.cli.program import run_here, write_scripts
from tests.database.server import Database
from tests.fleet.arrange import FIRST, fleet

pytestmark = pytest.mark.database

GIVES = "SELECT 't1' AS name, 't1' AS schema"
WRITING = [
    f"COMMIT; CREATE TABLE pwn(a int); {GIVES}",
    f"SET TRANSACTION READ WRITE; DROP TABLE keep; COMMIT; {GIVES}",
    f"{GIVES}; COMMIT; DROP TABLE keep",
    "COMMIT AND CHAIN",
    "SET TRANSACTION READ WRITE",
    "SELECT 't1' AS name INTO pwn",
    "CREATE TABLE pwn AS SELECT 1",
    "DELETE FROM keep RETURNING 't1' AS name",
    "WITH x AS (DELETE FROM keep RETURNING 1) SELECT 't1' AS name",
    "WITH x AS (SELECT 1) DELETE FROM keep RETURNING 't1' AS name",
    "SELECT 't1' AS name FROM keep FOR UPDATE",
    "SELECT nextval('numbers') AS name",
    "SELECT write_it() AS name",
    "SELECT write_it_otherwise() AS name",
    "SELECT commit_it() AS name",
    "SELECT set_config('transaction_read_only', 'off', false) AS name",
    "SELECT set_config('transaction_read_only', 'off', true) || write_it() AS name",
    "CALL commit_all()",
    "DO $$ BEGIN COMMIT; END $$",
    "EXPLAIN ANALYZE DELETE FROM keep",
    "PREPARE x AS DELETE FROM keep",
    "COPY keep FROM PROGRAM 'echo 2'",
    "COPY keep TO STDOUT",
    "DECLARE c CURSOR FOR SELECT 1",
    "FETCH ALL FROM dbmigrate_targets",
    "SHOW search_path",
    "",
]
"""What must change nothing: by the words, and by the server if the words were not looked at."""
PREPARED = """
CREATE TABLE keep (a int); INSERT INTO keep VALUES (1); CREATE SEQUENCE numbers;
CREATE FUNCTION write_it() RETURNS text LANGUAGE sql AS
  'INSERT INTO keep VALUES (2) RETURNING ''t1''';
CREATE FUNCTION write_it_otherwise() RETURNS text LANGUAGE plpgsql AS
  $$ BEGIN SET TRANSACTION READ WRITE; INSERT INTO keep VALUES (2); RETURN 't1'; END $$;
CREATE FUNCTION commit_it() RETURNS text LANGUAGE plpgsql AS
  $$ BEGIN COMMIT; INSERT INTO keep VALUES (2); RETURN 't1'; END $$;
CREATE PROCEDURE commit_all() LANGUAGE plpgsql AS
  $$ BEGIN COMMIT; INSERT INTO keep VALUES (2); END $$
"""


@pytest.fixture
def prepared(database: Database) -> Database:
    database.execute(PREPARED)
    return database


def contents(database: Database) -> tuple[object, ...]:
    """What the attempts would change."""
    return (
        *database.query("SELECT a FROM keep"),
        *database.query("SELECT is_called FROM numbers"),
        *database.query("SELECT count(*) FROM pg_class"),
    )


def test_a_query_for_the_targets_changes_nothing(prepared: Database, tmp_path: Path) -> None:
    before = contents(prepared)
    files = write_scripts(tmp_path / "files", FIRST)
    target = parse_target(prepared.url, {})
    for sql in WRITING:
        ran = fleet(prepared, files, "status", "-targets-query", sql)
        assert ran.code == 1, (sql, ran.stderr)
        session = connect(target)
        try:
            with pytest.raises(MigrationError, match="the query for the targets failed"):
                catalog._run(session, sql.encode())
        finally:
            session.close()
        assert contents(prepared) == before, sql


def test_what_a_query_changes_of_its_session_is_gone_with_its_transaction(
    prepared: Database,
) -> None:
    session = connect(parse_target(prepared.url, {}))
    try:
        catalog._run(
            session,
            b"WITH x AS (SELECT set_config('default_transaction_read_only', 'on', false))"
            b" SELECT 't1' AS name FROM x;",
        )
        assert not session.is_in_transaction
        assert session.query("SHOW default_transaction_read_only") == [[("off",)]]
    finally:
        session.close()


class Listener:
    """A server of somebody else's, which asks for the password in clear text and keeps it."""

    def __init__(self) -> None:
        self.heard = b""
        self.calls = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = str(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            caller, _ = self._socket.accept()
            with caller:
                if not (said := caller.recv(4096)):
                    return
                self.calls += 1
                if said[4:8] == b"\x04\xd2\x16\x2f":  # asks for TLS
                    caller.sendall(b"N")
                    caller.recv(4096)
                caller.sendall(b"R\x00\x00\x00\x08\x00\x00\x00\x03")
                self.heard += caller.recv(4096)

    def close(self) -> None:
        socket.create_connection(("127.0.0.1", int(self.port))).close()
        self._thread.join()
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    found = Listener()
    yield found
    found.close()


@pytest.mark.parametrize("columns", ["", "'127.0.0.1' AS host,", "'localhost' AS host,"])
def test_a_row_of_a_query_learns_no_password_by_another_port(
    database: Database, tmp_path: Path, listener: Listener, columns: str
) -> None:
    files = write_scripts(tmp_path / "files", FIRST)
    role = database.create_role(password="ganzgeheim")
    query = f"SELECT 'a' AS name, {columns} '{listener.port}' AS port, 'x' AS dbname"
    url = database.url_for(role, "ganzgeheim")
    ran = run_here(
        "-path", str(files), "-database", url,
        "fleet", "up", "-catalog", database.url, "-targets-query", query, "-json",
    )  # fmt: skip
    assert ran.code == 1
    assert json.loads(ran.stdout.splitlines()[0])["error"]["reason"] == "AuthenticationFailed"
    assert listener.calls
    assert b"ganzgeheim" not in listener.heard


def test_a_list_sends_no_file_of_the_machine_to_a_host_of_its_own(
    database: Database, tmp_path: Path, listener: Listener
) -> None:
    files = write_scripts(tmp_path / "files", FIRST)
    secret = tmp_path / "othersecret"
    secret.write_text("ganzgeheim")
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "link").symlink_to(secret)
    (lists / "own").write_text("vonhier")
    names = {str(secret): "leads out", "../othersecret": "leads out", "link": "lies outside"}

    def run(name: str, *more: str, **environ: str) -> str:
        path = lists / "t.csv"
        path.write_text(
            f"name,host,port,user,dbname,password_file\na,127.0.0.1,{listener.port},x,t1,{name}\n"
        )
        ran = run_here(
            *more, "-path", str(files), "-database", database.url,
            "fleet", "up", "-targets", str(path), environ=environ,
        )  # fmt: skip
        assert ran.code == 1
        return ran.stderr

    for name, said in names.items():
        assert said in run(name)
    assert listener.calls == 0
    # Of a resource, whose runs are confined to their source, none is read at all.
    assert "may not name a password file" in run("own", "-confined-to", str(files))
    assert listener.calls == 0
    run("own")
    assert listener.heard.count(b"vonhier") == 1
    # The person, or an owner by job.env, names another directory, which the names stay in.
    (tmp_path / "passwords").mkdir()
    (tmp_path / "passwords" / "a").write_text("vondort")
    where = str(tmp_path / "passwords")
    confined = ("-confined-to", str(files))
    run("a", *confined, DBMIGRATE_FLEET_PASSWORD_DIR=where)
    assert listener.heard.count(b"vondort") == 1
    assert "leads out" in run("../lists/own", *confined, DBMIGRATE_FLEET_PASSWORD_DIR=where)
