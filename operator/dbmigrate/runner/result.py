"""What every use case returns: the report, the error if it failed, and its value.

A use case does not raise MigrationError: a run that fails halfway still has a
report that says what was applied and what the database says now. A caller that
wants an exception says `result.unwrap()`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from dbmigrate.errors import MigrationError
from dbmigrate.report import Report
from dbmigrate.versions import Version

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    """The end of one run."""

    report: Report
    value: T | None = None
    """What the command prints in addition to its steps; None when it failed or has nothing to
    print."""
    error: MigrationError | None = None

    def unwrap(self) -> T | None:
        """The value. Raises the MigrationError of a run that failed."""
        if self.error is not None:
            raise self.error
        return self.value


@dataclass(frozen=True, slots=True)
class VersionState:
    """What schema_migrations says."""

    version: Version | None
    """None: nothing is applied."""
    dirty: bool = False
