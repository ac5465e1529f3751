"""Which versions are applied where the history is one number, as far as the log proves it.

schema_migrations holds one number. The log says how it was reached: which steps
were run, and where the version was moved without running anything (force, baseline,
or golang-migrate, whose steps leave a gap in the log). Below such a move nothing is
proved, and a version there counts as applied, as it does with golang-migrate. A
version is out of order only when the log proves that it was skipped.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable

from dbmigrate.postgres.history.adapter import Found
from dbmigrate.postgres.history.formats.golang_migrate import VersionRow
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.runner.planning.applied import AppliedVersions, Gap
from dbmigrate.sources.migration import Migration
from dbmigrate.versions import Version


def read_applied(found: Found, log: Iterable[LogRow]) -> AppliedVersions:
    """The applied versions, from the tool's table and the log together."""
    if not isinstance(found, VersionRow):
        from dbmigrate.postgres.history.formats.applied_rows import VersionSet
        from dbmigrate.runner.planning.applied_rows import AppliedSet

        if isinstance(found, VersionSet):
            return AppliedSet(found, log)
    applied = Applied(log)
    if not found.dirty:
        applied.settle(found.version)
    return applied


class Applied:
    """golang-migrate's single number: the log replayed."""

    is_exact = False
    requires_down = False
    validates_files = False
    base = None
    repeated: tuple[Version, ...] = ()

    def __init__(self, rows: Iterable[LogRow]) -> None:
        self._rows: dict[Version, LogRow] = {}
        self._order: list[Version] = []
        self._assumed: list[tuple[Version | None, Version]] = []
        self.version: Version | None = None
        self.gap: Gap | None = None
        """A move that the log does not know yet; recorded by the next write."""
        for row in rows:
            if row.outcome == "applied":
                self._move(row.from_version)
                self._replay(row)

    def settle(self, version: Version | None) -> None:
        """Believe the version row where the log ends at another version: the log has a gap."""
        if self.version != version:
            self.gap = Gap(self.version, version)
            self._move(version)

    def covers(self, version: Version) -> bool:
        """Whether it counts as applied: recorded so, or not provably skipped."""
        if version in self._rows:
            return True
        index = bisect.bisect_left(self._assumed, version, key=lambda span: span[1])
        if index == len(self._assumed):
            return False
        low = self._assumed[index][0]
        return low is None or low < version

    def row(self, version: Version) -> LogRow | None:
        """The log's row of the step that applied it; None: not recorded, or not applied."""
        return self._rows.get(version)

    @property
    def recorded(self) -> tuple[Version, ...]:
        """The versions whose application the log has, in order."""
        return tuple(self._order)

    def applied_at(self, version: Version) -> str | None:
        """golang-migrate keeps no times."""
        del version
        return None

    def needs_file(self, version: Version) -> bool:
        """All do."""
        del version
        return True

    def tool_checksum(self, version: Version) -> None:
        """Nor checksums."""
        del version

    def mismatch(self, migration: Migration) -> str:
        """Its table has a number alone."""
        del migration
        return ""

    def is_current(self, migration: Migration) -> bool:
        """It has no repeatable migrations."""
        del migration
        return True

    @property
    def stops(self) -> tuple[Version, ...]:
        """Where it was moved to."""
        return tuple(version for _, version in self._assumed)

    @property
    def undoing(self) -> tuple[Version, ...]:
        """The same from the highest downwards."""
        return tuple(reversed(self._order))

    def _replay(self, row: LogRow) -> None:
        if row.direction == "up" and row.version is not None:
            if row.version not in self._rows:
                bisect.insort(self._order, row.version)
            self._rows[row.version] = row
            self.version = row.to_version
            return
        self._move(row.to_version)

    def _move(self, version: Version | None) -> None:
        """The version was moved without a step that the log has."""
        here = self.version
        if version == here:
            return
        self.version = version
        if version is not None and (here is None or version > here):
            self._assumed.append((here, version))
            return
        while self._order and (version is None or self._order[-1] > version):
            del self._rows[self._order.pop()]
        while self._assumed and (version is None or self._assumed[-1][1] > version):
            low, _ = self._assumed.pop()
            if version is not None and (low is None or low < version):
                self._assumed.append((low, version))
