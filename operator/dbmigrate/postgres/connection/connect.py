"""Opening a connection. refusal.py finds the reason of a failure."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from dbmigrate.errors import MigrationError, SettingsError
from dbmigrate.postgres.connection import certificates, keepalives
from dbmigrate.postgres.connection.effective import names_service, read_effective
from dbmigrate.postgres.connection.handshake import open_connection
from dbmigrate.postgres.connection.libpq import Error, pq
from dbmigrate.postgres.connection.parameters import CREDENTIAL_FILES
from dbmigrate.postgres.connection.redaction import NOT_SHOWN
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.connection.target import ConnectionTarget
from dbmigrate.report import Reason

if TYPE_CHECKING:
    from dbmigrate.postgres.identity.passwords import TokenPasswords

DEFAULTS = {
    "application_name": "dbmigrate",
    "connect_timeout": "10",
    **keepalives.CLIENT,
}
"""Parameters of libpq that apply if the URL does not set them."""

BRIEF_SECONDS = 3
"""How long a session that only helps a run is waited for at most."""

_NO_ROLE = f"role {NOT_SHOWN} does not exist"
"""What is left of the server's message of a role that `options` name."""

NoticeHandler = Callable[[str, str], None]
"""Gets a severity and a message."""


def connect(
    target: ConnectionTarget,
    *,
    role: str = "",
    is_brief: bool = False,
    on_notice: NoticeHandler | None = None,
) -> Session:
    """Open a session. `role` distinguishes several of one run in pg_stat_activity.

    `is_brief` is for a session that the run does not need: it does not wait as long as the
    URL's connect_timeout says.

    Raises MigrationError: ConnectionRefused, HostNotFound, AuthenticationFailed,
    TlsFailed, DatabaseMissing, or Internal for a run-time parameter that the server refuses.
    """
    conninfo: dict[str, str] = {**DEFAULTS, **complete(target)}
    if role:
        conninfo["application_name"] = f"{conninfo['application_name']} {role}"
    if is_brief:
        conninfo["connect_timeout"] = str(BRIEF_SECONDS)
    if certificates.asks_system(conninfo, os.environ):
        certificates.name_system_bundle()
    tokens = token_passwords(target, conninfo)
    _ask_for_no_passphrase(conninfo)
    try:
        connection = open_connection(conninfo, tokens)
    except Error as error:
        raise _refused(error, target, conninfo, tokens) from None
    if on_notice is not None:
        handler = on_notice
        connection.notice_handler = lambda result: handler(*_read_notice(result))
    return Session(connection)


def _ask_for_no_passphrase(conninfo: dict[str, str]) -> None:
    """There is no prompt at a terminal, in whatever file the key is."""
    has_own = os.path.exists(os.path.expanduser("~/.postgresql/postgresql.key"))
    has_other = "sslkey" in conninfo or "PGSSLKEY" in os.environ
    if has_own or has_other or names_service(conninfo, os.environ):
        from dbmigrate.postgres.connection.client_certificate import NO_PASSPHRASE, lacks_passphrase

        if lacks_passphrase(conninfo, os.environ):
            conninfo["sslpassword"] = NO_PASSPHRASE


def complete(target: ConnectionTarget) -> dict[str, str]:
    """The target's parameters, with those of the login files. Raises MigrationError."""
    conninfo = target.conninfo
    if any(map(os.environ.get, CREDENTIAL_FILES)):
        from dbmigrate.postgres.connection.credential_files import with_credentials

        conninfo = with_credentials(conninfo, os.environ)
    return conninfo


def copies_in(variables: Mapping[str, str]) -> Sequence[int]:
    """The descriptors that a program has to inherit to use these variables of libpq's."""
    if not any(map(os.environ.get, CREDENTIAL_FILES)):
        return ()
    from dbmigrate.postgres.connection.credential_files import descriptors_in

    return descriptors_in(variables)


def _read_notice(result: pq.abc.PGresult) -> tuple[str, str]:
    """The severity, untranslated, and the message."""
    fields = (pq.DiagnosticField.SEVERITY_NONLOCALIZED, pq.DiagnosticField.MESSAGE_PRIMARY)
    severity, message = (
        (result.error_field(each) or b"").decode("utf-8", "replace") for each in fields
    )
    return severity or "NOTICE", message


def conninfo_for_program(target: ConnectionTarget) -> Mapping[str, str]:
    """The connection for a program that is started now, with a token where one logs in.

    A token is for one host: of several, the one that answers. Raises as `connect` does.
    """
    conninfo: dict[str, str] = {**DEFAULTS, **complete(target)}
    tokens = token_passwords(target, conninfo)
    if tokens is None:
        return conninfo
    if "," in (conninfo.get("host") or os.environ.get("PGHOST", "")):
        session = connect(target, role="host")
        conninfo |= session.place
        session.close()
    return {**conninfo, "password": tokens(conninfo)}


