"""Opening a connection, and saying in our words why it could not be opened.

libpq gives no SQLSTATE for a refused connection, only its text. So the text
decides, in the order below, and what matches nothing counts as a server that
is not there yet: trying again is the safe answer to that.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import psycopg
from psycopg.conninfo import make_conninfo

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection import keepalives
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import ConnectionTarget
from dbmigrate.report import Reason

DEFAULTS = {
    "application_name": "dbmigrate",
    "connect_timeout": "10",
    **keepalives.CLIENT,
}
"""What libpq is told when the URL says nothing about it."""

NoticeHandler = Callable[[str, str], None]
"""Gets a severity and a message."""

_STARTING = re.compile(
    r"starting up|shutting down|in recovery|not yet accepting|too many (?:clients|connections)"
    r"|connection slots|cannot connect now",
    re.IGNORECASE,
)
_HOST = re.compile(
    r"failed to resolve host|could not translate host name|Name or service not known"
    r"|name resolution|nodename nor servname",
    re.IGNORECASE,
)
_DATABASE = re.compile(r'database ".*" does not exist|no such database', re.IGNORECASE)
_AUTHENTICATION = re.compile(
    r"authentication failed|no password supplied|password .*(?:required|expired)"
    r"|no pg_hba\.conf entry|pg_hba\.conf rejects|role \".*\" does not exist"
    r"|not permitted to log in|permission denied for database|no such user|SASL|GSSAPI|SCRAM",
    re.IGNORECASE,
)
_TLS = re.compile(
    r"\bSSL\b|\bTLS\b|certificate|root\.crt|sslmode|sslrootcert|does not match host name",
    re.IGNORECASE,
)
_NOT_A_CAUSE = re.compile(r"(?:, |\s)(?:no encryption|SSL encryption|SSL off|SSL on)\b")
"""How a pg_hba.conf refusal ends: it names TLS, but TLS is not what is wrong."""


def connect(
    target: ConnectionTarget, *, role: str = "", on_notice: NoticeHandler | None = None
) -> Session:
    """Open a session. `role` tells apart several of one run in pg_stat_activity.

    Raises MigrationError: ConnectionRefused, HostNotFound, AuthenticationFailed, TlsFailed
    or DatabaseMissing.
    """
    conninfo: dict[str, str] = {**DEFAULTS, **target.conninfo}
    if role:
        # It only helps: the run must not stand still for it.
        conninfo["connect_timeout"] = "3"
        conninfo["application_name"] = f"{conninfo['application_name']} {role}"
    try:
        connection = psycopg.connect(make_conninfo("", **conninfo), autocommit=True)
    except psycopg.Error as error:
        raise _refused(error, target) from None
    if on_notice is not None:
        connection.add_notice_handler(
            lambda diag: on_notice(
                diag.severity_nonlocalized or diag.severity or "NOTICE", diag.message_primary or ""
            )
        )
    return Session(connection)


def reason_of(text: str) -> Reason:
    """Why the server or libpq refused, by the text that it gave."""
    if _STARTING.search(text):
        return Reason.CONNECTION_REFUSED
    if _HOST.search(text):
        return Reason.HOST_NOT_FOUND
    if _DATABASE.search(text):
        return Reason.DATABASE_MISSING
    if _AUTHENTICATION.search(text):
        return Reason.AUTHENTICATION_FAILED
    if _TLS.search(_NOT_A_CAUSE.sub("", text)):
        return Reason.TLS_FAILED
    return Reason.CONNECTION_REFUSED


def _refused(error: psycopg.Error, target: ConnectionTarget) -> MigrationError:
    text = " ".join(str(error).split())
    for prefix in ("connection failed: ", "connection is bad: "):
        text = text.removeprefix(prefix)
    password = target.conninfo.get("password")
    if password:
        text = text.replace(password, "***")
    reason = reason_of(text)
    hint = {
        Reason.AUTHENTICATION_FAILED: "check the user, the password and pg_hba.conf",
        Reason.HOST_NOT_FOUND: "check the host name in the URL, and DNS where the run works",
        Reason.TLS_FAILED: "check sslmode, the root certificate and the host name in the URL",
        Reason.DATABASE_MISSING: "create the database first: dbmigrate does not create it",
    }.get(reason)
    return MigrationError(reason, f"can't connect to {target.display}: {text}", hint=hint)
