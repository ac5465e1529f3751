"""A drift check in the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from dbmigrate.codec import Bound, always
from dbmigrate.report.bounds import DIFFERENCES_LIMIT, Count, Excerpt, Hash, Word

__all__ = [
    "ReportedDifference",
    "ReportedDrift",
]


@dataclass(frozen=True, slots=True)
class ReportedDifference:
    """An object of the live schema that was added, changed or dropped by hand."""

    change: Word
    """`added`, `changed` or `dropped`."""
    kind: Word
    name: Excerpt
    details: Excerpt | None = None
    """What has changed."""
    undo: Excerpt | None = None
    """The statements that would undo it; None: they are not known, or there is no room."""

    def __str__(self) -> str:
        return f"{self.change} {self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class ReportedDrift:
    """How the live schema differs from the one that the applied migrations make."""

    differences_total: Count = always(0)
    checksum: Hash = always("")
    """SHA-256 over all of them, by which two reports are compared."""
    differences: Annotated[tuple[ReportedDifference, ...], Bound(DIFFERENCES_LIMIT)] = ()
    """The first ones."""
