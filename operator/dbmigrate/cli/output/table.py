"""Plain tables: columns as wide as they need to be, two spaces between them."""

from __future__ import annotations

from collections.abc import Sequence

from dbmigrate.printable import one_line


def draw_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The lines of the table, the head first. Columns that are empty in all rows are left out."""
    kept = [index for index in range(len(head)) if any(row[index] for row in rows)]
    lines = [
        [head[index] for index in kept],
        *([one_line(row[index]) for index in kept] for row in rows),
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(kept))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
