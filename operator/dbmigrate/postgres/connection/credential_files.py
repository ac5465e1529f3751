"""A password and a client certificate in files, read for every connection that is opened.

Files of a mounted Secret change while a run is at work, and belong to a user and have a mode
of the cluster's choice. libpq refuses a private key that others may read: it gets a copy of
the certificate and the key, from one and the same version of the directory, that only this
process's user may read.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from dbmigrate.errors import MigrationError, SettingsError, cause_of
from dbmigrate.postgres.connection.client_certificate import (
    describe,
    is_encrypted,
    read_certificate,
)
from dbmigrate.postgres.connection.parameters import CREDENTIAL_FILES
from dbmigrate.report import Reason

PASSWORD_VARIABLE, CERTIFICATE_VARIABLE = CREDENTIAL_FILES
"""A file with the password, where a line break at its end does not count; and a directory with
tls.crt and tls.key, as a Secret of type kubernetes.io/tls is mounted."""
CERTIFICATE, KEY = "tls.crt", "tls.key"
SIZE_LIMIT = 1024 * 1024
"""Of a Secret, too."""


def with_credentials(conninfo: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """The connection with what the files hold now; what it says itself wins, as a URL of its own
    does for another database of the same run (login_sources.py refuses both for one database).

    Raises MigrationError: AuthenticationFailed, TlsFailed.
    """
    complete = dict(conninfo)
    path = environ.get(PASSWORD_VARIABLE)
    if path and "password" not in conninfo:
        complete["password"] = _read_password(path)
    directory = environ.get(CERTIFICATE_VARIABLE)
    if directory and not {"sslcert", "sslkey"} & set(conninfo):
        certificate, key = _read_pair(Path(directory))
        complete["sslcert"], complete["sslkey"] = _copies.make(directory, certificate, key)
    return complete


def _read_password(path: str) -> str:
    problem = ""
    try:
        text = _read(Path(path)).decode()
    except OSError as error:
        problem = f"can't be read: {cause_of(error)}"
    except UnicodeDecodeError:
        problem = "is not UTF-8"
    else:
        text = text.removesuffix("\n").removesuffix("\r")
        if not text or "\0" in text:
            problem = "holds a NUL character" if text else "is empty"
    if problem:
        raise SettingsError(
            Reason.AUTHENTICATION_FAILED,
            f"the password's file {path} {problem}",
            hint=f"{PASSWORD_VARIABLE} names it: in a DatabaseMigration spec.database.connection"
            ".passwordFile, which job.volumes and job.volumeMounts must mount there",
        )
    return text


def _read_pair(directory: Path) -> tuple[bytes, bytes]:
    try:
        # A kubelet replaces all files of a volume at once, by the target of one link.
        here = (directory / KEY).resolve(strict=True).parent
        certificate, key = _read(here / CERTIFICATE), _read(here / KEY)
    except (OSError, RuntimeError) as error:
        said = cause_of(error) if isinstance(error, OSError) else None
        problem = f"the client certificate in {directory} can't be read: {said or error}"
        raise _unusable(problem) from None
    if read_certificate(certificate) is None:
        raise _unusable(f"{CERTIFICATE} of the client certificate in {directory} is no certificate")
    if is_encrypted(key):
        raise _unusable(
            f"{KEY} of the client certificate in {directory} is encrypted, and there is no way"
            " to ask for its passphrase",
            hint="use a key that is not encrypted (`openssl pkey -in KEY -out NEW`)",
        )
    if b"PRIVATE KEY-----" not in key:
        raise _unusable(f"{KEY} of the client certificate in {directory} is no private key")
    return certificate, key


def _unusable(problem: str, hint: str | None = None) -> MigrationError:
    return SettingsError(Reason.TLS_FAILED, problem, hint=hint or _WHERE_FROM)


_WHERE_FROM = (
    f"{CERTIFICATE_VARIABLE} names a directory with {CERTIFICATE} and {KEY} (PEM), as of a Secret"
    " of type kubernetes.io/tls: in a DatabaseMigration that of"
    " spec.database.clientCertificateFrom"
)


def explain_refusal(
    reason: Reason, text: str, conninfo: Mapping[str, str], user: str
) -> tuple[str, str | None]:
    """A failed login's message and hint, where one of our copies was shown; the hint is None
    where the certificate can't be the cause."""
    paths = tuple(conninfo.get(name, "") for name in ("sslcert", "sslkey"))
    shown = _copies.content(paths[0])
    if shown is None:
        return text, None
    directory, pem = shown
    for path, name in zip(paths, (CERTIFICATE, KEY), strict=True):
        text = text.replace(path, f"{directory}/{name}")
    certificate = read_certificate(pem)
    if certificate is None or reason not in (Reason.TLS_FAILED, Reason.AUTHENTICATION_FAILED):
        return text, None
    whose = f"the client's own certificate ({directory}, the Secret's mount) is of"
    whose += f" {certificate.subject or 'a subject without a common name'}"
    if problem := describe(certificate, datetime.now(UTC)):
        return f"{text}; {whose}: {problem}", "renew the client certificate; the next run reads it"
    if _MISMATCH.search(text):
        return f"{text}; {whose}", f"put the {CERTIFICATE} and the {KEY} of one and the same"
    if reason is Reason.AUTHENTICATION_FAILED:
        return text, (
            f"{whose}, and the user is {user or 'that of PGUSER'}: both must be the same, or"
            " pg_ident.conf must map them; pg_hba.conf says whether it asks for a certificate"
        )
    if _ABOUT_CLIENT.search(text):
        return f"{text}; {whose}", (
            "the server does not trust its issuer (ssl_ca_file), or expects another certificate"
        )
    return text, None


