"""Settings of a login with which none can work, and two sources of one thing.

Where libpq documents which of two sources counts, it does here as well. What dbmigrate has
beside libpq (a token, a password's and a certificate's file, a role) has no such rule: another
source of the same thing is refused by name. docs/connections.md lists the pairs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dbmigrate.errors import MigrationError, SettingsError
from dbmigrate.postgres.connection.effective import Effective, names_service, read_effective
from dbmigrate.postgres.connection.parameters import CREDENTIAL_FILES
from dbmigrate.postgres.connection.redaction import redact, show
from dbmigrate.postgres.connection.settings import find_settings
from dbmigrate.report import Reason

if TYPE_CHECKING:
    from dbmigrate.postgres.identity.identity import CloudIdentity

_PASSWORD_FILE, _CERTIFICATE = CREDENTIAL_FILES
_VERIFIED = frozenset(("verify-ca", "verify-full"))


def check_login(
    conninfo: Mapping[str, str],
    environ: Mapping[str, str],
    *,
    identity: CloudIdentity | None = None,
    role: str = "",
) -> None:
    """Raise MigrationError for settings that can't work, and for two sources of one thing.

    `role` is the one of -role. Nothing is opened.
    """
    effective = read_effective(conninfo)
    if effective.problem is not None:
        # libpq quotes values of a service's file, too.
        raise _unusable(effective.problem, {**effective.values, **conninfo}, environ)
    sources = _Sources(conninfo, environ, effective)
    _check_passwords(sources, identity)
    _check_certificates(sources)
    _check_roles(conninfo, environ, role)
    _check_authorities(effective)
    if identity is not None:
        from dbmigrate.postgres.identity.passwords import check_encryption

        check_encryption(identity.provider, effective.values)


class _Sources:
    """The sources of a login's parameters."""

    def __init__(
        self, conninfo: Mapping[str, str], environ: Mapping[str, str], effective: Effective
    ) -> None:
        self.conninfo, self.environ, self.effective = conninfo, environ, effective
        self._has_service = names_service(conninfo, environ)

    def of(self, parameter: str, variable: str) -> str | None:
        """The source of libpq's own that counts, in words; None: there is none."""
        if self.conninfo.get(parameter):
            return f"{parameter} in the URL"
        value = self.effective.values.get(parameter)
        is_of_variable = value is None or value == self.environ.get(variable)
        if self._has_service and value is not None and not is_of_variable:
            return f"{parameter} in the service's file"
        return variable if self.environ.get(variable) else None


def _check_passwords(sources: _Sources, identity: CloudIdentity | None) -> None:
    given = [
        sources.of("password", "PGPASSWORD"),
        _named_password_file(sources),
        _PASSWORD_FILE if sources.environ.get(_PASSWORD_FILE) else None,
    ]
    found = [each for each in given if each is not None]
    if identity is not None and found:
        raise _twice(
            f"{found[0]} gives a password, and -identity {identity.provider} logs in with a token",
            "remove one of them (in a DatabaseMigration spec.database.identity)",
        )
    if found[-1:] == [_PASSWORD_FILE] and len(found) > 1:
        raise _twice(
            f"{found[0]} and {_PASSWORD_FILE} both give the password",
            "remove one of them (in a DatabaseMigration the latter is"
            " spec.database.connection.passwordFile)",
        )


def _named_password_file(sources: _Sources) -> str | None:
    """libpq's default, ~/.pgpass, is only looked into where no password is given."""
    is_named = sources.conninfo.get("passfile") or sources.environ.get("PGPASSFILE")
    default = os.path.expanduser("~/.pgpass")
    is_other = sources.effective.values.get("passfile", default) != default
    return sources.of("passfile", "PGPASSFILE") if is_named or is_other else None


def _check_certificates(sources: _Sources) -> None:
    if not sources.environ.get(_CERTIFICATE):
        return
    names = (("sslcert", "PGSSLCERT"), ("sslkey", "PGSSLKEY"))
    other = next(filter(None, (sources.of(*each) for each in names)), None)
    if other is not None:
        raise _twice(
            f"{other} and {_CERTIFICATE} both name a client certificate",
            "remove one of them (in a DatabaseMigration the latter is"
            " spec.database.clientCertificateFrom)",
        )
    if sources.effective.values.get("sslmode") == "disable":
        raise SettingsError(
            Reason.TLS_FAILED,
            f"sslmode=disable, and {_CERTIFICATE} names a client certificate, which is used"
            " only over TLS",
            hint="write sslmode=verify-full (at least require), or remove the certificate:"
            " in a DatabaseMigration spec.database.clientCertificateFrom",
        )


def _check_roles(conninfo: Mapping[str, str], environ: Mapping[str, str], role: str) -> None:
    if not role:
        return
    where = "the URL" if conninfo.get("options") else "PGOPTIONS"
    others = find_settings(conninfo, environ, "role")
    if any(each != role for each in others):
        raise _twice(
            f"-role is {role}, and {where} names another role to act as",
            "remove one of them (in a DatabaseMigration the first is spec.database.role)",
        )


def _check_authorities(effective: Effective) -> None:
    """libpq looks for the file when a server has answered, and only where it verifies."""
    path = effective.values.get("sslrootcert", "")
    if path in ("", "system") or effective.values.get("sslmode") not in _VERIFIED:
        return
    if not os.path.exists(path):
        raise SettingsError(
            Reason.TLS_FAILED,
            f"the root certificate file {show('sslrootcert', path)} does not exist",
            hint="sslrootcert in the URL or PGSSLROOTCERT names it: put the certificates"
            " there, or use `system` for the authorities of this machine",
        )


def _unusable(
    problem: str, conninfo: Mapping[str, str], environ: Mapping[str, str]
) -> MigrationError:
    is_tls = "ssl" in problem.lower()
    shown = redact(" ".join(problem.split()), conninfo, environ)
    return SettingsError(
        Reason.TLS_FAILED if is_tls else Reason.CONNECTION_INVALID,
        f"the connection's settings can't work: {shown}",
        hint="check the parameters of the URL, the PG variables, and the service's file",
    )


def _twice(message: str, hint: str) -> MigrationError:
    return SettingsError(Reason.CONNECTION_INVALID, message, hint=hint)
