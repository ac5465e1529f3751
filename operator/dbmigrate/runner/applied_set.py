"""Applied versions where the history has a row for each: no more and no less than those rows.

What the log knows of a step (its checksum, its down script, who and when) counts
for a row as long as both tell of the same step. goose may have undone and redone
a version since: its row then has another time than our log.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from dbmigrate.postgres.history_rows import LogRow
from dbmigrate.postgres.version_set import Entry, VersionSet
from dbmigrate.runner.applied import Gap

_ZONES_DIFFER_BY = 15 * 60 * 1000
"""Milliseconds: the time in goose's table has no zone, and zones differ by quarters of an hour."""
_ROUNDED = 5


class AppliedSet:
    """The tool's rows, with what the log knows of them."""

    is_exact = True

    def __init__(self, found: VersionSet, log: Iterable[LogRow]) -> None:
        self._found = found
        self._rows: dict[int, LogRow] = {}
        self.gap: Gap | None = None
        """Never: whatever moved the version behind our back, the rows tell it all."""
        known = _replay(log)
        for version, entry in found.applied.items():
            if version in known and _is_same_step(entry, known[version]):
                self._rows[version] = known[version]

    @property
    def version(self) -> int | None:
        """The highest."""
        return self._found.version

    @property
    def recorded(self) -> tuple[int, ...]:
        """All of them, in order."""
        return tuple(sorted(self._found.applied))

    @property
    def undoing(self) -> tuple[int, ...]:
        """Backwards as the tool goes: by application, or by number."""
        if self._found.dialect.undoes_last_applied:
            return tuple(reversed(self._found.applied))
        return tuple(reversed(self.recorded))

    def settle(self, version: int | None) -> None:
        """There is nothing to settle."""

    def covers(self, version: int) -> bool:
        """Whether it has a row."""
        return version in self._found.applied

    def row(self, version: int) -> LogRow | None:
        """The log's row of the step that applied it; None: another tool did."""
        return self._rows.get(version)

    def applied_at(self, version: int) -> str | None:
        """The time in the tool's own row."""
        entry = self._found.applied.get(version)
        return entry.applied_at if entry else None


def _replay(log: Iterable[LogRow]) -> dict[int, LogRow]:
    """The log's last word on each version that it took for applied."""
    known: dict[int, LogRow] = {}
    for row in log:
        if row.outcome != "applied":
            continue
        if row.version is None:  # a person set the version: what is above it went without a step
            top = -1 if row.to_version is None else row.to_version
            known = {version: up for version, up in known.items() if version <= top}
        elif row.direction == "up":
            known[row.version] = row
        else:
            known.pop(row.version, None)
    return known


def _is_same_step(entry: Entry, row: LogRow) -> bool:
    """Whether the tool's row was written while the log's step ran, in whichever zone."""
    if entry.clock_ms is None or row.finished_at is None or row.milliseconds is None:
        return True
    finished = datetime.fromisoformat(row.finished_at)
    since = (finished - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000
    early = (entry.clock_ms - (since - row.milliseconds) + _ROUNDED) % _ZONES_DIFFER_BY
    return early <= row.milliseconds + 2 * _ROUNDED
