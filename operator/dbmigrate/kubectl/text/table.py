"""Tables as kubectl draws them: columns at least six wide, three spaces apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dbmigrate.printable import one_line

GAP = 3
LEAST = 6


class Tone(StrEnum):
    """The meaning of a text; on a terminal, a colour."""

    PLAIN = ""
    GOOD = "32"
    BUSY = "33"
    BAD = "31"
    HEAD = "1"


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of a table."""

    text: str
    tone: Tone = Tone.PLAIN


Row = Sequence[Cell]


class TextTable:
    """A table that grows row by row: columns never become narrower."""

    def __init__(self, head: Sequence[str]) -> None:
        self._head = [Cell(text, Tone.HEAD) for text in head]
        self._widths = [max(len(text), LEAST - GAP) for text in head]

    def draw(self, rows: Sequence[Row], *, with_head: bool) -> list[list[Cell]]:
        """The lines, each as cells to be written one after the other."""
        for row in rows:
            for index, cell in enumerate(row):
                self._widths[index] = max(self._widths[index], len(one_line(cell.text)))
        lines = [self._head, *rows] if with_head else list(rows)
        return [self._pad(line) for line in lines]

    def _pad(self, row: Row) -> list[Cell]:
        padded = [
            Cell(one_line(cell.text).ljust(width + GAP), cell.tone)
            for cell, width in zip(row, self._widths, strict=True)
        ]
        return [*padded[:-1], row[-1]]
