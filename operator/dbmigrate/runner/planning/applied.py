"""Which versions are applied: the interface between plans and every kind of history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.sources.migration import Migration
from dbmigrate.versions import Version


@dataclass(frozen=True, slots=True)
class Gap:
    """The version was moved, and the log does not say by whom."""

    from_version: Version | None
    to_version: Version | None


class AppliedVersions(Protocol):
    """What plans need to know of a history, whichever tool keeps it."""

    gap: Gap | None
    """A move that the log does not know yet; recorded by the next write."""

    @property
    def version(self) -> Version | None:
        """The version of the database."""

    @property
    def is_exact(self) -> bool:
        """Whether the history has each version; if not, some are assumed."""

    @property
    def recorded(self) -> tuple[Version, ...]:
        """The versions that the history names, in order."""

    @property
    def stops(self) -> tuple[Version, ...]:
        """Versions at which the database was, according to the log, without a step that it has."""

    @property
    def undoing(self) -> tuple[Version, ...]:
        """The same in the order in which they are undone."""

    def settle(self, version: Version | None) -> None:
        """Believe the version row where the log ends at another version."""

    def covers(self, version: Version) -> bool:
        """Whether it counts as applied."""

    def row(self, version: Version) -> LogRow | None:
        """The log's row of the step that applied it; None: not recorded, or not applied."""

    def applied_at(self, version: Version) -> str | None:
        """When the tool's own table says that it was; None where it does not."""

    @property
    def base(self) -> Version | None:
        """The version at which the history begins, which needs no file; None: at nothing."""

    def needs_file(self, version: Version) -> bool:
        """Whether the files should contain that applied version."""

    @property
    def validates_files(self) -> bool:
        """Whether the tool requires the files of all applied versions before it goes up, and
        has settings for that."""

    @property
    def requires_down(self) -> bool:
        """Whether a version without a down script cannot be undone."""

    def tool_checksum(self, version: Version) -> int | str | None:
        """The checksum of a version's up script in the tool's own table; None: not recorded."""

    def mismatch(self, migration: Migration) -> str:
        """What the tool's own row says differently from an applied file, checksum aside."""

    @property
    def repeated(self) -> tuple[Version, ...]:
        """The repeatable migrations that have run."""

    def is_current(self, migration: Migration) -> bool:
        """Whether a repeatable migration has run as it is now."""
