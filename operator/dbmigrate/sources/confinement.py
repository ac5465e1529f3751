"""Confines what is read as a source to one directory, wherever symbolic links lead.

The files of a source may come from another author than the other volumes and the environment
of the container that reads them, and a plan shows the first lines of each script: a link to
a mounted Secret, or to /proc/self/environ, would show that. The operator sets the directory,
the mount of the source, for every run. Without it links may lead anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from dbmigrate.errors import MigrationError
from dbmigrate.report import Reason

_directories: list[str] = []
"""Real paths; the last one holds, and without one there is no limit. Threads read as well, so
that this belongs to the process."""


@contextmanager
def confined_to(directory: str) -> Iterator[None]:
    """Until the end of the block nothing outside of the directory is read as a source."""
    _directories.append(os.path.realpath(directory))
    try:
        yield
    finally:
        _directories.pop()


def require_inside(path: str | os.PathLike[str]) -> None:
    """Raise MigrationError (SourceInvalid) for a path that leads outside the directory."""
    if _directories:
        _compare(path, os.path.realpath(path), _directories[-1])


def open_inside(path: str, flags: int) -> int:
    """An opener for `open`: a descriptor of a file in the directory.

    A pipe is opened without waiting for its writer. Raises MigrationError (SourceInvalid)
    before anything of a file elsewhere is read.
    """
    require_inside(path)
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    opened = f"/proc/self/fd/{descriptor}"
    if _directories and os.path.islink(opened):
        try:
            # A link may have been created there after the path was checked.
            _compare(path, os.readlink(opened), _directories[-1])
        except MigrationError:
            os.close(descriptor)
            raise
    return descriptor


def _compare(path: str | os.PathLike[str], real: str, directory: str) -> None:
    if real != directory and not real.startswith(directory.rstrip("/") + "/"):
        shown = os.fsencode(path).decode("utf-8", "replace")
        if not os.path.isdir(directory):
            raise MigrationError(
                Reason.SOURCE_INVALID,
                f"{directory}, the directory that the files have to be in, does not exist",
                hint="name the directory that holds the migrations, or one above: -confined-to DIR",
            )
        raise MigrationError(
            Reason.SOURCE_INVALID,
            f"{shown} leads outside {directory}, and only files in it are read:"
            " replace the link with the file itself",
        )
