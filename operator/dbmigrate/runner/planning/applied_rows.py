"""Applied versions where the history has a row for each: exactly those rows.

What the log knows of a step (its checksum, its down script, who and when) counts for
a row as long as both describe the same step. goose may have undone and redone a
version since: then its row has another time than the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from dbmigrate.postgres.history.formats.applied_rows import AppliedRow, VersionSet
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.runner.planning.applied import Gap
from dbmigrate.sources.migration import Migration
from dbmigrate.versions import Version

_ZONES_DIFFER_BY = 15 * 60 * 1000
"""Milliseconds: the time in goose's table has no zone, and zones differ by quarters of an hour."""
_ROUNDED = 5


class AppliedSet:
    """The tool's rows, with what the log knows of them."""

    is_exact = True

    def __init__(self, found: VersionSet, log: Iterable[LogRow]) -> None:
        self._found = found
        self._rows: dict[Version, LogRow] = {}
        self.gap: Gap | None = None
        """Never: whatever moved the version behind our back, the rows tell it all."""
        known = _replay(log)
        for version, entry in (*found.applied.items(), *found.repeated.items()):
            if version in known and _is_same_step(entry, known[version]):
                self._rows[version] = known[version]

    @property
    def version(self) -> Version | None:
        """The highest."""
        return self._found.version

    @property
    def recorded(self) -> tuple[Version, ...]:
        """All of them, in order."""
        return tuple(sorted(self._found.applied))

    @property
    def stops(self) -> tuple[Version, ...]:
        """None: the rows are all that there is."""
        return ()

    @property
    def undoing(self) -> tuple[Version, ...]:
        """Backwards as the tool goes: by application, or by number."""
        if self._found.dialect.undoes_last_applied:
            return tuple(reversed(self._found.applied))
        return tuple(reversed(self.recorded))

    def settle(self, version: Version | None) -> None:
        """Nothing to do: the rows decide."""

    def covers(self, version: Version) -> bool:
        """Whether it has a row, or the history begins above it."""
        return version in self._found.applied or self._found.is_below_base(version)

    def row(self, version: Version) -> LogRow | None:
        """The log's row of the step that applied it; None: another tool did."""
        return self._rows.get(version)

    def applied_at(self, version: Version) -> str | None:
        """The time in the tool's own row."""
        entry = self._found.applied.get(version) or self._found.repeated.get(version)
        return entry.applied_at if entry else None

    @property
    def base(self) -> Version | None:
        """By the newest row that says so."""
        return self._found.base

    def needs_file(self, version: Version) -> bool:
        """As the table has it."""
        return self._found.needs_file(version)

    @property
    def validates_files(self) -> bool:
        """As the tool has it."""
        return self._found.dialect.validates_files

    @property
    def requires_down(self) -> bool:
        """As the tool has it."""
        return self._found.dialect.requires_down

    def tool_checksum(self, version: Version) -> int | str | None:
        """Of a version above the base: the tool does not look at others either."""
        entry = self._found.applied.get(version)
        return None if entry is None or self._found.is_below_base(version) else entry.checksum

    def mismatch(self, migration: Migration) -> str:
        """As the table has it."""
        path = migration.up.path if migration.up else ""
        return self._found.mismatch(migration.version, migration.description, path)

    @property
    def repeated(self) -> tuple[Version, ...]:
        """By the table."""
        return tuple(self._found.repeated)

    def is_current(self, migration: Migration) -> bool:
        """By the tool's checksum."""
        entry, script = self._found.repeated.get(migration.version), migration.up
        if entry is None or script is None or script.tool_checksums is None:
            return False
        return entry.checksum in script.tool_checksums()


def _replay(log: Iterable[LogRow]) -> dict[Version, LogRow]:
    """The log's newest row for each version that it counts as applied."""
    known: dict[Version, LogRow] = {}
    for row in log:
        if row.outcome != "applied":
            continue
        if row.version is None:  # a person set the version: what is above it went without a step
            top = row.to_version
            known = {v: up for v, up in known.items() if top is not None and v <= top}
        elif row.direction == "up":
            known[row.version] = row
        else:
            known.pop(row.version, None)
    return known


def _is_same_step(entry: AppliedRow, row: LogRow) -> bool:
    """Whether the tool's row was written while the log's step ran, in any time zone."""
    if entry.clock_ms is None or row.finished_at is None or row.milliseconds is None:
        return True
    finished = datetime.fromisoformat(row.finished_at)
    since = (finished - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000
    early = (entry.clock_ms - (since - row.milliseconds) + _ROUNDED) % _ZONES_DIFFER_BY
    return early <= row.milliseconds + 2 * _ROUNDED
