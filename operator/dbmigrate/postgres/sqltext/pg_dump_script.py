"""Converts pg_dump's script of a schema into one that can be a migration.

pg_dump writes for its own session: its settings would also apply to what runs after it,
so those that the script needs last until the end of its transaction here, and the others
are left out. A materialized view comes without its rows and is not readable; it is
refreshed at the end, because that costs nothing in an empty database.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from dbmigrate.postgres.sqltext.splitter import Statement, split
from dbmigrate.postgres.sqltext.tokens import tokens

_NEEDED = frozenset(
    ("CHECK_FUNCTION_BODIES", "DEFAULT_TABLESPACE", "DEFAULT_TABLE_ACCESS_METHOD", "XMLOPTION")
)
"""Settings that decide what a statement makes, or whether it can."""
_SEARCH_PATH = b"SELECT pg_catalog.set_config('search_path', '', false)"
_PSQL = re.compile(rb"^\\[^\n]*\n?", re.MULTILINE)
"""Lines for psql; between two statements there can be no others that begin so."""


def as_migration(dump: bytes, *, head: Iterable[str], filled: Collection[str]) -> bytes:
    """The script, with these lines of comment above it.

    `filled` names the materialized views that have their rows, qualified and quoted as
    SQL needs it. Raises MigrationError (SourceInvalid) for what can't be split.
    """
    # They quote another tool's table: whatever it contains has to stay a comment.
    comment = "".join(f"-- {' '.join(line.split())}\n" for line in head)
    pieces = [comment.encode()]
    views: list[str] = []
    statements = [*split(dump, file="pg_dump")]
    behind = statements[0].start if statements else 0  # before it is pg_dump's own header
    for statement in statements:
        pieces += [_PSQL.sub(b"", dump[behind : statement.start]), _keep(dump, statement)]
        behind = statement.end + 1
        if statement.words[:3] == ("CREATE", "MATERIALIZED", "VIEW"):
            views.append(_name_of_view(dump, statement))
    pieces += [f"\n\n\nREFRESH MATERIALIZED VIEW {v};".encode() for v in views if v in filled]
    return _joined(pieces)


def _name_of_view(dump: bytes, statement: Statement) -> str:
    """The name between VIEW and AS, or the options before that."""
    found = [*tokens(dump, statement.start, statement.end, file="pg_dump")]
    ends = (i for i, token in enumerate(found) if token.text in ("AS", "WITH", "USING", "("))
    name = found[3 : next(ends, len(found))]
    return dump[name[0].start : name[-1].end].decode("utf-8", "replace") if name else ""


def _keep(dump: bytes, statement: Statement) -> bytes:
    """The statement as a migration needs it; empty: left out."""
    text = dump[statement.start : statement.end]
    if text.startswith(_SEARCH_PATH):
        return text.replace(b"false", b"true", 1) + b";"
    if statement.words[:1] == ("SET",):
        return b"SET LOCAL" + text[3:] + b";" if _NEEDED.intersection(statement.words[1:2]) else b""
    if statement.words[:3] == ("CREATE", "USER", "MAPPING"):
        return b"-- A user mapping is left out: it may hold a password."
    return text + b";"


def _joined(pieces: list[bytes]) -> bytes:
    """The script, without the gaps that left-out statements leave."""
    kept: list[bytes] = []
    for piece in pieces:
        if piece and (piece.strip() or (kept and kept[-1].strip())):
            kept.append(piece)
    return b"".join(kept).rstrip(b"\n") + b"\n"
