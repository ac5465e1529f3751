"""Squashed files: one file that stands for all migrations up to its own version.

    -- dbmigrate:replaces 1-50

The mark stands among the comments at the top of the first file of a directory, whose version
is the end of the range. Only that file is looked at: a squashed file below which others lie
would run after them.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dbmigrate.errors import Location, MigrationError
from dbmigrate.postgres.sqltext.splitter import split
from dbmigrate.report import Reason
from dbmigrate.sources.migration import Format, Migration, Source
from dbmigrate.versions import LARGEST_NUMBER, Version

DIRECTIVE = b"dbmigrate:replaces"
_MARK = re.compile(rb"^[ \t]*--[ \t]*dbmigrate:replaces\b[ \t]*([^\r\n]*?)[ \t\r]*$", re.MULTILINE)
_NO_WAY_BACK = "DO 'BEGIN RAISE EXCEPTION ''a squashed migration has no way back''; END';"
"""dbmate wants a script for the way down."""
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


def write_squashed(
    wanted: Format, last: Migration, name: str, head: str, sql: bytes
) -> dict[str, bytes]:
    """The files of a squashed migration in that format: names and contents, the script first.

    It has no way down. `head` is the line of the mark.
    """
    text = last.text if wanted is Format.FLYWAY else _digits(last)
    if wanted is Format.GOLANG_MIGRATE:
        return {f"{text}_{name}.up.sql": head.encode() + b"\n" + sql}
    if wanted is Format.FLYWAY:
        file = f"B{text}__{name}.sql"
        settings = {f"{file}.conf": b"placeholderReplacement=false\n"} if b"${" in sql else {}
        return {file: sql, **settings}
    statements = [sql[each.start : each.end] for each in split(sql, file="squash")]
    if wanted is Format.DBMATE:
        body = b"".join(each + b";\n" for each in statements)
        return {
            f"{text}_{name}.sql": head.encode()
            + b"-- migrate:up\n"
            + body
            + f"\n-- migrate:down\n{_NO_WAY_BACK}\n".encode()
        }
    fenced = b"".join(
        b"-- +goose StatementBegin\n" + each + b";\n-- +goose StatementEnd\n" for each in statements
    )
    return {f"{text}_{name}.sql": head.encode() + b"-- +goose Up\n" + fenced}


def archive_files(
    directory: Path, files: Sequence[str], archive: Path | None, texts: Mapping[str, bytes]
) -> None:
    """Move the replaced files away and write the new ones; all of it or, as far as that can be
    undone, nothing. Raises MigrationError (SourceInvalid)."""
    taken = [name for name in texts if (directory / name).exists() and name not in files]
    if taken or (archive is None and any(name in files for name in texts)):
        raise _unwritable(f"{directory / (taken or list(texts))[0]} is there already")
    moved: list[tuple[Path, Path]] = []
    written: list[Path] = []
    try:
        if archive is not None:
            if archive.exists() and any(archive.iterdir()):
                raise _unwritable(f"the archive {archive} is not empty: name another directory")
            archive.mkdir(parents=True, exist_ok=True)
            for name in files:
                target = archive / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(directory / name, target)
                moved.append((directory / name, target))
        for name, text in texts.items():
            with (directory / name).open("xb") as file:
                written.append(directory / name)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        for here, there in reversed(moved):
            shutil.move(there, here)
        raise _unwritable(f"{error.filename or directory}: {error.strerror}") from None


def _unwritable(message: str) -> MigrationError:
    return MigrationError(Reason.SOURCE_INVALID, f"the squashed file can't be written: {message}")


def _digits(last: Migration) -> str:
    """The version as the file's name has it."""
    script = last.up or last.down
    match = re.match("[0-9]+", script.file) if script else None
    return match[0] if match else str(last.version)
