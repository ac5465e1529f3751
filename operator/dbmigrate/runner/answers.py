"""The results of commands that only read.

A module of its own, because a run that goes up or down needs none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from dbmigrate.runner.result import VersionState
from dbmigrate.versions import Version

if TYPE_CHECKING:
    from dbmigrate.runner.execution.lock_sampling import HeldLock
    from dbmigrate.runner.planning.step import PlannedStep


class MigrationState(StrEnum):
    """The state in a row of `status`."""

    APPLIED = "applied"
    PENDING = "pending"
    OUT_OF_ORDER = "out of order"
    """Below the database's version, and the log proves that it was not applied."""
    SKIPPED = "skipped"
    """A checkpoint replaces it, or will."""
    REPLACED = "replaced"
    """Applied, and a squashed file has replaced its own."""
    MISSING = "missing"
    """Applied, but its file is not there."""
    DIRTY = "dirty"
    UNFINISHED = "unfinished"
    """Done in part, in batches: the next run continues it."""


@dataclass(frozen=True, slots=True)
class StatusRow:
    """One migration, from the source and the history together."""

    version: Version
    name: str
    state: MigrationState
    changed: bool = False
    """The up file differs from what was applied."""
    recorded: bool = False
    """The log has a row of it; without one it was applied by golang-migrate or a baseline."""
    applied_at: str | None = None
    """RFC 3339, the server's clock."""
    milliseconds: int | None = None
    applied_by: str | None = None


@dataclass(frozen=True, slots=True)
class StatusTable:
    """What `status` prints."""

    state: VersionState
    target: Version | None
    """The source's latest version."""
    rows: tuple[StatusRow, ...]
    pending: int
    unfinished: str | None = None
    """How far the step in batches is that is under way, in a sentence."""


@dataclass(frozen=True, slots=True)
class PreviewStep:
    """One step of a plan with what it would run."""

    step: PlannedStep
    sql: bytes | None
    """None: a version without a script in this direction."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What `plan` prints. The printing code reads locks and data loss from the SQL."""

    state: VersionState
    target: Version | None
    steps: tuple[PreviewStep, ...]
    checksum: str
    """A later run can be bound to this plan by it."""
    unfinished: str | None = None
    """How far the first step is, if it is one in batches that is under way."""


@dataclass(frozen=True, slots=True)
class RehearsedStep:
    """One migration that went up, down and up again."""

    version: Version
    name: str
    up_milliseconds: int
    down_milliseconds: int | None = None
    """None: it has no down script."""
    again_milliseconds: int | None = None
    locks: tuple[HeldLock, ...] = ()
    """On tables that were there before; of a script that can be one transaction."""
    rewritten: tuple[str, ...] = ()
    """The tables that were there before and that it rewrites."""
    left: tuple[str, ...] = ()
    """What the down script did not undo, and what was other the second time."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The result of `rehearse`."""

    steps: tuple[RehearsedStep, ...]


@dataclass(frozen=True, slots=True)
class VerifyFinding:
    """A difference between the source and the history."""

    version: Version | None
    kind: str
    """changed, missing, out of order, gap, dirty, log, taken over."""
    message: str


@dataclass(frozen=True, slots=True)
class Repair:
    """The result of `repair`."""

    state: VersionState
    dropped_indexes: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
