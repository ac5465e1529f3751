"""Properties of a client certificate's files: whether a key is encrypted, and in an
error whose the certificate is and when it is valid.

libpq and the server speak of `certificate` alone, which people take for the server's.
"""

from __future__ import annotations

import os
import re
from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dbmigrate.postgres.connection.effective import names_service, read_effective

_ENCRYPTED = re.compile(rb"^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: *4,ENCRYPTED", re.M)
_CERTIFICATE = re.compile(
    rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(.*?)-----END", re.DOTALL
)
_COMMON_NAME = bytes((0x55, 0x04, 0x03))
_VERSION = 0xA0
_UTC_TIME = 0x17
_BMP_STRING = 0x1E
_KEY_LIMIT = 1024 * 1024
OWN_KEY = "~/.postgresql/postgresql.key"
"""Where libpq looks by itself."""
NO_PASSPHRASE = "(none is given)"
"""In the place of a passphrase: with one, OpenSSL does not ask. libpq has no other way."""
PASSPHRASE_HINT = (
    "the client's private key is encrypted: give its passphrase with sslpassword in the URL, or"
    " name a key that is not encrypted (`openssl pkey -in KEY -out NEW`)"
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What matters of a certificate for a login."""

    subject: str
    """Its common name, which PostgreSQL compares with the user; empty if it has none."""
    begins: datetime
    ends: datetime


def is_encrypted(key: bytes) -> bool:
    """Whether a passphrase is needed, for which OpenSSL would ask at the terminal."""
    return _ENCRYPTED.search(key) is not None


def lacks_passphrase(conninfo: Mapping[str, str], environ: Mapping[str, str]) -> bool:
    """Whether OpenSSL would ask at the terminal for the passphrase of the connection's key."""
    if names_service(conninfo, environ):
        conninfo = {**read_effective(conninfo).values, **conninfo}
    if conninfo.get("sslpassword"):
        return False
    path = conninfo.get("sslkey") or environ.get("PGSSLKEY") or os.path.expanduser(OWN_KEY)
    try:
        with Path(path).open("rb") as file:
            return is_encrypted(file.read(_KEY_LIMIT))
    except (OSError, ValueError):
        return False  # libpq says why, if it wants the file


def read_certificate(pem: bytes) -> Certificate | None:
    """The first certificate of the file; None: it holds none that can be read."""
    found = _CERTIFICATE.search(pem)
    if found is None:
        return None
    try:
        whole = _parts(_parts(a2b_base64(found[1]))[0][1])
        fields = [each for each in _parts(whole[0][1]) if each[0] != _VERSION]
        begins, ends = (_time(*each) for each in _parts(fields[3][1]))
        return Certificate(_common_name(fields[4][1]), begins, ends)
    except (NotBase64, IndexError, ValueError, UnicodeDecodeError):
        return None


def describe(certificate: Certificate, now: datetime) -> str | None:
    """What is wrong with it at that time; None: nothing of what can be seen here."""
    if now > certificate.ends:
        return f"it has expired on {certificate.ends:%Y-%m-%d at %H:%M} UTC"
    if now < certificate.begins:
        return f"it is not valid before {certificate.begins:%Y-%m-%d at %H:%M} UTC"
    return None


def _parts(data: bytes) -> list[tuple[int, bytes]]:
    """The tags and contents of the DER values, one after another."""
    found, at = list[tuple[int, bytes]](), 0
    while at < len(data):
        tag, size = data[at], data[at + 1]
        at += 2
        if size >= 0x80:
            count = size - 0x80
            size, at = int.from_bytes(data[at : at + count]), at + count
        if at + size > len(data):
            raise ValueError("cut off")
        found.append((tag, data[at : at + size]))
        at += size
    return found


def _time(tag: int, content: bytes) -> datetime:
    text = content.decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _common_name(subject: bytes) -> str:
    names = [pair for _, each in _parts(subject) for _, pair in _parts(each)]
    for (_, kind), (tag, value) in map(_parts, names):
        if kind == _COMMON_NAME:
            return value.decode("utf-16-be" if tag == _BMP_STRING else "utf-8", "replace")
    return ""