def token_passwords(target: ConnectionTarget, conninfo: Mapping[str, str]) -> TokenPasswords | None:
    """What gives the passwords of an identity; None: they are in the connection's parameters.

    Raises MigrationError for a connection that no token may be sent on.
    """
    if target.identity is None:
        return None
    from dbmigrate.postgres.identity.passwords import TokenPasswords

    if names_service(conninfo, os.environ):
        conninfo = {**read_effective(conninfo).values, **conninfo}
    return TokenPasswords(target.identity, conninfo, os.environ)


def _refused(
    error: Error,
    target: ConnectionTarget,
    conninfo: dict[str, str],
    tokens: TokenPasswords | None,
) -> MigrationError:
    from dbmigrate.postgres.connection.refusal import LOCAL_FILE, NOT_THE_ONE, explain
    from dbmigrate.postgres.connection.settings import find_settings

    # Without our own defaults, which are no secrets and would be taken out of the text.
    given = {k: v for k, v in conninfo.items() if k not in DEFAULTS or k in target.conninfo}
    if tokens is not None:
        given["password"] = tokens.newest or ""
    reason, text = explain(error, given)
    is_local = reason is Reason.TLS_FAILED and LOCAL_FILE.search(text) is not None
    if tokens is not None:
        text = tokens.hide(text)
    hint = {
        Reason.CONNECTION_REFUSED: "check the host and the port, and that the server runs there:"
        " `dbmigrate wait` waits until it answers",
        Reason.AUTHENTICATION_FAILED: "check the user, the password and pg_hba.conf",
        Reason.HOST_NOT_FOUND: "check the host name in the URL, and DNS where the run executes",
        Reason.TLS_FAILED: "check sslmode, the root certificate and the host name in the URL",
        Reason.DATABASE_MISSING: "create the database first: dbmigrate does not create it",
        Reason.CONNECTION_INVALID: "check the parameters of the URL, and PGOPTIONS",
        Reason.POOLER_UNSAFE: "a pooler does not pass on the session's startup parameters:"
        " connect to PostgreSQL directly",
    }.get(reason)
    if reason is Reason.AUTHENTICATION_FAILED and "no password supplied" in text:
        hint = "give a password: in the URL, in PGPASSWORD, or in a password file (PGPASSFILE)"
    if reason is Reason.AUTHENTICATION_FAILED and "CONNECT privilege" in text:
        hint = "let the role connect: GRANT CONNECT ON DATABASE ... TO the role"
    if reason is Reason.AUTHENTICATION_FAILED and tokens is not None:
        hint = tokens.advise()
    if reason is Reason.CONNECTION_REFUSED and NOT_THE_ONE.search(text):
        hint = (
            "no host satisfies target_session_attrs: name the primary as well, or wait until a"
            " host becomes the primary"
        )
    if reason is Reason.AUTHENTICATION_FAILED and find_settings(
        target.conninfo, os.environ, "role"
    ):
        hint = (
            f"{hint}; and the role that the run acts as (-role, or role= in the URL): it must"
            " exist, and the user must be its member (GRANT ROLE TO USER)"
        )
        if _NO_ROLE in text and target.role:
            text = f"role {target.role} does not exist: {text}"
            hint = (
                f"create the role {target.role}, and make the user its member (GRANT ROLE TO USER),"
                " or name another one: -role, or spec.database.role"
            )
    if reason is Reason.TLS_FAILED and certificates.asks_system(target.conninfo, os.environ):
        hint = (
            "sslrootcert=system trusts the authorities of this machine: check the host name in the"
            " URL, and for an authority of your own name its certificate's file with sslrootcert"
        )
        if not certificates.name_system_bundle():
            hint = "no file with this machine's authorities is known: name one in SSL_CERT_FILE"
    if reason is Reason.TLS_FAILED and "sslpassword" in conninfo:
        from dbmigrate.postgres.connection.client_certificate import NO_PASSPHRASE, PASSPHRASE_HINT

        hint = PASSPHRASE_HINT if conninfo["sslpassword"] == NO_PASSPHRASE else hint
    if any(map(os.environ.get, CREDENTIAL_FILES)):
        from dbmigrate.postgres.connection.credential_files import explain_refusal

        user = conninfo.get("user") or os.environ.get("PGUSER", "")
        text, better = explain_refusal(reason, text, conninfo, user)
        hint = better or hint
    kind = SettingsError if reason is Reason.CONNECTION_INVALID or is_local else MigrationError
    return kind(reason, f"can't connect to {target.display}: {text}", hint=hint)
