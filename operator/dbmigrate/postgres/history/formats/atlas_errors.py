"""A server's error as Atlas shows and stores it: in the words of its driver, lib/pq."""

from __future__ import annotations


def driver_text(
    message: str, sqlstate: str | None, statement: str = "", position: int | None = None
) -> str:
    """`pq: MESSAGE at column 8 (42601)`; `position` counts the statement's characters from 1."""
    place = ""
    if position is not None:
        before = statement[: position - 1].split("\n")
        column = len(before[-1]) + 1
        is_one_line = "\n" not in statement
        place = f" at column {column}" if is_one_line else f" at position {len(before)}:{column}"
    return f"pq: {message}{place}" + (f" ({sqlstate})" if sqlstate else "")
