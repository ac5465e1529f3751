"""Which versions are applied, as plans ask for it, whichever history it was read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dbmigrate.postgres.history.log import LogRow
from dbmigrate.sources.migration import Migration
from dbmigrate.versions import Version


@dataclass(frozen=True, slots=True)
class Gap:
    """The version was moved and the log does not say by whom."""

    from_version: Version | None
    to_version: Version | None


class AppliedVersions(Protocol):
    """What plans are made on, whichever history it was read from."""

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
        """The versions that the history has one by one, in order."""

    @property
    def undoing(self) -> tuple[Version, ...]:
        """The same in the order in which they are undone."""

    def settle(self, version: Version | None) -> None:
        """Take the version row's word where the log ends elsewhere."""

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
        """Whether the files should have that applied version."""

    @property
    def validates_files(self) -> bool:
        """Whether the tool looks for the files of all that is applied before it goes up, and
        has settings for that."""

    @property
    def requires_down(self) -> bool:
        """Whether nothing is undone without a script."""

    def tool_checksum(self, version: Version) -> int | str | None:
        """What the tool's own table has for the checksum of its up script; None: nothing."""

    def mismatch(self, migration: Migration) -> str:
        """What the tool's own row says otherwise than an applied file, checksum aside."""

    @property
    def repeated(self) -> tuple[Version, ...]:
        """The repeatable migrations that have run."""

    def is_current(self, migration: Migration) -> bool:
        """Whether a repeatable migration has run as it is now."""
