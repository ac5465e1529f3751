"""The password of each login that an identity makes: a token that is asked for at that moment.

A run opens more than one connection, and a token dies within minutes (AWS) or an hour; so none is
kept here. The providers' libraries keep what is long-lived, and renew it.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping

from dbmigrate.errors import MigrationError, SettingsError
from dbmigrate.postgres.identity.identity import CloudIdentity, Login, Provider
from dbmigrate.report import Reason

ENCRYPTED = frozenset(("require", "verify-ca", "verify-full"))
_DEFAULT_PORT = 5432


class TokenPasswords:
    """The tokens for the logins of one connection, which may have several hosts."""

    def __init__(
        self, identity: CloudIdentity, conninfo: Mapping[str, str], environ: Mapping[str, str]
    ) -> None:
        """Raises MigrationError for a connection that no token may be sent on."""
        _check(identity.provider, conninfo, environ)
        self._identity = identity
        self._given = conninfo
        self._environ = environ
        self.login: Login | None = None
        """The newest one."""
        self._issued: list[str] = []

    def __call__(self, attempt: Mapping[str, object]) -> str:
        """A token for this host. Raises MigrationError where there is none to be had."""
        from dbmigrate.postgres.identity.tokens import issue

        self.login = _read_login(self._identity, {**self._given, **attempt}, self._environ)
        token = issue(self._identity, self.login, self._environ)
        self._issued.append(token)
        return token

    @property
    def newest(self) -> str | None:
        """The token that was issued last."""
        return self._issued[-1] if self._issued else None

    def hide(self, text: str) -> str:
        """The text without the tokens."""
        for token in filter(None, self._issued):
            text = text.replace(token, "(not shown)")
        return text

    def advise(self) -> str:
        """What to look at when the server refuses the token."""
        from dbmigrate.postgres.identity.tokens import advise

        return advise(self._identity, self.login)


def _check(provider: Provider, conninfo: Mapping[str, str], environ: Mapping[str, str]) -> None:
    if conninfo.get("password"):
        raise SettingsError(
            Reason.CONNECTION_INVALID,
            f"the connection has a password, and -identity {provider} logs in with a token",
            hint="leave one of them out",
        )
    said = {
        "sslmode": conninfo.get("sslmode") or environ.get("PGSSLMODE", ""),
        "sslrootcert": conninfo.get("sslrootcert") or environ.get("PGSSLROOTCERT", ""),
    }
    check_encryption(provider, said)


def check_encryption(provider: Provider, values: Mapping[str, str]) -> None:
    """Raise MigrationError unless the connection, with these parameters, is encrypted."""
    mode, roots = values.get("sslmode", ""), values.get("sslrootcert", "")
    # libpq verifies in full by default where it trusts the system's authorities.
    if mode not in ENCRYPTED and (mode or roots != "system"):
        said = f"sslmode={mode}" if mode in ("disable", "allow", "prefer") else "no sslmode"
        raise SettingsError(
            Reason.TLS_FAILED,
            f"a token of {provider} is sent over TLS alone, and the connection has {said}",
            hint="write sslmode=verify-full, and sslrootcert with the provider's certificates, into"
            " the URL (PGSSLMODE, PGSSLROOTCERT); require is the least",
        )


def _read_login(
    identity: CloudIdentity, attempt: Mapping[str, object], environ: Mapping[str, str]
) -> Login:
    def find(name: str, variable: str) -> str:
        return str(attempt.get(name) or "") or environ.get(variable, "")

    host = find("host", "PGHOST") or find("hostaddr", "PGHOSTADDR")
    port = find("port", "PGPORT")
    user = find("user", "PGUSER")
    if not user:
        try:
            user = pwd.getpwuid(os.geteuid()).pw_name  # as libpq does
        except KeyError:
            user = ""
    if identity.provider is Provider.AWS and not (user and (identity.host or host)):
        raise MigrationError(
            Reason.CONNECTION_INVALID,
            f"a token of {identity.provider} is for one user of one host, and the connection names"
            f" no {'host' if user else 'user'}",
            hint="write both into the URL: postgres://USER@HOST:5432/NAME?sslmode=verify-full",
        )
    number = identity.port or (int(port) if port.isdigit() else _DEFAULT_PORT)
    return Login(identity.host or host, number, user)
