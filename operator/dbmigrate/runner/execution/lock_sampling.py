"""The locks that a step holds at the end of its transaction.

A statement after the file reads pg_locks, in the step's own message: it costs no round
trip, and only rehearsals ask for it. The oids are resolved by what was there before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dbmigrate.postgres.connection.session import Row

HELD_COLUMN = "dbmigrate_locked"
"""The name of the first column, which tells this result from those of the script."""
HELD_LOCKS = f"""SELECT relation AS {HELD_COLUMN}, mode FROM pg_catalog.pg_locks
WHERE pid = pg_catalog.pg_backend_pid() AND locktype = 'relation' AND granted"""
_STRENGTH = (
    "AccessShareLock RowShareLock RowExclusiveLock ShareUpdateExclusiveLock ShareLock"
    " ShareRowExclusiveLock ExclusiveLock AccessExclusiveLock"
).split()
_WORDS = {
    name: "".join(f" {letter}" if letter.isupper() else letter for letter in name[:-4])
    .strip()
    .upper()
    for name in _STRENGTH
}


@dataclass(frozen=True, slots=True)
class HeldLock:
    """The strongest lock on one table."""

    table: str
    mode: str
    """As the manual writes it: ACCESS EXCLUSIVE."""

    @property
    def strength(self) -> int:
        """Its place among the modes, the weakest first."""
        return _MODES.index(self.mode)


_MODES = tuple(_WORDS.values())


def strongest_locks(held: Iterable[Row], names: Mapping[str, str]) -> tuple[HeldLock, ...]:
    """The strongest lock on each of these relations, which are known by their oids."""
    strongest: dict[str, str] = {}
    for relation, mode in held:
        name = names.get(relation or "")
        if name is None or mode not in _STRENGTH:
            continue
        known = strongest.get(name)
        if known is None or _STRENGTH.index(mode) > _STRENGTH.index(known):
            strongest[name] = mode
    return tuple(HeldLock(name, _WORDS[mode]) for name, mode in sorted(strongest.items()))
