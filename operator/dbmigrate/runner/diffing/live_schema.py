"""The live schema of the target, and the settings under which its migrations have run.

The read waits for no lock that a migration has: it steps aside, and begins again.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.diff.reader import read_schema
from dbmigrate.diff.schema import Schema
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import LOCK_NOT_AVAILABLE, ServerFailure
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.settings import escape_option
from dbmigrate.postgres.scratch.roles import ServerRoles, read_server_roles
from dbmigrate.report import Reason
from dbmigrate.runner.lock_retry import Patience
from dbmigrate.runner.request import Request

LOCK_TIMEOUT_MS = 100
"""Below the second after which a server looks for deadlocks: a migration must not be its victim."""
UNDERSTANDING = (
    "TimeZone",
    "DateStyle",
    "IntervalStyle",
    "standard_conforming_strings",
    "backslash_quote",
    "transform_null_equals",
    "array_nulls",
    "xmloption",
    "check_function_bodies",
)
"""Settings that decide what a migration's statements mean, beside the search path."""


@dataclass(frozen=True, slots=True)
class LiveSchema:
    """What the target's session sees."""

    schema: Schema
    database: str
    around: ServerRoles
    """The roles of its server, and its search path."""
    schemas: tuple[str, ...]
    """Of that path, those that exist, except for the server's own."""
    settings: tuple[tuple[str, str], ...]

    def options(self, given: str) -> str:
        """The options of a connection under which statements mean the same."""
        path = ("search_path", self.around.search_path)
        words = [f"-c {name}={escape_option(value)}" for name, value in (path, *self.settings)]
        return " ".join([given, *words] if given else words)


def read_live_schema(session: Session, request: Request) -> LiveSchema:
    """Read them. Raises MigrationError (BlockedByQuery) where something is locked for too long."""
    patience = Patience(request)
    while True:
        try:
            return _read_at_once(session, request)
        except ServerFailure as failure:
            if failure.sqlstate != LOCK_NOT_AVAILABLE:
                raise
            if not patience.has_time:
                raise MigrationError(
                    Reason.BLOCKED_BY_QUERY,
                    "another session, a migration perhaps, has locked a part of the schema",
                    sqlstate=failure.sqlstate,
                    hint="look again when its transaction has ended",
                ) from None
        patience.pause()


def _read_at_once(session: Session, request: Request) -> LiveSchema:
    values = ", ".join(f"pg_catalog.current_setting('{name}')" for name in UNDERSTANDING)
    ((row,),) = session.query_as_user(
        "SELECT pg_catalog.current_database(),"
        f" pg_catalog.array_to_string(pg_catalog.current_schemas(false), E'\\n'), {values}"
    )
    database, schemas, *settings = (text or "" for text in row)
    return LiveSchema(
        schema=read_schema(
            session, without=request.target.history, lock_timeout_ms=LOCK_TIMEOUT_MS
        ),
        database=database,
        around=read_server_roles(session),
        schemas=tuple(schemas.split("\n")) if schemas else (),
        settings=tuple(zip(UNDERSTANDING, settings, strict=True)),
    )
