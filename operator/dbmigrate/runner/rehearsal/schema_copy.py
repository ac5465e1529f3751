"""What a rehearsal needs of a scratch server: a connection, and a copy of the target's schema.

pg_dump writes the copy as plain SQL, and a session of the runner executes it, so
that a pg_dump that is newer than the scratch server works as well: what an older server does
not know is left out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.connect import connect
from dbmigrate.postgres.connection.errors import ServerFailure
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import ConnectionTarget
from dbmigrate.postgres.history.relations import own_relations
from dbmigrate.postgres.pg_tools import find_program, lock_wait
from dbmigrate.postgres.sqltext.quoting import identifier
from dbmigrate.postgres.sqltext.splitter import split
from dbmigrate.report import Reason
from dbmigrate.runner.request import Request
from dbmigrate.runner.scratch.database import open_session
from dbmigrate.runner.scratch.schema_dump import dump_schema
from dbmigrate.runner.stop import Stop

WAIT_SECONDS = 30.0
"""How long a scratch server may take to come up where its URL has no connect_timeout."""
LOOK_SECONDS = 0.1
BATCH = 200
"""Statements of a dump in one transaction: each object holds a lock until its end."""

_PRIVATE = {
    # The environment's variables are about the target. A scratch server has none of them.
    "options": "",
    "port": "5432",
    "channel_binding": "disable",
    "gssencmode": "disable",
    "target_session_attrs": "any",
}
_NEW_SETTINGS = {"TRANSACTION_TIMEOUT": 170000}
"""What pg_dump sets whatever the server is, and the first version that has it."""


def await_server(server: ConnectionTarget, stop: Stop) -> ConnectionTarget:
    """The scratch server once it answers, from its own settings only. Raises MigrationError."""
    server = replace(server, conninfo={**_PRIVATE, **server.conninfo})
    wait = server.conninfo.get("connect_timeout", "")
    deadline = time.monotonic() + (float(wait) if wait.isdigit() else WAIT_SECONDS)
    while True:
        try:
            connect(server, role="rehearsal", is_brief=True).close()
            return server
        except MigrationError as error:
            if time.monotonic() > deadline or not error.is_retryable:
                raise
        if stop.is_requested:
            raise MigrationError(Reason.INTERRUPTED, "the rehearsal was stopped")
        time.sleep(LOOK_SECONDS)


def copy_schema(
    request: Request,
    scratch: ConnectionTarget,
    *,
    with_roles: bool,
    with_history: bool = False,
) -> None:
    """The target's schema without any data; its history's tables only `with_history`.

    `with_roles`: the scratch server has the target's roles, so that owners and privileges
    can be as they are there. Raises MigrationError.
    """
    words = ["--clean", "--if-exists", "--no-tablespaces"]
    if not with_history:
        tables = map(identifier, own_relations(request.target.history.name))
        words += [f"--exclude-table=*.{table}" for table in tables]
    words.append(lock_wait(request.options.lock_timeout))
    if not with_roles:
        words += ["--no-owner", "--no-privileges"]
    dump = dump_schema(
        find_program("pg_dump"),
        words,
        request.target,
        stop=request.stop,
        stopped="the rehearsal was stopped",
    )
    with open_session(scratch, "rehearsal") as session:
        _load(session, loadable(dump, session.server_version), scratch)


def loadable(dump: bytes, server_version: int) -> Iterator[bytes]:
    """The statements of a plain dump, without those that this server is too old for."""
    for statement in split(dump, file="pg_dump"):
        name = statement.words[1] if statement.words[:1] == ("SET",) else ""
        if server_version >= _NEW_SETTINGS.get(name, 0):
            yield dump[statement.start : statement.end]


def _load(session: Session, statements: Iterator[bytes], scratch: ConnectionTarget) -> None:
    while batch := list(islice(statements, BATCH)):
        try:
            session.execute(b";\n".join(batch))
        except ServerFailure as failure:
            said = batch[min(failure.completed, len(batch) - 1)].decode("utf-8", "replace")
            raise MigrationError(
                Reason.STATEMENT_FAILED,
                f"the schema of the database can't be made on {scratch.display}:"
                f" {failure.error.message}",
                sqlstate=failure.sqlstate,
                detail=" ".join(said.split())[:500],
                hint="a scratch server needs the extensions of the database",
            ) from None
