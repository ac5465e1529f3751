"""Formats an error: its place, the line with a caret, the server's details."""

from __future__ import annotations

from dbmigrate import printable
from dbmigrate.errors import MigrationError
from dbmigrate.printable import block, one_line


def draw(error: MigrationError) -> str:
    """The text after `error: `, several lines if the error has a place in a file."""
    message = block(error.message, "    ")
    if error.sqlstate and error.sqlstate not in message:
        message += f" (SQLSTATE {error.sqlstate})"
    lines = [message]
    place = error.location
    if place is not None:
        where = ":".join(str(part) for part in (place.file, place.line, place.column) if part)
        lines.append(f"  at {one_line(where)}")
        lines += [
            f"    {line}" for line in printable.lines(place.excerpt or "").split("\n") if line
        ]
    for label, text in (("detail", error.detail), ("hint", error.hint)):
        if text:
            lines.append(f"  {label}: {block(text, '    ')}")
    return "\n".join(lines)
