"""What the logs of other histories in the same database say of this one: which of the two counts.

Where one history takes the place of another, the logs of both say it. A history that has lost its
log, or its table as well, is known by what the other one says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import ServerFailure
from dbmigrate.postgres.connection.session import Row, Session
from dbmigrate.postgres.history.foreign.formats import Beside, find_others
from dbmigrate.postgres.history.log.notes import NOTED, NoteKind, Successor
from dbmigrate.postgres.history.relations import History
from dbmigrate.postgres.sqltext.quoting import literal
from dbmigrate.versions import Version

_KINDS = (NoteKind.TAKEOVER, NoteKind.SUCCESSION, NoteKind.BESIDE)


@dataclass(frozen=True, slots=True)
class ForeignNote:
    """The newest note about one history in the log of another."""

    history: History
    """The other one, whose log says it."""
    kind: NoteKind
    version: Version | None
    """Of a TAKEOVER that at which the other one was left, of a SUCCESSION that of this one."""

    @property
    def successor(self) -> Successor | None:
        """The history that counts in the place of this one, if that is what it says."""
        if self.kind is not NoteKind.SUCCESSION:
            return None
        return Successor(self.history.kind, self.history.name, self.version)


def name_in_notes(history: History) -> str:
    """How a note names a history."""
    return f"{history.kind} {history.name}"


class OtherHistories:
    """The other histories in a database, beside one. They are looked for when they are asked for:
    one query, and one for each that there is."""

    def __init__(self, session: Session, history: History) -> None:
        self._session = session
        self._history = history

    @property
    def all(self) -> tuple[History, ...]:
        """All of them (find_others says where)."""
        return self._found.histories

    @property
    def named(self) -> tuple[History, ...]:
        """Those under the names that tools give them."""
        return tuple(each for each in self.all if not each.has_own_name)

    @property
    def refused(self) -> tuple[MigrationError, ...]:
        """Why others can't be read."""
        return self._found.refused

    @property
    def renamed_logs(self) -> tuple[str, ...]:
        """Tables in the one's schema that were its log under its present name."""
        return self._found.renamed_logs

    @cached_property
    def _found(self) -> Beside:
        return find_others(self._session, self._history)

    @cached_property
    def notes(self) -> tuple[ForeignNote, ...]:
        """What their logs say of the one. A log that can't be read says nothing."""
        return tuple(self._read_notes())

    @property
    def successor(self) -> Successor | None:
        """The history that counts in the place of the one, by its own log."""
        return next((note.successor for note in self.notes if note.successor is not None), None)

    def _read_notes(self) -> Iterator[ForeignNote]:
        kinds = ", ".join(literal(kind) for kind in _KINDS)
        name = literal(name_in_notes(self._history))
        for other in self.all:
            if not other.knows_log:
                continue
            try:
                *_, rows = self._session.query(
                    other.guarded_reading(
                        "SELECT direction, from_version, checksum"
                        f" FROM {other.log_table} WHERE outcome = '{NOTED}'"
                        f" AND direction IN ({kinds}) AND name = {name} ORDER BY id DESC LIMIT 1"
                    )
                )
            except ServerFailure:
                self._session.roll_back()
                continue
            yield from (_read(other, self._history, row) for row in rows)


def _read(other: History, history: History, row: Row) -> ForeignNote:
    kind = NoteKind(row[0] or "")
    if kind is NoteKind.TAKEOVER:
        return ForeignNote(other, kind, other.read_version(row[1]))
    return ForeignNote(other, kind, history.read_version(row[2] or None))
