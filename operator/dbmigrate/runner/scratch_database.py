"""A database to try something in: made for it, and dropped afterwards.

On a server that was named, or on one of our own. It is empty, and looks up names as
the database does that it stands for.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from dbmigrate.postgres.connecting import connect
from dbmigrate.postgres.failures import ServerFailure, history_failure
from dbmigrate.postgres.quoting import identifier
from dbmigrate.postgres.scratch_server import scratch_server
from dbmigrate.postgres.session import Session
from dbmigrate.postgres.target import ConnectionTarget, parse_target


@contextmanager
def scratch_session(target: ConnectionTarget) -> Iterator[Session]:
    """A connection of its own, closed afterwards. Raises MigrationError."""
    session = connect(target, role="rehearsal")
    try:
        yield session
    finally:
        session.close()


@contextmanager
def scratch_database(
    server: ConnectionTarget | None, stands_for: ConnectionTarget, *, prefix: str
) -> Iterator[ConnectionTarget]:
    """A new database on the server; None: on one of our own.

    Raises MigrationError where none can be made.
    """
    if server is None:
        with scratch_server() as words:
            own = parse_target(f"{words} dbname=postgres", {})
            with scratch_database(own, stands_for, prefix=prefix) as scratch:
                yield scratch
        return
    name = f"{prefix}_{secrets.token_hex(6)}"
    with scratch_session(server) as session:
        try:
            session.query(f"CREATE DATABASE {identifier(name)} TEMPLATE template0")
        except ServerFailure as failure:
            raise history_failure(
                failure, f"can't create a scratch database on {server.display}"
            ) from None
        conninfo = {**server.conninfo, "dbname": name}
        if "options" in stands_for.conninfo:
            conninfo["options"] = stands_for.conninfo["options"]
        try:
            yield replace(
                server,
                conninfo=conninfo,
                url_database=None,
                history=stands_for.history,
                display=f"{server.display} ({name})",
            )
        finally:
            session.query(f"DROP DATABASE IF EXISTS {identifier(name)}")
