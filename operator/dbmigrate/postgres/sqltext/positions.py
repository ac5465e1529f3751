"""Converts an offset in a script into a line, a column and an excerpt with a caret.

PostgreSQL counts characters from the start of the query; a reader needs the line
and its text. Used only after a failure.
"""

from __future__ import annotations

from dbmigrate.errors import Location

_WIDTH = 120
"""Characters of a line that are shown."""

_BEFORE = 80
"""Characters of them before the column."""


def position_to_location(sql: bytes, position: int, file: str) -> Location:
    """The place of a character, counted from 1 as PostgreSQL does, in a script.

    An offset beyond the end is the end.
    """
    return locate_byte(sql, _byte_offset(sql, max(position - 1, 0)), file)


def locate_byte(sql: bytes, offset: int, file: str) -> Location:
    """The place of a byte, counted from 0, in a script."""
    offset = min(offset, len(sql))
    start = sql.rfind(b"\n", 0, offset) + 1
    end = sql.find(b"\n", offset)
    # Enough bytes for the characters that are shown: a line may be megabytes long.
    before = sql[start:offset].decode("utf-8", "replace")
    after = sql[offset : min(len(sql) if end < 0 else end, offset + 4 * _WIDTH)]
    return Location(
        file,
        line=sql.count(b"\n", 0, offset) + 1,
        column=len(before) + 1,
        excerpt=_draw(before, after.decode("utf-8", "ignore").rstrip("\r")),
    )


def _byte_offset(sql: bytes, characters: int) -> int:
    """The byte at which the character of this index starts."""
    if sql.isascii():
        return min(characters, len(sql))
    low, at = 0, 0
    while at < len(sql):
        chunk = sql[at : at + 65536]
        # All but the bytes 10xxxxxx start a character.
        size = len(chunk) - len(chunk.translate(None, _STARTS))
        if low + size > characters:
            break
        low += size
        at += len(chunk)
    for byte in range(at, len(sql)):
        if sql[byte] & 0xC0 != 0x80:
            if low == characters:
                return byte
            low += 1
    return len(sql)


_STARTS = bytes(byte for byte in range(256) if byte & 0xC0 != 0x80)


def _draw(before: str, after: str) -> str:
    """The line around the column, and a caret below it."""
    head = before if len(before) <= _BEFORE else "..." + before[len(before) - _BEFORE + 3 :]
    room = _WIDTH - len(head)
    tail = after if len(after) <= room else after[: room - 3] + "..."
    # Tabs stay tabs below, so that the caret is under its column.
    indent = "".join("\t" if each == "\t" else " " for each in head)
    return f"{head}{tail}\n{indent}^"
