"""What one statement does to everyone else: the lock it takes, and whether it loses data."""

from __future__ import annotations

from dataclasses import dataclass

_BLOCKED = {
    "SHARE": "blocks writes",
    "SHARE ROW EXCLUSIVE": "blocks writes",
    "EXCLUSIVE": "blocks writes",
    "ACCESS EXCLUSIVE": "blocks reads and writes",
}

LOSES = "loses data"
UNKNOWN = "what it locks or loses is not known"


@dataclass(frozen=True, slots=True)
class Impact:
    """What is known of one statement."""

    line: int
    """Of its start, counted from 1."""
    table: str | None
    """As it is written; None where no one table is meant."""
    lock: str | None
    """One of LOCKS; None: no lock that gets in anyone's way."""
    notes: tuple[str, ...] = ()
    is_destructive: bool = False
    others: tuple[tuple[str, str], ...] = ()
    """Further tables that the statement locks, each with its lock."""
    is_known: bool = True
    """False where the text alone can't tell: a block of code, a call, a rare statement."""

    def __str__(self) -> str:
        parts = [_describe_lock(self.lock, self.table)] if self.lock else []
        parts += [_describe_lock(lock, table) for table, lock in self.others]
        parts += self.notes
        return f"line {self.line}: {', '.join(parts)}"


def _describe_lock(lock: str, table: str | None) -> str:
    what = f" on {table}" if table else ""
    return f"{lock} lock{what}" + (f" ({_BLOCKED[lock]})" if lock in _BLOCKED else "")
