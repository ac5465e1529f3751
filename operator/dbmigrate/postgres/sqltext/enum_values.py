"""ALTER TYPE ... ADD VALUE, and whether the same script uses the new value.

PostgreSQL lets a transaction add a value to an enum, but not use it before the
commit, unless the transaction made the type as well. Which statement uses it is not
known without a catalog: any string constant of the same text counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dbmigrate.postgres.sqltext.splitter import Statement
from dbmigrate.postgres.sqltext.tokens import TokenKind, tokens


class AddedValue(NamedTuple):
    """A value that a script adds to an enum and uses further down."""

    statement: Statement
    value: str
    """As a constant, with its quotes."""
    used_in: Statement


def used_after_added(
    sql: bytes, statements: Sequence[Statement], *, file: str
) -> AddedValue | None:
    """The first new value that a later statement of the script mentions."""
    for index, statement in enumerate(statements):
        if statement.words[:2] != ("ALTER", "TYPE"):
            continue
        added = _added(sql, statement, file)
        if added is None or _is_created(sql, statements[:index], added[0], file):
            continue
        constant = added[1]
        for later in statements[index + 1 :]:
            if later.words[:2] != ("ALTER", "TYPE") and _mentions(sql, later, constant, file):
                return AddedValue(statement, constant.decode("utf-8", "replace"), later)
    return None


def _added(sql: bytes, statement: Statement, file: str) -> tuple[bytes, bytes] | None:
    """The type's name and the added constant."""
    found = [*tokens(sql, statement.start, statement.end, file=file)]
    for i in range(3, len(found)):
        if found[i].text == "VALUE" and found[i - 1].text == "ADD":
            constants = [token for token in found[i:] if token.kind is TokenKind.STRING]
            if not constants:
                return None
            name = sql[found[2].start : found[i - 2].end]
            return name.lower(), sql[constants[0].start : constants[0].end]
    return None


def _is_created(sql: bytes, before: Sequence[Statement], name: bytes, file: str) -> bool:
    for statement in before:
        if statement.words[:2] == ("CREATE", "TYPE"):
            found = [*tokens(sql, statement.start, statement.end, file=file)]
            ends = [i for i, token in enumerate(found) if token.text == "AS"]
            if ends and sql[found[2].start : found[ends[0] - 1].end].lower() == name:
                return True
    return False


def _mentions(sql: bytes, statement: Statement, constant: bytes, file: str) -> bool:
    inner = constant[1:-1]
    if sql.find(inner, statement.start, statement.end) < 0:
        return statement.rows is not None and sql.find(inner, *statement.rows) >= 0
    nested = b"''" + inner + b"''"
    for token in tokens(sql, statement.start, statement.end, file=file):
        if token.kind is TokenKind.STRING:
            text = sql[token.start : token.end]
            quotes_it = constant in text if text.startswith(b"$") else nested in text
            if text == constant or quotes_it:
                return True
    return False
