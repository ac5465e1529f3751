"""The statements in a DO block, as far as its text has them: PL/pgSQL around SQL.

What stands behind IF ... THEN may run or not; for lint it may. A statement that the
block puts together itself is not seen, one that it has as a whole in a string is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.sqltext.splitter import Statement, split
from dbmigrate.postgres.sqltext.statement_words import StatementWords
from dbmigrate.postgres.sqltext.tokens import Token, TokenKind, tokens

_ALONE = frozenset(("BEGIN", "ELSE", "LOOP", "EXCEPTION"))
_UP_TO = dict.fromkeys(("IF", "ELSIF", "ELSEIF", "WHEN", "CASE"), "THEN") | dict.fromkeys(
    ("FOR", "FOREACH", "WHILE"), "LOOP"
)
"""Words of PL/pgSQL that a statement may stand behind, and where it begins then."""


def read_block(sql: bytes, statement: Statement, file: str) -> Iterator[StatementWords]:
    """The statements of a DO block; none for any other statement, or another language."""
    if statement.words[:1] != ("DO",):
        return
    found = [*tokens(sql, statement.start, statement.end, file=file)]
    languages = [b.text for a, b in pairwise(found) if a.text == "LANGUAGE"]
    if languages not in ([], ["PLPGSQL"]):
        return
    for token in found:
        if token.kind is TokenKind.STRING and sql[token.start : token.start + 1] == b"$":
            edge = sql.index(b"$", token.start + 1) + 1 - token.start
            yield from _read_body(sql, token.start + edge, token.end - edge, file)


def _read_body(sql: bytes, start: int, end: int, file: str) -> Iterator[StatementWords]:
    """`start` and `end` are of the body alone. What can't be split is passed over."""
    body = _at_its_lines(sql, start, sql[start:end])
    try:
        pieces = [*split(body, file=file)]
    except MigrationError:
        return
    for piece in pieces:
        found = [*tokens(body, piece.start, piece.end, file=file)]
        at = _behind_plpgsql(found)
        if at == len(found):
            continue
        first = found[at]
        if first.text == "EXECUTE" and [token.kind for token in found[at + 1 :]] == [
            TokenKind.STRING
        ]:
            text = body[found[at + 1].start + 1 : found[at + 1].end - 1].replace(b"''", b"'")
            yield from _read_text(_at_its_lines(body, found[at + 1].start, text), file)
        else:
            yield _words(body, first.start, piece.end, file)


def _read_text(sql: bytes, file: str) -> Iterator[StatementWords]:
    try:
        statements = [*split(sql, file=file)]
    except MigrationError:
        return
    for statement in statements:
        yield StatementWords(sql, statement, file)


def _behind_plpgsql(found: Sequence[Token]) -> int:
    at = 0
    while at < len(found):
        end = _UP_TO.get(found[at].text)
        if end is not None:
            rest = (i for i in range(at, len(found)) if found[i].text == end)
            at = next(rest, len(found) - 1) + 1
        elif found[at].text in _ALONE:
            at += 1
        else:
            break
    return at


def _words(sql: bytes, start: int, end: int, file: str) -> StatementWords:
    return StatementWords(sql, Statement(start, end, sql.count(b"\n", 0, start) + 1, ()), file)


def _at_its_lines(sql: bytes, start: int, text: bytes) -> bytes:
    """A text that stands at this place of a script, so that its lines are counted as there."""
    return b"\n" * sql.count(b"\n", 0, start) + text
