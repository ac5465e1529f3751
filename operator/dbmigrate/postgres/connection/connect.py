"""Opening a connection. Why one can't be opened is found by refusal.py."""

from __future__ import annotations

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

BRIEF_SECONDS = 3
"""How long a session that only helps a run is waited for at most."""

NoticeHandler = Callable[[str, str], None]
"""Gets a severity and a message."""


def connect(
    target: ConnectionTarget,
    *,
    role: str = "",
    is_brief: bool = False,
    on_notice: NoticeHandler | None = None,
) -> Session:
    """Open a session. `role` tells apart several of one run in pg_stat_activity.

    `is_brief` is for a session without which the run can go on: it does not wait for it as
    long as the URL's connect_timeout says.

    Raises MigrationError: ConnectionRefused, HostNotFound, AuthenticationFailed,
    TlsFailed, DatabaseMissing, or Internal for a run-time parameter that the server refuses.
    """
    conninfo: dict[str, str] = {**DEFAULTS, **target.conninfo}
    if role:
        conninfo["application_name"] = f"{conninfo['application_name']} {role}"
    if is_brief:
        conninfo["connect_timeout"] = str(BRIEF_SECONDS)
    try:
        text = make_conninfo("", **conninfo)
        connection = psycopg.connect(text, autocommit=True)
    except psycopg.Error as error:
        raise _refused(error, target) from None
    if on_notice is not None:
        connection.add_notice_handler(
            lambda diag: on_notice(
                diag.severity_nonlocalized or diag.severity or "NOTICE", diag.message_primary or ""
            )
        )
    return Session(connection)


def _refused(error: psycopg.Error, target: ConnectionTarget) -> MigrationError:
    from dbmigrate.postgres.connection.refusal import explain

    reason, text = explain(error, target.conninfo)
    hint = {
        Reason.AUTHENTICATION_FAILED: "check the user, the password and pg_hba.conf",
        Reason.HOST_NOT_FOUND: "check the host name in the URL, and DNS where the run works",
        Reason.TLS_FAILED: "check sslmode, the root certificate and the host name in the URL",
        Reason.DATABASE_MISSING: "create the database first: dbmigrate does not create it",
        Reason.INTERNAL: "check the run-time parameters of the URL, and PGOPTIONS",
    }.get(reason)
    return MigrationError(reason, f"can't connect to {target.display}: {text}", hint=hint)
