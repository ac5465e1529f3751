"""An Atlas file as a script for PostgreSQL, and where Atlas would split it.

Line numbers stay those of the file. `-- atlas:txmode none` becomes dbmigrate's directive
for it. Where the file names a delimiter, semicolons replace it: the text between two
delimiters is one statement for Atlas, and one span here.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.sources.atlas.directives import header, read_directive
from dbmigrate.sources.atlas.statements import DELIMITER, read_delimiter, split

NO_TRANSACTION = "-- dbmigrate:no-transaction"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A script to run."""

    script: bytes
    spans: tuple[tuple[int, int], ...]
    """Of each statement as Atlas cuts it, in bytes of the script."""


def prepare(text: str, name: str) -> Prepared:
    """Raises MigrationError (SourceInvalid) for a file that Atlas cannot split."""
    text = _with_our_words(text)
    is_ordinary = read_delimiter(text, name)[0] == DELIMITER
    parts: list[bytes] = []
    spans = []
    size = at = 0
    for statement in split(text, name):
        above = text[at : statement.start].encode()
        body = text[statement.start : statement.end].encode()
        gap = text[statement.end : statement.after]
        behind = (gap if is_ordinary else _replace_delimiter(gap)).encode()
        spans.append((size + len(above), size + len(above) + len(body)))
        parts += [above, body, behind]
        size += len(above) + len(body) + len(behind)
        at = statement.after
    parts.append(text[at:].encode())
    return Prepared(b"".join(parts), tuple(spans))


def _with_our_words(text: str) -> str:
    lines = header(text)
    for number, line in enumerate(lines):
        found = read_directive(line)
        if found is not None and (found.name, found.value) == ("txmode", "none"):
            parts = text.split("\n", number + 1)
            parts[number] = NO_TRANSACTION
            return "\n".join(parts)
    return text


def _replace_delimiter(gap: str) -> str:
    """A semicolon after a comment at the end of the statement, and as many lines as before."""
    lines = gap.count("\n")
    if not gap:
        return ""
    return f"\n{DELIMITER}" + "\n" * (lines - 1) if lines else DELIMITER
