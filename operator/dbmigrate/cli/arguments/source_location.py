"""Where the migrations are: a plain path, or golang-migrate's file:// URL.

golang-migrate turns `-path p` into `file://p` and reads that as a URL, so that
a path with a `%`, `#` or `?` fails there; here a path is a path. In a URL the
host is part of a relative path, as there: file://migrations, file://./migrations.
"""

from __future__ import annotations

import os
import re

from dbmigrate.cli.arguments.flags import present, quote
from dbmigrate.cli.arguments.options import GlobalOptions
from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason

_DRIVERS = frozenset(
    "bitbucket ftp gcs github github-ee gitlab go-bindata godoc-vfs google-cloud-storage http https"
    " httpfs iofs pkger s3 aws-s3 stub postgres postgresql".split()
)
"""Schemes of sources of golang-migrate, and mistakes that are easily made."""


_A_DIRECTORY = "files are read from a directory alone: -path DIR, or -source file://DIR"


def has_source(options: GlobalOptions) -> bool:
    """Whether any migrations were named at all."""
    return bool(options.source or options.path)


def find_directory(options: GlobalOptions) -> str:
    """The directory of the migrations; the working directory for a bare `file://`.

    Raises MigrationError (SourceInvalid) with golang-migrate's text.
    """
    if not options.source and options.path:
        if present(options.path) != options.path and not os.path.isdir(options.path):
            raise _failed("-path is no directory (not shown, because it may contain a password)")
        return options.path
    url = options.source
    scheme, colon, rest = url.partition(":")
    if not url:
        raise _failed(
            "failed to parse scheme from source URL: URL cannot be empty",
            hint="name the directory of the migrations: -path DIR, or DBMIGRATE_PATH",
        )
    if not colon or not scheme:
        raise _failed("failed to parse scheme from source URL: no scheme", hint=_A_DIRECTORY)
    if scheme != "file":
        shown, where = _shown(scheme, url)
        raise _failed(
            f"failed to open source, {quote(where)}:"
            f" source driver: unknown driver '{shown}' (forgotten import?)",
            hint=_A_DIRECTORY,
        )
    path = re.split(r"[?#]", rest, maxsplit=1)[0].removeprefix("//")
    return _decode(path) or os.getcwd()


def _decode(path: str) -> str:
    raw = os.fsencode(path)
    raw = re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes((int(match[1], 16),)), raw)
    return os.fsdecode(raw)


def _shown(scheme: str, url: str) -> tuple[str, str]:
    """The scheme and the URL as they may be shown.

    Sources of other drivers carry tokens (github://user:token@owner/repo), and an invalid
    source may be the address of a database.
    """
    left = re.sub(r"://.*@", "://", url, flags=re.DOTALL)
    if scheme not in _DRIVERS or re.fullmatch(r"[\w-]+://[\w./-]*", left) is None:
        return (
            scheme if scheme in _DRIVERS else "..."
        ), "(not shown, because it may contain a password)"
    return scheme, left


def _failed(message: str, hint: str | None = None) -> MigrationError:
    return MigrationError(Reason.SOURCE_INVALID, message, hint=hint)
