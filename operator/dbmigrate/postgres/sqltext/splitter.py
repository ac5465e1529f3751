"""Splits a script into statements where PostgreSQL's parser would.

A semicolon ends a statement except in two places: within the parentheses of a
CREATE RULE, and within the BEGIN ATOMIC ... END of a function. Everything else
is a matter of tokens (dbmigrate.postgres.sqltext.tokens). One regular expression skips
over a statement that can be neither of the two, so that fifty megabytes of INSERTs
take a second or two. Other errors in the SQL are left to the server, which reports
them better.

Two parts of psql's language are supported because pg_dump writes them: the rows below COPY ... FROM
stdin, which a statement has as a separate span, and the lines \\restrict and \\unrestrict, which
have no effect here. Any other backslash outside of a string is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from dbmigrate.errors import Location, MigrationError
from dbmigrate.postgres.sqltext.positions import locate_byte
from dbmigrate.postgres.sqltext.tokens import (
    RUN,
    RUN_WITHOUT_PARENTHESES,
    TokenKind,
    end_of_special,
    refusal,
    skip_space,
    tokens,
)

_LEADING = 6
_HEAD = re.compile(rb"[A-Za-z_]++(?:[ \t\r\n]++[A-Za-z_]++(?![\w$.\x80-\xff'\"])){0,5}+")
_HARMLESS = re.compile(rb"\\(?:un)?restrict\b[^\n]*+")
_META_COMMAND = re.compile(rb"\\[^\s\\;]*")
_END_OF_ROWS = re.compile(rb"^\\\.\r?(?:\n|\Z)", re.MULTILINE)
_REST_OF_LINE = re.compile(rb"[ \t\r\f\v]*+(?:--[^\n]*+)?+(?:\n|\Z)")


# A NamedTuple, because there may be a million of them.
class Statement(NamedTuple):
    """A statement's place in a script."""

    start: int
    """The byte at which its first word starts: comments before it are left out."""
    end: int
    """The byte after it: that of its semicolon, or the end of the script."""
    line: int
    """Of its start, counted from 1."""
    words: tuple[str, ...]
    """Up to six words it starts with, in upper case: INSERT, INTO, USERS."""
    rows: tuple[int, int] | None = None
    """Where the rows of a COPY ... FROM stdin lie, without the line that ends them."""


def split(
    sql: bytes, *, file: str, left_out: list[tuple[int, int]] | None = None
) -> Iterator[Statement]:
    """The statements of a script, in order; a lone semicolon is none.

    The spans of lines between them that only psql understands, and that the server must
    not see, are added to `left_out`.
    Raises MigrationError (SourceInvalid) for a string, comment or parenthesis that
    does not end, and for psql's meta-commands, with the place.
    """
    heads: dict[bytes, tuple[str, ...]] = {}
    at = counted = 0
    line = 1
    size = len(sql)
    while True:
        at = _skip_to_statement(sql, at, file, left_out)
        if at >= size:
            return
        line += sql.count(b"\n", counted, at)
        counted = at
        words = _read_head(sql, at, file, heads)
        end = _end_of_statement(sql, at, words, file)
        rows = None
        if words and words[0] == "COPY" and _is_from_stdin(sql, at, end, file):
            rows, after = _find_rows(sql, end, file)
        else:
            after = end + 1
        yield Statement(at, end, line, words, rows)
        at = after


def statement_to_location(
    sql: bytes, index: int, file: str, shown: bytes | None = None
) -> Location:
    """The place of the first word of a statement, counted from 0; the file alone if it has none.

    `shown`: the text of the excerpt, of the same length, where it is another one.
    """
    statement = next(islice(split(sql, file=file), index, None), None)
    if statement is None:
        return Location(file)
    return locate_byte(sql if shown is None else shown, statement.start, file)


def statements_at(
    sql: bytes, spans: Iterable[tuple[int, int]], *, file: str
) -> Iterator[Statement]:
    """The text of these spans, in their order, each as one statement."""
    counted, line = 0, 1
    for start, end in spans:
        line += sql.count(b"\n", counted, start)
        counted = start
        at = skip_space(sql, start, file=file)
        yield Statement(start, end, line, _read_head(sql, at, file, {}) if at < end else ())


def _skip_to_statement(
    sql: bytes, at: int, file: str, left_out: list[tuple[int, int]] | None
) -> int:
    while True:
        at = skip_space(sql, at, file=file)
        byte = sql[at : at + 1]
        if byte == b";":
            at += 1
        elif byte == b"\\" and (harmless := _match_harmless(sql, at)) is not None:
            at = harmless.end()
            if left_out is not None:
                left_out.append(harmless.span())
        else:
            return at


def _match_harmless(sql: bytes, at: int) -> re.Match[bytes] | None:
    return _HARMLESS.match(sql, at) if at == 0 or sql[at - 1] == 0x0A else None


