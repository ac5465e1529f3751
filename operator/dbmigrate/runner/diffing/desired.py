"""The forms of a desired schema: SQL files, migrations, a database, a program.

schema.sql, schema/                 SQL, as it is or as pg_dump writes it
other/migrations                    a directory of migrations, in any format
postgres://..., host=... dbname=... a database, of which the schema is copied
exec:python manage.py sqlmigrate    what a program prints; no shell is involved
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.target import SCHEMES, ConnectionTarget, parse_target
from dbmigrate.postgres.connection.url import is_keyword_string
from dbmigrate.report import Reason
from dbmigrate.sources.formats import read_source
from dbmigrate.sources.migration import Source

PROGRAM = "exec:"
BESIDE = ("schema.sql", "schema")
"""Where the desired schema is looked for, beside the migrations, if nobody says where it is."""


@dataclass(frozen=True, slots=True)
class SqlFiles:
    """Scripts that make the schema, in this order."""

    paths: tuple[Path, ...]
    place: str
    """For people."""


@dataclass(frozen=True, slots=True)
class SchemaProgram:
    """A program that prints SQL."""

    words: tuple[str, ...]


Desired = SqlFiles | Source | ConnectionTarget | SchemaProgram


def read_desired(text: str, environ: Mapping[str, str]) -> Desired:
    """Parse one description. Raises MigrationError (SourceInvalid, Internal)."""
    if text.startswith(PROGRAM):
        return _read_program(text.removeprefix(PROGRAM))
    if text.partition("://")[0] in SCHEMES:
        return parse_target(text, environ)
    path = Path(text.removeprefix("file://"))
    if path.is_dir():
        source = read_source(path, None, environ)
        return source if source.migrations else _read_directory(path)
    if path.exists() or not is_keyword_string(text):
        if not path.is_file():
            if set(text) & set("@:="):
                raise _invalid(
                    "the schema is no file or directory, and no database's URL: it is not shown,"
                    " for it may hold a password; a URL begins with postgres://"
                )
            raise _invalid(f"{path}: no such file or directory, and no database's URL")
        return SqlFiles((path,), str(path))
    return parse_target(text, environ)


def find_beside(directory: str) -> str | None:
    """The desired schema next to a directory of migrations, or in it."""
    here = Path(directory)
    for place in (here, Path(os.path.abspath(here)).parent):
        for name in BESIDE:
            if (place / name).exists():
                return str(place / name)
    return None


def _read_program(command: str) -> SchemaProgram:
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise _invalid(f"{PROGRAM} can't be split into words: {str(error).lower()}") from None
    if not words:
        raise _invalid(f"{PROGRAM} names no program")
    return SchemaProgram(words)


def _read_directory(path: Path) -> SqlFiles:
    files: Sequence[Path] = sorted(each for each in path.rglob("*.sql") if each.is_file())
    if not files:
        raise _invalid(f"{path} holds neither migrations nor other files of SQL")
    return SqlFiles(tuple(files), str(path))


def _invalid(message: str) -> MigrationError:
    return MigrationError(Reason.SOURCE_INVALID, message)
