"""A password and a client certificate in files, read for every connection that is opened.

Files of a mounted Secret change while a run is at work, and belong to a user and have a mode
of the cluster's choice. libpq refuses a private key that others may read: it gets a copy of
the certificate and the key, from one and the same version of the directory, that only this
process's user may read.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.parameters import CREDENTIAL_FILES
from dbmigrate.report import Reason

PASSWORD_VARIABLE, CERTIFICATE_VARIABLE = CREDENTIAL_FILES
"""A file with the password, where a line break at its end does not count; and a directory with
tls.crt and tls.key, as a Secret of type kubernetes.io/tls is mounted."""
CERTIFICATE, KEY = "tls.crt", "tls.key"
SIZE_LIMIT = 1024 * 1024
"""Of a Secret, too."""


def with_credentials(conninfo: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """The connection with what the files hold now; what it says itself wins.

    Raises MigrationError: AuthenticationFailed, TlsFailed.
    """
    complete = dict(conninfo)
    path = environ.get(PASSWORD_VARIABLE)
    if path and "password" not in conninfo:
        complete["password"] = _read_password(path)
    directory = environ.get(CERTIFICATE_VARIABLE)
    if directory and not {"sslcert", "sslkey"} & set(conninfo):
        certificate, key = _read_pair(Path(directory))
        complete["sslcert"], complete["sslkey"] = _copies.make(certificate, key)
    return complete


def _read_password(path: str) -> str:
    problem = ""
    try:
        text = _read(Path(path)).decode()
    except OSError as error:
        problem = f"can't be read: {error.strerror or error}"
    except UnicodeDecodeError:
        problem = "is not UTF-8"
    else:
        text = text.removesuffix("\n").removesuffix("\r")
        if not text or "\0" in text:
            problem = "holds a NUL character" if text else "is empty"
    if problem:
        raise MigrationError(
            Reason.AUTHENTICATION_FAILED,
            f"the password's file {path} {problem}",
            hint=f"{PASSWORD_VARIABLE} names it: in a DatabaseMigration spec.database.connection"
            ".passwordFile, which job.volumes and job.volumeMounts have to put there",
        )
    return text


def _read_pair(directory: Path) -> tuple[bytes, bytes]:
    try:
        # A kubelet replaces all files of a volume at once, by the target of one link.
        here = (directory / KEY).resolve(strict=True).parent
        return _read(here / CERTIFICATE), _read(here / KEY)
    except (OSError, RuntimeError) as error:
        said = error.strerror if isinstance(error, OSError) else None
        raise MigrationError(
            Reason.TLS_FAILED,
            f"the client certificate in {directory} can't be read: {said or error}",
            hint=f"{CERTIFICATE_VARIABLE} names a directory with {CERTIFICATE} and {KEY}, as of a"
            " Secret of type kubernetes.io/tls",
        ) from None


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(SIZE_LIMIT + 1)
    if len(content) > SIZE_LIMIT:
        raise OSError(0, f"it is larger than {SIZE_LIMIT} bytes")
    return content


class _Copies:
    """Private copies, one for each version of the files; they are removed with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._directory: Path | None = None
        self._owner = 0

    def make(self, certificate: bytes, key: bytes) -> tuple[str, str]:
        """The paths of copies of both. Raises MigrationError where none can be made."""
        digest = hashlib.sha256(b"%d:" % len(certificate) + certificate + key).hexdigest()[:16]
        with self._lock:
            place = self._own_directory() / digest
            if not place.is_dir():
                _write(place, certificate, key)
        return str(place / CERTIFICATE), str(place / KEY)

    def _own_directory(self) -> Path:
        if self._directory is None or self._owner != os.getpid():
            import atexit
            import shutil

            from dbmigrate.temporary import make_directory

            self._directory, self._owner = make_directory("dbmigrate-client-"), os.getpid()
            atexit.register(shutil.rmtree, self._directory, ignore_errors=True)
        return self._directory


def _write(place: Path, certificate: bytes, key: bytes) -> None:
    """Both files in a new directory, which appears when it is complete."""
    new = place.with_suffix(".new")
    try:
        new.mkdir(mode=0o700, exist_ok=True)
        for name, content in ((CERTIFICATE, certificate), (KEY, key)):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            with open(os.open(new / name, flags, 0o600), "wb") as file:
                file.write(content)
        new.rename(place)
    except OSError as error:
        raise MigrationError(
            Reason.INTERNAL,
            f"the client certificate can't be copied to {place.parent}: {error.strerror or error}",
        ) from None


_copies = _Copies()