_MISMATCH = re.compile(r"does not match private key|key values mismatch", re.IGNORECASE)
_ABOUT_CLIENT = re.compile(
    r"alert (?:unknown ca|certificate|bad certificate|unsupported certificate)|client.cert"
    r"|certificate required|could not (?:load|read) (?:private key|certificate)",
    re.IGNORECASE,
)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(SIZE_LIMIT + 1)
    if len(content) > SIZE_LIMIT:
        raise OSError(0, f"it is larger than {SIZE_LIMIT} bytes")
    return content


class _Copies:
    """Private copies, one for each version of the files: in memory, so that none outlives the
    process, however that ends. They stay as long as it does: libpq reads them to cancel, too."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[bytes, tuple[str, str]] = {}
        self._shown: dict[str, tuple[str, bytes]] = {}

    def make(self, directory: str, certificate: bytes, key: bytes) -> tuple[str, str]:
        """The paths of copies of both; where the system has no files in memory, of the files."""
        digest = hashlib.sha256(b"%d:" % len(certificate) + certificate + key).digest()
        with self._lock:
            made = self._made.get(digest)
            if made is None:
                try:
                    made = _keep(certificate), _keep(key)
                except (AttributeError, OSError):
                    made = f"{directory}/{CERTIFICATE}", f"{directory}/{KEY}"
                else:
                    self._made[digest] = made
            self._shown[made[0]] = directory, certificate
        return made

    def content(self, path: str) -> tuple[str, bytes] | None:
        """Where the certificate of that path is from, and what it is."""
        with self._lock:
            return self._shown.get(path)

    def descriptors(self, paths: Iterable[str]) -> tuple[int, ...]:
        """Those of the copies that are named there."""
        with self._lock:
            made = {path for pair in self._made.values() for path in pair}
        return tuple(int(path.rpartition("/")[2]) for path in paths if path in made)


def _keep(content: bytes) -> str:
    """The path of a file in memory. Raises AttributeError and OSError where there is none."""
    descriptor = os.memfd_create("dbmigrate-client")
    path = f"/proc/self/fd/{descriptor}"
    try:
        os.fchmod(descriptor, 0o600)
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        os.stat(path)
    except BaseException:
        os.close(descriptor)
        raise
    return path


_copies = _Copies()


def descriptors_in(variables: Mapping[str, str]) -> tuple[int, ...]:
    """Those that a program has to inherit that gets these variables."""
    return _copies.descriptors(variables.values())
