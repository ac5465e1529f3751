"""Notes in the log: who migrates the database, what a person has ordered, what was lost.

A note is a row that is no step. It has the outcome `noted`, which every version of dbmigrate
passes over when it replays the log, the version 0, and the version of the database before and
after. `direction` says what is noted and `name` the text; `checksum` is the intent that a
hold is about.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from dbmigrate.postgres.history.log.rows import LogRow, NewLogRow
from dbmigrate.versions import Version

NOTED = "noted"
NOTE_VERSION = 0
UNKNOWN_CLUSTER = "unknown"
"""How the name of a cluster begins that the operator may not find out for certain."""


class NoteKind(StrEnum):
    """What is noted."""

    OWNER = "owner"
    """The name is who migrates the database from here on."""
    HOLD = "hold"
    """The name is the order by which what follows was rolled back."""
    ORDER = "order"
    """The name is an order that was carried out: one of the same name is not carried out again."""
    RESTORE = "restore"
    """The name is the file of the backup that was restored."""
    PRUNE = "prune"
    """The name is how many rows of the log were removed."""
    LOST = "lost"
    """Rows of the log were missing; the checksum is the versions that the files had by then."""
    TAKEOVER = "takeover"
    """The name is the history, of another format, that counts from here on, with its format before
    it; empty where this one counts again."""
    SUCCESSION = "succession"
    """The other side of a TAKEOVER: the name is the history that this one counts in the place of,
    the checksum the version at which it was left."""
    BESIDE = "beside"
    """The name is the history that counts as well, although this one had taken its place."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who migrates a database: a name that stays, and what tells two of that name apart.

    For a resource `CLUSTER/NAMESPACE/NAME#UID`. One that is made again under its name is the same
    owner, so that a person who applies a manifest again is not locked out.
    """

    name: str
    uid: str = ""

    @classmethod
    def parse(cls, text: str) -> Owner:
        """Read what `str` has written."""
        name, _, uid = text.partition("#")
        return cls(name, uid)

    def __str__(self) -> str:
        return f"{self.name}#{self.uid}" if self.uid else self.name

    def is_same_as(self, other: Owner) -> bool:
        """Whether both are one, as far as their clusters are known."""
        mine, theirs = self.name.split("/"), other.name.split("/")
        is_unknown = mine[0].startswith(UNKNOWN_CLUSTER) or theirs[0].startswith(UNKNOWN_CLUSTER)
        if len(mine) == len(theirs) == 3 and is_unknown:
            return mine[1:] == theirs[1:]
        return self.name == other.name


@dataclass(frozen=True, slots=True)
class Successor:
    """The history that has taken the place of the one at hand."""

    format: str
    table: str
    """With its schema."""
    version: Version | None
    """At which the abandoned history was."""

    def __str__(self) -> str:
        return f"{self.format} {self.table}"


@dataclass(frozen=True, slots=True)
class Hold:
    """A rollback that a person has ordered, and that nothing has followed since."""

    order: str
    intent: str
    """What the resource wanted when it was ordered."""
    from_version: Version | None
    owner: Owner | None
    """Who carried it out."""
    undone: frozenset[Version | None]
    """The versions that were rolled back."""


def noted_row(log_id: int, row: NewLogRow) -> LogRow:
    """A note as it reads once it is written."""
    return LogRow(
        id=log_id,
        version=row.version,
        name=row.name,
        direction=row.direction,
        from_version=row.from_version,
        to_version=row.to_version,
        checksum=row.checksum,
        has_down=False,
        outcome=row.outcome,
        finished_at=None,
        milliseconds=None,
        executed_by="",
        executed_from=row.executed_from,
        statements=None,
        statements_done=None,
        done_checksum=None,
    )


def find_owner(notes: Iterable[LogRow]) -> Owner | None:
    """Who migrates the database; None: unknown."""
    owner = None
    for row in notes:
        if row.direction == NoteKind.OWNER:
            owner = Owner.parse(row.name)
    return owner


def find_successor(notes: Iterable[LogRow]) -> Successor | None:
    """The history that a person has put in the place of this one; None: this one counts."""
    marks = [row for row in notes if row.direction == NoteKind.TAKEOVER]
    if not marks or not marks[-1].name:
        return None
    name, _, table = marks[-1].name.partition(" ")
    return Successor(name, table, marks[-1].from_version)


def find_hold(notes: Iterable[LogRow], log: Iterable[LogRow]) -> Hold | None:
    """The ordered rollback that is the last thing that was done to the database."""
    notes = list(notes)
    held = next((row for row in reversed(notes) if row.direction == NoteKind.HOLD), None)
    if held is None:
        return None
    since = [row for row in log if row.id > held.id and row.outcome == "applied"]
    if not since or any(row.direction != "down" for row in since):
        return None
    return Hold(
        order=held.name,
        intent=held.checksum or "",
        from_version=held.from_version,
        owner=find_owner(row for row in notes if row.id < held.id),
        undone=frozenset(row.version for row in since),
    )


def find_order(notes: Iterable[LogRow], order: str) -> LogRow | None:
    """The note that it has been carried out; None: it has not."""
    is_order = (row for row in notes if row.direction == NoteKind.ORDER and row.name == order)
    return next(is_order, None)


def find_restore(notes: Iterable[LogRow], log: Iterable[LogRow]) -> LogRow | None:
    """The backup that was put into the database, if nothing was migrated since."""
    found = [row for row in notes if row.direction == NoteKind.RESTORE]
    if not found or any(row.id > found[-1].id and row.outcome == "applied" for row in log):
        return None
    return found[-1]
