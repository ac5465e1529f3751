"""PostgreSQL's tokens, as far as their borders matter, on the bytes of a script.

The borders follow the server's scanner (src/backend/parser/scan.l): quoted
strings with and without escapes and their continuation on the next line, dollar
quotes, quoted identifiers, nested comments, parameters. Strings conform to the
standard: a backslash means nothing in '..', as it is since PostgreSQL 9.1. All
bytes above 127 are letters there and here, so UTF-8 needs no decoding.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.sqltext.positions import locate_byte
from dbmigrate.report import Reason

RUN = re.compile(
    rb"""(?:[^'"$;\\/-]++           # nothing of interest; letters, too
       |(?<![eE])'[^']*+'           # a string; a doubled quote starts the next one
       |"[^"]*+"                    # a quoted identifier, likewise
       |--[^\n\r]*+                 # a comment
       |-(?!-) | /(?!\*)            # operators
    )*+""",
    re.VERBOSE,
)
"""Everything up to the next byte that needs a closer look: quick on large scripts."""

RUN_WITHOUT_PARENTHESES = re.compile(RUN.pattern.replace(rb"[^'", rb"[^()'", 1), re.VERBOSE)

SPACE = re.compile(rb"(?:[ \t\n\r\f\v]++|--[^\n\r]*+)*+")

_WORD = re.compile(rb"[A-Za-z_\x80-\xff][A-Za-z0-9_$\x80-\xff]*+")
_WORD_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$") | set(
    range(0x80, 0x100)
)
_REST_OF_WORD = re.compile(rb"[A-Za-z0-9_$\x80-\xff]*+")
_NUMBER = re.compile(rb"[0-9]++")
_STRING = re.compile(rb"'[^']*+(?:''[^']*+)*+'")
_IDENTIFIER = re.compile(rb'"[^"]*+(?:""[^"]*+)*+"')
_ESCAPE_BODY = re.compile(rb"(?:[^'\\]++|\\.|'')*+'", re.DOTALL)
_CONTINUATION = re.compile(
    rb"(?:[ \t\f\v]|--[^\n\r]*+)*+[\n\r](?:[ \t\n\r\f\v]++|--[^\n\r]*+[\n\r])*+'"
)
_DOLLAR = re.compile(rb"\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*+)?\$")
_PARAMETER = re.compile(rb"\$[0-9]++")
_COMMENT_EDGE = re.compile(rb"/\*|\*/")


class TokenKind(Enum):
    """What a token is, as far as it is told apart."""

    WORD = "word"
    """A key word or an identifier without quotes."""
    IDENTIFIER = "identifier"
    STRING = "string"
    NUMBER = "number"
    SYMBOL = "symbol"
    """One byte: an operator, a parenthesis, a semicolon."""


class Token(NamedTuple):
    """A piece of SQL with a meaning: comments and spaces are none."""

    kind: TokenKind
    start: int
    end: int
    text: str
    """A word in upper case, a symbol as it is, empty for the others."""


def tokens(sql: bytes, start: int, end: int, *, file: str) -> Iterator[Token]:
    """The tokens between two offsets, which are borders of statements.

    Raises MigrationError (SourceInvalid) for what does not end.
    """
    at = start
    while True:
        at = skip_space(sql, at, file=file)
        if at >= end:
            return
        token = _read(sql, at, file)
        yield token
        at = token.end


def outermost(found: Iterable[Token]) -> Iterator[Token]:
    """The tokens up to the end of these parentheses, without what stands in others."""
    depth = 0
    for token in found:
        depth -= token.text == ")"
        if depth < 0:
            return
        if depth == 0:
            yield token
        depth += token.text == "("


_EDGE = re.compile(rb"""['"$]|/\*|--""")
_LINE_END = re.compile(rb"[\r\n]|\Z")


def line_comments(sql: bytes, start: int, end: int) -> Iterator[int]:
    """Where comments of one line begin: neither in a string, nor in a name or another comment.

    Raises MigrationError (SourceInvalid) for what does not end.
    """
    at = floor = start
    while (found := _EDGE.search(sql, at, end)) is not None:
        if found[0] == b"--":
            yield found.start()
            at = _LINE_END.search(sql, found.end()).start()  # type: ignore[union-attr]
        else:
            at = end_of_special(sql, found.start(), floor, file="")
        floor = at


def skip_space(sql: bytes, at: int, *, file: str) -> int:
    """The next offset that is neither space nor comment."""
    while True:
        at = SPACE.match(sql, at).end()  # type: ignore[union-attr]
        if not sql.startswith(b"/*", at):
            return at
        at = end_of_comment(sql, at, file=file)


def end_of_special(sql: bytes, at: int, floor: int, *, file: str) -> int:
    """The end of what stopped a RUN at a quote, dollar or slash.

    `floor` is where the last such thing ended: what is before it is not part of this
    token. Raises MigrationError (SourceInvalid) for what does not end.
    """
    byte = sql[at]
    if byte == 0x27:  # '
        has_escapes = sql[_start_of_word(sql, at, floor) : at] in {b"e", b"E"}
        return end_of_string(sql, at, has_escapes=has_escapes, file=file)
    if byte == 0x22:  # "
        return _closed(_IDENTIFIER, sql, at, "quoted identifier", file)
    if byte == 0x24:  # $
        word = _start_of_word(sql, at, floor)
        if word < at and not sql[word:at].isdigit():
            return _REST_OF_WORD.match(sql, at).end()  # type: ignore[union-attr]
        return _end_of_dollar(sql, at, file)
    return end_of_comment(sql, at, file=file)


def end_of_string(sql: bytes, at: int, *, has_escapes: bool, file: str) -> int:
    """The end of the string whose first quote is at this offset."""
    if not has_escapes:
        return _closed(_STRING, sql, at, "string", file)
    end = at
    while True:
        match = _ESCAPE_BODY.match(sql, end + 1)
        if match is None:
            raise refusal(sql, at, file, "this string does not end: a quote is missing")
        # A string that continues on the next line keeps its rules.
        more = _CONTINUATION.match(sql, match.end())
        if more is None:
            return match.end()
        end = more.end() - 1


def end_of_comment(sql: bytes, at: int, *, file: str) -> int:
    """The end of the comment that starts here with a slash and an asterisk; they nest."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(sql, at):
        depth += 1 if edge[0] == b"/*" else -1
        if depth == 0:
            return edge.end()
    raise refusal(sql, at, file, "this comment does not end: */ is missing")


def refusal(sql: bytes, at: int, file: str, problem: str) -> MigrationError:
    """The error (SourceInvalid) about a script, with its place."""
    location = locate_byte(sql, at, file)
    return MigrationError(
        Reason.SOURCE_INVALID, f"{file}: line {location.line}: {problem}", location=location
    )


def _read(sql: bytes, at: int, file: str) -> Token:
    byte = sql[at]
    if byte in b"eE" and sql[at + 1 : at + 2] == b"'":
        end = end_of_string(sql, at + 1, has_escapes=True, file=file)
        return Token(TokenKind.STRING, at, end, "")
    word = _WORD.match(sql, at)
    if word is not None:
        return Token(TokenKind.WORD, at, word.end(), word[0].decode("utf-8", "replace").upper())
    number = _NUMBER.match(sql, at)
    if number is not None:
        return Token(TokenKind.NUMBER, at, number.end(), "")
    if byte == 0x27:
        end = end_of_string(sql, at, has_escapes=False, file=file)
        return Token(TokenKind.STRING, at, end, "")
    if byte == 0x22:
        end = _closed(_IDENTIFIER, sql, at, "quoted identifier", file)
        return Token(TokenKind.IDENTIFIER, at, end, "")
    if byte == 0x24:
        end = _end_of_dollar(sql, at, file)
        kind = (
            TokenKind.STRING
            if end - at > 1 and not sql[at + 1 : at + 2].isdigit()
            else TokenKind.SYMBOL
        )
        return Token(kind, at, end, "")
    return Token(TokenKind.SYMBOL, at, at + 1, chr(byte))


def _end_of_dollar(sql: bytes, at: int, file: str) -> int:
    parameter = _PARAMETER.match(sql, at)
    if parameter is not None:
        return parameter.end()
    quote = _DOLLAR.match(sql, at)
    if quote is None:
        return at + 1
    end = sql.find(quote[0], quote.end())
    if end < 0:
        raise refusal(sql, at, file, f"this string does not end: {quote[0].decode()} is missing")
    return end + len(quote[0])


def _closed(pattern: re.Pattern[bytes], sql: bytes, at: int, what: str, file: str) -> int:
    match = pattern.match(sql, at)
    if match is None:
        raise refusal(sql, at, file, f"this {what} does not end: a quote is missing")
    return match.end()


def _start_of_word(sql: bytes, at: int, floor: int) -> int:
    while at > floor and sql[at - 1] in _WORD_BYTES:
        at -= 1
    return at
