"""Draws an error for people: where it is, the line with a caret, what the server adds."""

from __future__ import annotations

from dbmigrate.errors import MigrationError


def draw(error: MigrationError) -> str:
    """The text after `error: `, several lines if the error has a place in a file."""
    message = error.message
    if error.sqlstate and error.sqlstate not in message:
        message += f" (SQLSTATE {error.sqlstate})"
    lines = [message]
    place = error.location
    if place is not None:
        where = ":".join(str(part) for part in (place.file, place.line, place.column) if part)
        lines.append(f"  at {where}")
        lines += [f"    {line}" for line in (place.excerpt or "").splitlines()]
    for label, text in (("detail", error.detail), ("hint", error.hint)):
        if text:
            indented = text.replace("\n", "\n    ")
            lines.append(f"  {label}: {indented}")
    return "\n".join(lines)
