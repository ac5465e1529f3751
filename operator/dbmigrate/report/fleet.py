"""A run on many targets in the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from dbmigrate.codec import Bound, always, wire
from dbmigrate.report.bounds import (
    FAILURES_LIMIT,
    VERSIONS_LIMIT,
    WAVES_LIMIT,
    Count,
    Excerpt,
    FileName,
    Hash,
    Name,
    VersionText,
    Word,
)
from dbmigrate.report.reasons import Reason

__all__ = [
    "FleetCounts",
    "FleetFailure",
    "FleetReport",
    "FleetVersion",
    "FleetWave",
]


@dataclass(frozen=True, slots=True)
class FleetCounts:
    """The states of a fleet's targets. Each target is counted once, but the migrated ones are
    among the current ones."""

    total: Count
    current: Count = always(0)
    migrated: Count = always(0)
    """The current targets that this run has migrated."""
    pending: Count = always(0)
    failed: Count = always(0)
    dirty: Count = always(0)
    unreachable: Count = always(0)
    skipped: Count = always(0)
    """The targets that were not begun."""


@dataclass(frozen=True, slots=True)
class FleetFailure:
    """One target that failed."""

    name: Name
    outcome: Word
    """`failed`, `dirty` or `unreachable`."""
    reason: Reason = wire(unknown=Reason.INTERNAL)
    message: Excerpt = always("")
    file: FileName | None = None
    line: int | None = None
    """Counted from 1."""


@dataclass(frozen=True, slots=True)
class FleetWave:
    """A wave of a fleet, and how many targets of the list it takes."""

    name: Name
    targets: Count = always(0)


@dataclass(frozen=True, slots=True)
class FleetVersion:
    """A version at which targets are that are behind, and the plan that leads on from there."""

    version: VersionText
    """Empty: nothing is applied."""
    targets: Count
    sample: Name
    """The target on which the plan was made, linted and rehearsed."""
    checksum: Hash = always("")


@dataclass(frozen=True, slots=True)
class FleetReport:
    """The result of a run on many targets."""

    counts: FleetCounts
    wave: Name | None = None
    shard: Word | None = None
    """`3/200`; None: all targets."""
    failures: Annotated[tuple[FleetFailure, ...], Bound(FAILURES_LIMIT)] = ()
    """The first failures; the counts have all."""
    waves: Annotated[tuple[FleetWave, ...], Bound(WAVES_LIMIT)] = ()
    """Of a survey."""
    versions: Annotated[tuple[FleetVersion, ...], Bound(VERSIONS_LIMIT)] = ()
    """Of a survey with samples."""
