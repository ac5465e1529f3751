"""What CREATE INDEX and DROP INDEX name, read from their text.

Reads only what is needed to ask the server about the index: its name, its table, and
the part of the definition that the server parses by itself. For anything else the
result is None: nothing is known about the statement.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.sqltext.tokens import Token, TokenKind, tokens


@dataclass(frozen=True, slots=True)
class CreateIndex:
    """CREATE INDEX. Names are as the statement writes them, with their quotes."""

    name: str | None
    """None: the server chooses one."""
    table: str
    """With its schema where the statement names one."""
    is_unique: bool
    is_concurrent: bool
    may_exist: bool
    """IF NOT EXISTS."""
    definition: str
    """What follows the table: USING btree (lower(email)) WHERE ..."""


@dataclass(frozen=True, slots=True)
class DropIndex:
    """DROP INDEX. Names are as the statement writes them, with schema and quotes."""

    names: tuple[str, ...]
    is_concurrent: bool
    may_be_missing: bool
    """IF EXISTS."""


IndexStatement = CreateIndex | DropIndex


def read_index_statement(statement: bytes) -> IndexStatement | None:
    """What one statement does to an index; None: nothing, or nothing that can be read."""
    if statement[:1] not in b"CcDd":
        return None
    try:
        reader = _Reader(statement, [*tokens(statement, 0, len(statement), file="")])
    except MigrationError:
        return None
    if reader.skip("CREATE"):
        return _read_create(reader)
    return _read_drop(reader) if reader.skip("DROP") else None


def _read_create(reader: _Reader) -> CreateIndex | None:
    is_unique = reader.skip("UNIQUE")
    if not reader.skip("INDEX"):
        return None
    is_concurrent = reader.skip("CONCURRENTLY")
    may_exist = reader.skip("IF", "NOT", "EXISTS")
    name = None if reader.sees("ON") else reader.read_name()
    if not reader.skip("ON"):
        return None
    reader.skip("ONLY")
    table = reader.read_name()
    definition = reader.rest()
    if table is None or not definition:
        return None
    return CreateIndex(name, table, is_unique, is_concurrent, may_exist, definition)


def _read_drop(reader: _Reader) -> DropIndex | None:
    if not reader.skip("INDEX"):
        return None
    is_concurrent = reader.skip("CONCURRENTLY")
    may_be_missing = reader.skip("IF", "EXISTS")
    names = []
    while (name := reader.read_name()) is not None:
        names.append(name)
        if not reader.skip(","):
            break
    if not reader.skip("CASCADE"):
        reader.skip("RESTRICT")
    if not names or reader.rest():
        return None
    return DropIndex(tuple(names), is_concurrent, may_be_missing)


class _Reader:
    """A statement's tokens, read from left to right."""

    def __init__(self, sql: bytes, found: list[Token]) -> None:
        self._sql = sql
        self._tokens = found
        self._at = 0

    def sees(self, *words: str) -> bool:
        """Whether these words, or symbols, come next."""
        return tuple(t.text for t in self._tokens[self._at : self._at + len(words)]) == words

    def skip(self, *words: str) -> bool:
        """Skip these words if they come next."""
        if not self.sees(*words):
            return False
        self._at += len(words)
        return True

    def read_name(self) -> str | None:
        """A qualified name; None: there is none, or one with U& escapes."""
        parts = []
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.kind not in {TokenKind.WORD, TokenKind.IDENTIFIER}:
                return None
            parts.append(self._sql[token.start : token.end].decode(errors="replace"))
            self._at += 1
            if not self.skip("."):
                return ".".join(parts)
        return None

    def rest(self) -> str:
        """The rest of the text."""
        if self._at >= len(self._tokens):
            return ""
        return self._sql[self._tokens[self._at].start :].decode(errors="replace")
