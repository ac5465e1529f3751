"""atlas.sum next to files of any format: compared with them, and written.

Atlas writes it for its own files and, with `?format=`, for those of others. Of
golang-migrate's it counts the up files alone, of goose's and dbmate's all. A format that
it counts by other rules is not looked at.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason
from dbmigrate.sources.atlas.sum_file import SUM_FILE, Sum, compute, read_sum, verify, write_sum
from dbmigrate.sources.listing import DirectoryListing, list_directory, printable
from dbmigrate.sources.migration import Format
from dbmigrate.sources.script_file import read_file

_ENDINGS = {
    Format.ATLAS: ".sql",
    Format.GOLANG_MIGRATE: ".up.sql",
    Format.GOOSE: ".sql",
    Format.DBMATE: ".sql",
}


def has_sum(listing: DirectoryListing, kind: Format) -> bool:
    """Whether these files have to agree with an atlas.sum."""
    return kind is Format.ATLAS or SUM_FILE in listing.files


def compute_sum(listing: DirectoryListing, kind: Format) -> Sum | None:
    """The expected content of atlas.sum; None for a format that is not supported.

    Raises MigrationError (SourceInvalid) for a file that can't be read.
    """
    ending = _ENDINGS.get(kind)
    if ending is None:
        return None
    names = sorted((n for n in listing.files if n.endswith(ending)), key=os.fsencode)
    directory = Path(listing.location)
    return compute((name, read_file(directory / name, printable(name))) for name in names)


def verify_sum(listing: DirectoryListing, kind: Format) -> None:
    """Hold the files against it. Raises MigrationError (ChecksumMismatch)."""
    actual = compute_sum(listing, kind)
    if actual is not None:
        has_files = any(name.endswith(_ENDINGS[kind]) for name in listing.files)
        verify(Path(listing.location), actual, has_files=has_files)


def renew_sum(directory: str | os.PathLike[str], kind: Format) -> Path:
    """Write it for the files as they are now. Raises MigrationError (SourceInvalid)."""
    new = compute_sum(list_directory(directory), kind)
    if new is None:
        raise MigrationError(
            Reason.SOURCE_INVALID, f"atlas.sum can't be written for files of {kind}'s"
        )
    return write_sum(Path(directory), new)


def first_named(listing: DirectoryListing, names: Iterable[str]) -> str | None:
    """The first of these files that atlas.sum has: Atlas takes it for a migration.

    Where that file can't be read, any is: the reader of a run reports the error.
    """
    try:
        written = read_sum(Path(listing.location))
    except MigrationError:
        written = None
    if written is None:
        return next(iter(names), None)
    entries = {entry.name for entry in written.entries}
    # Where it is empty the files are new to Atlas, and belong to no other tool.
    return next((name for name in names if name in entries or not entries), None)
