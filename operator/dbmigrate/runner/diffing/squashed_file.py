"""The text of a squashed migration in its format, and its place in the directory."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from dbmigrate.errors import MigrationError, cause_of
from dbmigrate.postgres.sqltext.splitter import split
from dbmigrate.report import Reason
from dbmigrate.sources.migration import Format, Migration

_NO_WAY_BACK = "DO 'BEGIN RAISE EXCEPTION ''a squashed migration has no way back''; END';"
"""dbmate wants a script for the way down."""


def write_squashed(
    wanted: Format, last: Migration, name: str, head: str, sql: bytes
) -> dict[str, bytes]:
    """The files of a squashed migration in that format: names and contents, the script first.

    It has no way down. `head` is what it says of itself.
    """
    text = last.text if wanted is Format.FLYWAY else _digits(last)
    if wanted is Format.GOLANG_MIGRATE:
        return {f"{text}_{name}.up.sql": head.encode() + b"\n" + sql}
    if wanted is Format.FLYWAY:
        file = f"B{text}__{name}.sql"
        settings = {f"{file}.conf": b"placeholderReplacement=false\n"} if b"${" in sql else {}
        return {file: head.encode() + sql, **settings}
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
        raise _unwritable(f"{error.filename or directory}: {cause_of(error)}") from None


def _unwritable(message: str) -> MigrationError:
    return MigrationError(Reason.SOURCE_INVALID, f"the squashed file can't be written: {message}")


def _digits(last: Migration) -> str:
    """The version as the file's name has it."""
    script = last.up or last.down
    match = re.match("[0-9]+", script.file) if script else None
    return match[0] if match else str(last.version)
