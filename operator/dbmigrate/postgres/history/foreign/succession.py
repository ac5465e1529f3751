"""What the logs of other histories in the same database say of this one: which of the two counts.

Where one history takes the place of another, the logs of both say it. A history that has lost its
log, or its table as well, is known by what the other one says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dbmigrate.postgres.connection.errors import ServerFailure
from dbmigrate.postgres.connection.session import Row, Session
from dbmigrate.postgres.history.log.notes import NOTED, NoteKind, Successor
from dbmigrate.postgres.history.relations import History
from dbmigrate.postgres.sqltext.quoting import literal
from dbmigrate.versions import Version

_KINDS = (NoteKind.TAKEOVER, NoteKind.SUCCESSION, NoteKind.BESIDE)


@dataclass(frozen=True, slots=True)
class Word:
    """The newest note about one history in the log of another."""

    teller: History
    """Whose log says it."""
    kind: NoteKind
    version: Version | None
    """Of a TAKEOVER that at which the other one was left, of a SUCCESSION that of this one."""

    @property
    def successor(self) -> Successor | None:
        """The history that counts in the place of this one, if that is what it says."""
        if self.kind is not NoteKind.SUCCESSION:
            return None
        return Successor(self.teller.kind, self.teller.name, self.version)


def name_in_notes(history: History) -> str:
    """How a note names a history."""
    return f"{history.kind} {history.name}"


def read_words(session: Session, history: History, others: Iterable[History]) -> Iterator[Word]:
    """What the logs of the others say of this history. One that can't be read says nothing."""
    kinds = ", ".join(literal(kind) for kind in _KINDS)
    for other in others:
        if not other.knows_log:
            continue
        try:
            *_, rows = session.query(
                other.guarded_reading(
                    "SELECT direction, from_version, checksum"
                    f" FROM {other.log_table} WHERE outcome = '{NOTED}'"
                    f" AND direction IN ({kinds}) AND name = {literal(name_in_notes(history))}"
                    " ORDER BY id DESC LIMIT 1"
                )
            )
        except ServerFailure:
            session.roll_back()
            continue
        yield from (_read(other, history, row) for row in rows)


def _read(other: History, history: History, row: Row) -> Word:
    kind = NoteKind(row[0] or "")
    if kind is NoteKind.TAKEOVER:
        return Word(other, kind, other.read_version(row[1]))
    return Word(other, kind, history.read_version(row[2] or None))
