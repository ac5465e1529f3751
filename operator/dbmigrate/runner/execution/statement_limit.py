"""Where the time limit comes from that ended a statement: a role, a database or a setting."""

from __future__ import annotations

from dbmigrate.postgres.connection.errors import (
    QUERY_CANCELED,
    ConnectionBroken,
    ServerError,
    ServerFailure,
)
from dbmigrate.runner.database import Database

_SETTING = "SELECT setting, source FROM pg_catalog.pg_settings WHERE name = 'statement_timeout'"
_SOURCES = {
    "user": "the role (ALTER ROLE ... SET)",
    "database": "the database (ALTER DATABASE ... SET)",
    "database user": "the role in this database (ALTER ROLE ... IN DATABASE ... SET)",
    "client": "the connection's options",
    "session": "a statement of the session",
}
"""What pg_settings calls them; all others are the server's configuration."""


def explain_limit(database: Database, error: ServerError) -> str | None:
    """A hint for a canceled statement: its limit, and where it is set.

    None for any other error, and where there was no limit.
    """
    if error.sqlstate != QUERY_CANCELED or database.request.stop.is_urgent:
        return None
    milliseconds, origin = _find(database)
    if not milliseconds:
        return None
    return (
        f"a statement may run for {milliseconds}ms by {origin}; -statement-timeout D sets"
        " another limit, and `none` removes it"
    )


def _find(database: Database) -> tuple[int, str]:
    given = database.request.options.statement_timeout_ms
    if given is not None:
        return given, "-statement-timeout"
    in_url = database.request.target.statement_timeout_ms
    if in_url is not None:
        return in_url, "x-statement-timeout in the URL"
    try:
        ((setting, source),) = database.session.query(_SETTING)[0]
    except (ServerFailure, ConnectionBroken):
        return 0, ""
    return int(setting or 0), _SOURCES.get(source or "", "the server's configuration")
