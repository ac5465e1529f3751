"""A statement before it is ordered, and what its position depends on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from dbmigrate.postgres.schema.catalog import ObjectName


class Slot(IntEnum):
    """The phase of its object in which a statement runs."""

    DROP = 0
    ALTER = 1
    CREATE = 2
    ATTRIBUTE = 3
    """Owner, grants, comment. Others need not wait for it."""
    FINISH = 4
    """What comes later, such as the validation of a constraint. Others need not wait for it."""


class Mode(IntEnum):
    """Which statements a statement may share a file with."""

    FIRST = 0
    """With its like, in a file before all others: a new value of an enum can't be used before
    it is committed."""
    TOGETHER = 1
    """With any others, in one transaction."""
    SCAN = 2
    """With its like: it reads a whole table under a weak lock, and a strong one of the same
    transaction would last as long."""
    ALONE = 3
    """With none, and outside of a transaction block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStatement:
    """One statement."""

    sql: str
    about: ObjectName
    action: str
    slot: Slot
    mode: Mode = Mode.TOGETHER
    covers: frozenset[ObjectName] = frozenset()
    """What else it creates or drops, according to its slot."""
    after: tuple[ObjectName, ...] = ()
    """Objects that have to be finished before it, FINISH among it."""
    before: tuple[ObjectName, ...] = ()
    """Objects that may only be dropped or altered after it."""
    is_early: bool = False
    """It frees the object from what is dropped, and does not wait for what is created."""
    destroys: str | None = None
    note: str | None = None
