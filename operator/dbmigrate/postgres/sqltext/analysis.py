"""The boundary between running and analysing: no analysis stops a run.

What `lint` and `plan` say of a statement is advisory. If the analysis fails, the
statement is unknown, and the run continues.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import PurePath
from typing import TypeVar

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import ConnectionBroken, ServerFailure

T = TypeVar("T")

FAULT = "this is an error in dbmigrate"
"""Is part of every problem that is not the script's own."""


def analyse(work: Callable[[], T], unknown: Callable[[str], T]) -> T:
    """The result of `work`; if it fails, the result of `unknown` for the problem.

    A MigrationError passes: it says that the script cannot be read or split, which the
    run would report as well. So do database errors of the analysis's own queries.
    """
    try:
        return work()
    except (MigrationError, ServerFailure, ConnectionBroken):
        raise
    except Exception as error:  # including RecursionError and MemoryError
        return unknown(_describe(error))


def _describe(error: Exception) -> str:
    """The kind of the error and its place in the code, without text from the script."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{PurePath(frame.filename).name}:{frame.lineno}"
    return f"{type(error).__name__} in {place}; {FAULT}"