def _read_head(
    sql: bytes, at: int, file: str, known: dict[bytes, tuple[str, ...]]
) -> tuple[str, ...]:
    match = _HEAD.match(sql, at)
    if match is None:
        return ()
    words = known.get(match[0])
    if words is None:
        words = tuple(match[0].decode().upper().split())
        if len(known) < 1000:
            known[match[0]] = words
    end = match.end()
    if len(words) < _LEADING and sql[end : end + 1] not in b"(;" and words[0] in _PARTED:
        return _leading_words(sql, at, file)
    return words


# A comment or quote may stand between the words of these, and the words matter.
_PARTED = frozenset({"CREATE", "COPY"})


def _leading_words(sql: bytes, at: int, file: str) -> tuple[str, ...]:
    words: list[str] = []
    for token in tokens(sql, at, len(sql), file=file):
        if token.kind is not TokenKind.WORD or len(words) == _LEADING:
            break
        words.append(token.text)
    return tuple(words)


def _end_of_statement(sql: bytes, at: int, words: tuple[str, ...], file: str) -> int:
    if words[:1] == ("CREATE",):
        what = words[3:4] if words[1:3] == ("OR", "REPLACE") else words[1:2]
        if what == ("RULE",):
            return _end_of_rule(sql, at, file)
        if what in {("FUNCTION",), ("PROCEDURE",)}:
            return _end_of_routine(sql, at, file)
    floor = at
    size = len(sql)
    while True:
        at = RUN.match(sql, at).end()  # type: ignore[union-attr]
        if at >= size or sql[at] == 0x3B:
            return min(at, size)
        at = floor = _skip_special(sql, at, floor, file)


def _end_of_rule(sql: bytes, at: int, file: str) -> int:
    floor = at
    size = len(sql)
    opened: list[int] = []
    while True:
        at = RUN_WITHOUT_PARENTHESES.match(sql, at).end()  # type: ignore[union-attr]
        if at >= size:
            if opened:
                raise refusal(sql, opened[-1], file, "this parenthesis is never closed")
            return size
        byte = sql[at]
        if byte == 0x28:
            opened.append(at)
        elif byte == 0x29:
            del opened[-1:]
        elif byte == 0x3B:
            if not opened:
                return at
        else:
            at = floor = _skip_special(sql, at, floor, file)
            continue
        at += 1


def _end_of_routine(sql: bytes, at: int, file: str) -> int:
    """END ends a body only where a statement could start; that of a CASE is never there."""
    depth = 0
    begun: int | None = None
    previous = ""
    for token in tokens(sql, at, len(sql), file=file):
        text = token.text if token.kind in {TokenKind.WORD, TokenKind.SYMBOL} else ""
        if text == "\\":
            raise _backslash(sql, token.start, file)
        if text == "(":
            depth += 1
        elif text == ")":
            depth -= 1
        elif text == ";" and begun is None:
            return token.start
        elif depth == 0 and text == "ATOMIC" and previous == "BEGIN" and begun is None:
            begun = token.start
        elif depth == 0 and text == "END" and begun is not None and previous in {";", "ATOMIC"}:
            begun = None
        previous = text
    if begun is not None:
        raise refusal(sql, begun, file, "this BEGIN ATOMIC has no END")
    return len(sql)


def _skip_special(sql: bytes, at: int, floor: int, file: str) -> int:
    if sql[at] == 0x5C:
        raise _backslash(sql, at, file)
    return end_of_special(sql, at, floor, file=file)


def _backslash(sql: bytes, at: int, file: str) -> MigrationError:
    command = _META_COMMAND.match(sql, at)
    name = command[0].decode("utf-8", "replace") if command else "\\"
    return refusal(
        sql,
        at,
        file,
        f"{name} is a command of psql and not SQL: remove it, or write what it does in SQL",
    )


def _is_from_stdin(sql: bytes, at: int, end: int, file: str) -> bool:
    depth = 0
    previous = ""
    for token in tokens(sql, at, end, file=file):
        if token.text == "(":
            depth += 1
        elif token.text == ")":
            depth -= 1
        elif depth == 0 and token.text == "STDIN" and previous == "FROM":
            return True
        previous = token.text
    return False


def _find_rows(sql: bytes, end: int, file: str) -> tuple[tuple[int, int], int]:
    """The span of the rows below a COPY, and where the script continues."""
    line_end = _REST_OF_LINE.match(sql, end + 1)
    if line_end is None:
        raise refusal(sql, end + 1, file, "the rows of a COPY start on the line below it")
    stop = _END_OF_ROWS.search(sql, line_end.end())
    if stop is None:
        raise refusal(sql, end, file, r"the rows of this COPY don't end: a line with \. is missing")
    return (line_end.end(), stop.start()), stop.end()
