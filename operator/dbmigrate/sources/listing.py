"""The names in a directory of migrations, whichever format it has.

Hidden entries are kept apart: a mounted ConfigMap has `..data` among its files.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from dbmigrate.errors import MigrationError, cause_of
from dbmigrate.report import Reason
from dbmigrate.sources.confinement import require_inside

_MISTAKEN_DIRECTORY = re.compile(r"[vV]?[0-9]+([_.-].*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class DirectoryListing:
    """One directory."""

    location: str
    files: tuple[str, ...]
    """Sorted."""
    directories: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    """Files whose names begin with a dot."""

    def warnings(self) -> tuple[str, ...]:
        """Of directories that are named like migrations."""
        return tuple(
            f"{self.location}/{printable(name)} is a directory and not read:"
            " all migrations must be in one directory"
            for name in self.directories
            if _MISTAKEN_DIRECTORY.fullmatch(name)
        )


def list_directory(path: str | os.PathLike[str]) -> DirectoryListing:
    """Raises MigrationError (SourceInvalid) for a directory that can't or may not be read."""
    location = os.fspath(path)
    require_inside(location)
    try:
        with os.scandir(location) as entries:
            found = sorted((e.name, e.is_dir()) for e in entries)
    except OSError as error:
        raise invalid(location, f"{cause_of(error)}: {_remedy(error)}") from None
    files = [name for name, is_directory in found if not is_directory]
    return DirectoryListing(
        location,
        tuple(name for name in files if not name.startswith(".")),
        tuple(name for name, is_directory in found if is_directory and not name.startswith(".")),
        tuple(name for name in files if name.startswith(".")),
    )


def printable(text: str) -> str:
    """Names are bytes; what is not UTF-8 in them can't be printed or stored."""
    return os.fsencode(text).decode("utf-8", "replace")


def invalid(location: str, message: str) -> MigrationError:
    """The directory can't be used; in golang-migrate's words."""
    shown = printable(location)
    return MigrationError(
        Reason.SOURCE_INVALID, f'failed to open source, "file://{shown}": {message}'
    )


def _remedy(error: OSError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "name the directory that holds the migrations"
    if isinstance(error, PermissionError):
        return f"let user {os.getuid()} read and enter the directory"
    return "the migrations can't be listed"
