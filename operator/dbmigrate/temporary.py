"""Directories for temporary files, which a read-only root file system has no place for."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dbmigrate.errors import MigrationError, cause_of
from dbmigrate.report import Reason


def make_directory(prefix: str) -> Path:
    """A new directory, for the caller to remove. Raises MigrationError (Internal)."""
    try:
        return Path(tempfile.mkdtemp(prefix=prefix))
    except OSError as error:
        raise MigrationError(
            Reason.INTERNAL,
            f"no directory for temporary files can be created: {cause_of(error)}",
            hint="make /tmp writable, or let TMPDIR name a directory that is: in a Pod by an"
            " emptyDir, in a container by --tmpfs /tmp",
        ) from None


@contextmanager
def temporary_directory(prefix: str) -> Iterator[Path]:
    """A directory that is removed afterwards. Raises MigrationError (Internal)."""
    import shutil

    directory = make_directory(prefix)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
