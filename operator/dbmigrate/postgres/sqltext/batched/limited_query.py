"""The query whose rows `:batch_size` limits, as a statement by itself.

With it a run can find out, when a batch has changed nothing, whether rows are left; and which
column of which table the cursor follows, so that the catalog can say whether it is a key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dbmigrate.postgres.sqltext.batched.order_check import (
    column_name,
    find_compared,
    limited_level,
    limited_span,
)
from dbmigrate.postgres.sqltext.tokens import Token, TokenKind

_AFTER_FROM = frozenset(("WHERE", "ORDER", "LIMIT", "FETCH", "FOR", "OFFSET"))
_NAMES = (TokenKind.WORD, TokenKind.IDENTIFIER)


@dataclass(frozen=True, slots=True)
class LimitedQuery:
    """A SELECT in a batched file."""

    start: int
    """Its first byte in the file."""
    end: int
    table: str | None
    """The only relation that it reads, as the file names it; None: another FROM clause."""
    keys: tuple[str, ...]
    """The columns that are compared with the cursor, in its order; empty: not plain columns."""
    has_null_test: bool
    """Whether it excludes rows whose key is NULL."""
    has_repetition: bool
    """Whether several rows of the table may be one of its rows, or come with the last one."""


def find_limited_query(
    sql: bytes,
    found: Sequence[Token],
    main: int,
    cursors: Sequence[tuple[int, int]],
    size_at: int,
) -> LimitedQuery | None:
    """The query; None where it is the statement itself, which may have effects.

    `cursors`: the byte of each place of a cursor, and its number counted from 1.
    """
    first, last = _edges(found, main, size_at)
    if first >= last or found[first].text not in ("SELECT", "WITH"):
        return None
    level = limited_level(found, size_at)
    texts = [token.text for token in level]
    return LimitedQuery(
        start=found[first].start,
        end=found[last - 1].end,
        table=_only_table(sql, level),
        keys=_keys(sql, found, cursors),
        has_null_test=any(texts[at : at + 3] == ["IS", "NOT", "NULL"] for at in range(len(texts))),
        has_repetition=bool({"DISTINCT", "GROUP", "TIES"} & set(texts)),
    )


def _edges(found: Sequence[Token], main: int, size_at: int) -> tuple[int, int]:
    """The indexes of its first token, and after its last."""
    opening, closing = limited_span(found, size_at)
    if opening >= 0:
        return opening + 1, closing
    if found[main].text != "INSERT":
        return 0, 0
    depth = 0
    first = 0
    for at, token in enumerate(found[main:], main):
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.text == "SELECT" and not first:
            first = at
        if depth == 0 and first and token.text in ("ON", "RETURNING"):
            return first, at
    return first, len(found) if first else first


def _only_table(sql: bytes, level: Sequence[Token]) -> str | None:
    """The relation of a FROM clause with one plain name, with or without an alias."""
    texts = [token.text for token in level]
    if texts.count("FROM") != 1:
        return None
    at = texts.index("FROM") + 1
    at += texts[at : at + 1] == ["ONLY"]
    rest = level[at:]
    end = next((i for i, token in enumerate(rest) if token.text in _AFTER_FROM), len(rest))
    names = rest[:end]
    if not names or names[0].kind not in _NAMES:
        return None
    last = 1
    while last + 1 < len(names) and names[last].text == "." and names[last + 1].kind in _NAMES:
        last += 2
    alias = [token for token in names[last:] if token.text != "AS"]
    if len(alias) > 1 or any(token.kind not in _NAMES for token in alias):
        return None
    return sql[names[0].start : names[last - 1].end].decode("utf-8", "replace")


def _keys(
    sql: bytes, found: Sequence[Token], cursors: Sequence[tuple[int, int]]
) -> tuple[str, ...]:
    names: dict[int, str] = {}
    for place, number in cursors:
        compared = find_compared(found, place, number)
        name = None if compared is None else column_name(sql, compared[0])
        if name is not None:
            names.setdefault(number, name)
    wanted = max((number for _, number in cursors), default=0)
    return tuple(names[n] for n in sorted(names)) if len(names) == wanted else ()
