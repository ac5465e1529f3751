"""What a run did before its steps, and what it left unfinished, in the report."""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.codec import wire
from dbmigrate.report.bounds import Count, Excerpt, FileName, Hash, Name, VersionText, Word

__all__ = [
    "Backup",
    "LintFinding",
    "RehearsalSummary",
    "ReportedUnfinished",
]


@dataclass(frozen=True, slots=True)
class LintFinding:
    """A finding of lint about a script that was, or would be, run."""

    rule: Word
    severity: Word
    """`error` or `warning`."""
    file: FileName
    line: int
    """Counted from 1."""
    message: Excerpt


@dataclass(frozen=True, slots=True)
class RehearsalSummary:
    """A successful rehearsal, before the steps were run."""

    steps: Count
    without_down: Count
    """How many of them have no down script: they went up alone."""
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that a run made before it changed anything, or that was its only purpose."""

    name: Name
    """The name of its file, without the directory."""
    size: int
    """Bytes."""
    sha256: Hash


@dataclass(frozen=True, slots=True)
class ReportedUnfinished:
    """A step in batches that is not finished: dirty, and the next run continues it."""

    version: VersionText
    name: Name
    direction: Word
    rows: int
    batches: int
    since: Word = wire(absent="", always=True)
    """RFC 3339, by the server's clock."""
