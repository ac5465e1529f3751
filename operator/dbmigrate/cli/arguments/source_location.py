"""Where the migrations are: a plain path, or golang-migrate's file:// URL.

golang-migrate turns `-path p` into `file://p` and reads that as a URL, so that
a path with a `%`, `#` or `?` fails there; here a path is a path. In a URL the
host is part of a relative path, as there: file://migrations, file://./migrations.
"""

from __future__ import annotations

import os
import re

from dbmigrate.cli.arguments.flags import quote
from dbmigrate.cli.arguments.options import GlobalOptions
from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason


def has_source(options: GlobalOptions) -> bool:
    """Whether any migrations were named at all."""
    return bool(options.source or options.path)


def find_directory(options: GlobalOptions) -> str:
    """The directory of the migrations; the working directory for a bare `file://`.

    Raises MigrationError (SourceInvalid) with golang-migrate's text.
    """
    if not options.source and options.path:
        return options.path
    url = options.source
    scheme, colon, rest = url.partition(":")
    if not url:
        raise _failed("failed to parse scheme from source URL: URL cannot be empty")
    if not colon or not scheme:
        raise _failed("failed to parse scheme from source URL: no scheme")
    if scheme != "file":
        raise _failed(
            f"failed to open source, {quote(_without_userinfo(url))}:"
            f" source driver: unknown driver '{scheme}' (forgotten import?)"
        )
    path = re.split(r"[?#]", rest, maxsplit=1)[0].removeprefix("//")
    return _decode(path) or os.getcwd()


def _decode(path: str) -> str:
    raw = os.fsencode(path)
    raw = re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes((int(match[1], 16),)), raw)
    return os.fsdecode(raw)


def _without_userinfo(url: str) -> str:
    """Sources of other drivers carry tokens: github://user:token@owner/repo."""
    return re.sub(r"://.*@", "://", url, flags=re.DOTALL)


def _failed(message: str) -> MigrationError:
    return MigrationError(Reason.SOURCE_INVALID, message)
