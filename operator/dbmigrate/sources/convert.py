"""Writes the migrations of another format as golang-migrate's pairs of files.

Every migration is read before anything is written: one that can't be converted
leaves no half of the others behind. What was in lines above a script is gone,
so that a file starts with its first line of SQL or comment; a script that was a
file of its own (Prisma's) stays what it is, byte for byte.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason
from dbmigrate.sources.golang_migrate import parse_file_name
from dbmigrate.sources.migration import Format, Migration, Source

LEAST_DIGITS = 6


def convert(source: Source, directory: str | os.PathLike[str]) -> list[Path]:
    """Write all files of a source into a directory, which is made if need be; their paths.

    Raises MigrationError (SourceInvalid): for migrations that are golang-migrate's
    already, in Go, or filled in from the environment, and for a file that is there.
    """
    if source.format is Format.GOLANG_MIGRATE:
        raise _refused(f"{source.location} holds no files of another format")
    return _write(source, directory, is_trimmed=True)


def convert_prisma(source: Source, directory: str | os.PathLike[str]) -> list[Path]:
    """The same of Prisma's folders; the checksums in its table are still those of the files."""
    return _write(source, directory, is_trimmed=False)


def _write(source: Source, directory: str | os.PathLike[str], *, is_trimmed: bool) -> list[Path]:
    place = Path(directory)
    digits = max(LEAST_DIGITS, len(str(source.latest or 0)))
    contents = {
        name: content.lstrip(b"\n") if is_trimmed else content
        for migration in source.migrations
        for name, content in _files_of(migration, digits)
    }
    there = sorted(name for name in contents if (place / name).exists())
    if there:
        raise _refused(f"{place / there[0]} is there already; choose another directory")
    try:
        place.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (place / name).write_bytes(content)
    except OSError as error:
        raise _refused(f"{error.filename} can't be written: {error.strerror}") from None
    return [place / name for name in contents]


def _files_of(migration: Migration, digits: int) -> Iterator[tuple[str, bytes]]:
    for script in (migration.up, migration.down):
        if script is None:
            continue
        if script.problem:
            raise _refused(script.problem)
        if script.is_template:
            raise _refused(
                f"{script.file} takes values from the environment, which golang-migrate does not:"
                " write them into it first"
            )
        name = f"{migration.version:0{digits}}_{migration.name}.{script.direction}.sql"
        parsed = parse_file_name(name)
        if parsed is None or (parsed.name, parsed.extension) != (migration.name, "sql"):
            raise _refused(f"{script.file}: {name} would be read otherwise; rename the file first")
        yield name, script.load()


def _refused(message: str) -> MigrationError:
    return MigrationError(Reason.SOURCE_INVALID, message)
