"""Where `sslrootcert=system` finds the authorities that this machine trusts.

libpq leaves it to its OpenSSL. The one in psycopg's wheels looks into a directory that no
machine has, so that no certificate would ever be trusted; SSL_CERT_FILE names the file to
it. PostgreSQL's own programs, which we start, take the variable too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping, Sequence

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""OpenSSL's own. Who sets one has chosen."""
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where systems keep them: Debian and distroless, Red Hat (two), SUSE, Alpine and macOS."""


def asks_system(conninfo: Mapping[str, str], environ: Mapping[str, str]) -> bool:
    """Whether a connection trusts the machine's authorities; a service file may say so as well."""
    chosen = conninfo.get("sslrootcert") or environ.get("PGSSLROOTCERT")
    if chosen is not None:
        return chosen == "system"
    return bool(conninfo.get("service") or environ.get("PGSERVICE"))


def name_system_bundle(
    environ: MutableMapping[str, str] = os.environ, bundles: Sequence[str] = BUNDLES
) -> bool:
    """Let OpenSSL know the first bundle that is there; whether there is something to trust."""
    if any(environ.get(name) for name in VARIABLES):
        return True
    found = next((path for path in bundles if os.path.isfile(path)), None)
    if found is not None:
        environ["SSL_CERT_FILE"] = found
    return found is not None
