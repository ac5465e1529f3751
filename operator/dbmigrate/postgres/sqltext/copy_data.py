"""The rows below COPY ... FROM stdin in a script, as pg_dump writes them.

They are not SQL, so they are removed from the query; the server asks for them while
it executes the query, and gets them then. Positions in the query are mapped back to
the script.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dbmigrate.postgres.sqltext.splitter import split

_LAST_LINE = re.compile(rb"\\\.\r?(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class Sendable:
    """The parts of a script as they are sent."""

    sql: bytes
    rows: tuple[memoryview, ...] = ()
    """What to answer each COPY ... FROM stdin with, in order: views of the script."""
    cuts: tuple[tuple[int, int], ...] = ()
    """Where something was cut out of the script: start and end as bytes of the script."""
    pieces: tuple[int, ...] = ()
    """Where `sql` may be cut to be sent in several messages, as bytes."""

    def byte_in_script(self, position: int) -> int:
        """The script's byte for a character of `sql`, counted from 1."""
        at = len(self.sql.decode()[: position - 1].encode())
        for start, end in self.cuts:
            if at >= start:
                at += end - start
        return at


def cut_rows(sql: bytes, file: str) -> Sendable:
    """Split a script into its SQL and its rows. Raises MigrationError (SourceInvalid)."""
    spans = [statement.rows for statement in split(sql, file=file) if statement.rows]
    if not spans:
        return Sendable(sql)
    parts, cuts, at = [], [], 0
    for start, end in spans:
        last_line = _LAST_LINE.match(sql, end)
        parts.append(sql[at:start])
        at = last_line.end() if last_line else end
        cuts.append((start, at))
    parts.append(sql[at:])
    return Sendable(
        b"".join(parts), tuple(memoryview(sql)[start:end] for start, end in spans), tuple(cuts)
    )
