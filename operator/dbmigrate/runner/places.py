"""Where in a file something is, and whether the file can run in one transaction."""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.errors import Location


@dataclass(frozen=True, slots=True)
class Piece:
    """One statement of a file, as byte offsets."""

    start: int
    end: int


def pieces(sql: bytes, file: str) -> list[Piece]:
    """The statements of a file."""
    del file
    return [Piece(0, len(sql))]


def locate(sql: bytes, file: str, *, position: int | None, statement: int | None) -> Location:
    """The place of a character (counted from 1), or of a statement (counted from 0)."""
    del statement
    if position is None:
        return Location(file)
    text = sql.decode(errors="replace")
    start = text.rfind("\n", 0, position - 1) + 1
    return Location(file, text.count("\n", 0, position - 1) + 1, position - start)


def has_own_transactions(sql: bytes, file: str) -> bool:
    """Whether the file can't run inside of one transaction."""
    del sql, file
    return False
