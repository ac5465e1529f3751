"""Squashed files: one file that stands for all migrations up to its own version.

    -- dbmigrate:replaces 1-50

The mark stands among the comments at the top of the first file of a directory, whose version
is the end of the range. Only that file is looked at: a squashed file below which others lie
would run after them.
"""

from __future__ import annotations

import re
from dataclasses import replace

from dbmigrate.errors import Location, MigrationError
from dbmigrate.report import Reason
from dbmigrate.sources.migration import Migration, Source
from dbmigrate.versions import LARGEST_NUMBER, Version

DIRECTIVE = b"dbmigrate:replaces"
_MARK = re.compile(rb"^[ \t]*--[ \t]*dbmigrate:replaces\b[ \t]*([^\r\n]*?)[ \t\r]*$", re.MULTILINE)
_RANGE = re.compile(rb"([0-9]{1,20})[ \t]*-[ \t]*([0-9]{1,20})")


def mark(low: Version, high: Version) -> str:
    """The line that says which versions a file replaces."""
    return f"-- {DIRECTIVE.decode()} {low}-{high}\n"


def with_squash(source: Source, comments: bytes) -> Source:
    """The source, its first migration marked if these comments at the top of its file say so.

    Raises MigrationError (SourceInvalid) for a range that is none, or ends elsewhere.
    """
    first = source.migrations[0]
    found = _MARK.search(comments)
    if found is None:
        return source
    marked = replace(first, replaces=_read_range(first, found, comments))
    return replace(source, migrations=(marked, *source.migrations[1:]))


def _read_range(first: Migration, found: re.Match[bytes], comments: bytes) -> tuple[int, int]:
    file = first.up.file if first.up else first.name
    line = comments.count(b"\n", 0, found.start()) + 1
    match = _RANGE.fullmatch(found[1])
    low, high = (int(match[1]), int(match[2])) if match else (0, 0)
    if match is None or not low <= high <= LARGEST_NUMBER:
        raise _invalid(
            f"{file}: line {line}: expected the first and the last version that the file replaces:"
            " dbmigrate:replaces 1-50",
            Location(file, line),
        )
    if high != first.version:
        raise _invalid(
            f"{file}: line {line}: the file replaces the versions up to {high}, so {high} has to be"
            f" its own version, and not {first.version}",
            Location(file, line),
        )
    return low, high


def require_first(sql: bytes, file: str) -> None:
    """Raise MigrationError (SourceInvalid) for a marked file that is not the first one."""
    if DIRECTIVE in sql and _MARK.search(sql):
        raise _invalid(
            f"{file} replaces the files below it, and there are such files: it would run after"
            " them",
            Location(file),
            hint="move the files that it replaces out of the directory, into an archive",
        )


def _invalid(message: str, location: Location, *, hint: str | None = None) -> MigrationError:
    return MigrationError(Reason.SOURCE_INVALID, message, location=location, hint=hint)
