"""Scratch databases: new, empty, and dropped afterwards.

They are created on a named server, or on a temporary one that exists as long as the
context. A temporary server may also get a role, which ends with it. A killed run leaves
its scratch database behind; an advisory lock shows which runs are still at work, and the
next run on the server drops the databases without one.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.connect import connect
from dbmigrate.postgres.connection.errors import ConnectionBroken, ServerFailure, history_failure
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.settings import escape_option, without_setting
from dbmigrate.postgres.connection.target import ConnectionTarget, parse_target
from dbmigrate.postgres.scratch.roles import ServerRoles, make_roles
from dbmigrate.postgres.scratch.server import scratch_server
from dbmigrate.postgres.sqltext.quoting import identifier, literal


@dataclass(frozen=True, slots=True)
class ScratchSpace:
    """A server on which databases may be created."""

    server: ConnectionTarget
    is_ours: bool
    """It has no other users: objects for all databases may be created there."""

    @contextmanager
    def database(
        self,
        like: ConnectionTarget,
        purpose: str,
        around: ServerRoles | None = None,
        *,
        name: str | None = None,
    ) -> Iterator[ConnectionTarget]:
        """A new database with that target's history table and search path.

        `around`: what the target has outside its schema and the copy needs, for a temporary
        server only. `name`: that of the target's database, which migrations may mention; it is
        taken where no other client uses the server. Another name starts with `dbmigrate_` and the
        purpose. Raises MigrationError where it cannot be created.
        """
        if not name or name in _INITIAL or not self.is_ours:
            name = f"dbmigrate_{purpose}_{secrets.token_hex(6)}"
        with open_session(self.server, purpose) as session:
            try:
                _drop_abandoned(session, self.server)
                session.query(_HOLD.format(name=literal(name)))
                if around is not None:
                    make_roles(session, around)
                session.command(f"CREATE DATABASE {identifier(name)} TEMPLATE template0")
            except ServerFailure as failure:
                raise history_failure(
                    failure, f"can't create a scratch database on {self.server.display}"
                ) from None
            conninfo = {**self.server.conninfo, "dbname": name}
            if around is not None:
                conninfo["options"] = _surround(like, around)
            elif "options" in like.conninfo:
                conninfo["options"] = without_setting(like.conninfo["options"], "role")
            try:
                yield replace(
                    self.server,
                    conninfo=conninfo,
                    url_database=None,
                    history=like.history,
                    statement_timeout_ms=like.statement_timeout_ms,
                    multi_statement=like.multi_statement,
                    multi_statement_max_size=like.multi_statement_max_size,
                    display=f"{self.server.display} ({name})",
                )
            finally:
                # The next run drops what is left; the error that led here must not be lost.
                with suppress(ServerFailure, ConnectionBroken, MigrationError):
                    _drop(session, self.server, name)


_INITIAL = frozenset(("postgres", "template0", "template1"))
"""The databases of a new server."""
_LOCK_CLASS = 0x64626D73
"""Of the advisory locks on the names of scratch databases."""
_HOLD = f"SELECT pg_catalog.pg_advisory_lock({_LOCK_CLASS}, pg_catalog.hashtext({{name}}))"
_ABANDONED = f"""
SELECT d.datname FROM pg_catalog.pg_database d
WHERE d.datname ~ '^dbmigrate_[a-z]+_[0-9a-f]{{12}}$'
AND pg_catalog.pg_has_role(d.datdba, 'USAGE')
AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid)
AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory'
    AND l.classid = {_LOCK_CLASS} AND l.objsubid = 2 AND l.objid
    = CAST(CAST(pg_catalog.hashtext(d.datname) AS bigint) & 4294967295 AS oid))"""
_FIRST_WITH_FORCE = 130000


def _drop_abandoned(session: Session, server: ConnectionTarget) -> None:
    """Drop the scratch databases of runs that were killed before they could."""
    (rows,) = session.query(_ABANDONED)
    for (name,) in rows:
        try:
            _drop(session, server, name or "")
        except (ServerFailure, MigrationError):
            session.roll_back()  # another run was faster, or has just taken it


def _drop(session: Session, server: ConnectionTarget, name: str) -> None:
    """Together with the sessions and the subscriptions that a script may have made in it."""
    force = " WITH (FORCE)" if session.server_version >= _FIRST_WITH_FORCE else ""
    statement = f"DROP DATABASE IF EXISTS {identifier(name)}{force}"
    try:
        session.command(statement)
    except ServerFailure as failure:
        if failure.sqlstate != _IN_USE:
            raise
        _drop_subscriptions(server, name)
        session.command(statement)


_IN_USE = "55006"
_SUBSCRIPTIONS = """SELECT pg_catalog.quote_ident(s.subname) FROM pg_catalog.pg_subscription s
JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
WHERE d.datname = pg_catalog.current_database()"""


def _drop_subscriptions(server: ConnectionTarget, name: str) -> None:
    """Without a word to their publishers, whose slots are not ours."""
    conninfo = {**server.conninfo, "dbname": name}
    with open_session(replace(server, conninfo=conninfo, url_database=None), "scratch") as session:
        (rows,) = session.query(_SUBSCRIPTIONS)
        for (subscription,) in rows:
            for words in ("DISABLE", "SET (slot_name = NONE)"):
                session.command(f"ALTER SUBSCRIPTION {subscription} {words}")
            session.command(f"DROP SUBSCRIPTION {subscription}")


def _surround(target: ConnectionTarget, around: ServerRoles) -> str:
    """The target's settings; its role exists on the scratch server by name, without rights."""
    given = target.conninfo.get("options") or os.environ.get("PGOPTIONS", "")
    given = without_setting(given, "role")
    path = f"-c search_path={escape_option(around.search_path)}"
    return f"{given} {path} -c role=none".strip()


@contextmanager
def scratch_space(server: ConnectionTarget | None) -> Iterator[ScratchSpace]:
    """On that server; None: on a temporary one. Raises MigrationError (DatabaseMissing)."""
    if server is not None:
        yield ScratchSpace(server, is_ours=False)
        return
    with scratch_server() as words:
        yield ScratchSpace(parse_target(f"{words} dbname=postgres", {}), is_ours=True)


@contextmanager
def open_session(target: ConnectionTarget, role: str) -> Iterator[Session]:
    """A separate session, closed at the end. Raises MigrationError."""
    session = connect(target, role=role)
    try:
        yield session
    finally:
        session.close()
