"""Atlas's own idea of where a statement ends, which its history counts and hashes by.

`applied` in its table is a number of these, and a file that stopped halfway goes on
behind the last of them: to take turns with Atlas means to cut as it cuts. The rules are
those of its scanner with the options of its PostgreSQL driver (sql/migrate/lex.go):
quotes, dollar quotes, comments that do not nest, parentheses, BEGIN ATOMIC ... END and
BEGIN ... END. They differ from PostgreSQL's where a file is odd: a comment at the very
end without a line feed is a statement, and so is a lone semicolon. One thing differs:
a backslash in E'..' escapes a quote here, which Atlas means to do and does not.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from dbmigrate.errors import Location, MigrationError
from dbmigrate.report import Reason
from dbmigrate.sources.atlas.directives import read_directive
from dbmigrate.sources.go_space import SPACE

DELIMITER = ";"
_ESCAPES = {r"\n": "\n", r"\r": "\r", r"\t": "\t"}
_DOLLAR = re.compile(r"\$(?:[A-Za-zÈ-ÿ_][0-9A-Za-z_È-ÿ]*)?\$")
_ATOMIC = re.compile(r"BEGIN[\t\n\f\r ]+ATOMIC[\t\n\f\r ]+", re.IGNORECASE | re.ASCII)
_BEGIN = re.compile(r"BEGIN[\t\n\f\r ]+", re.IGNORECASE | re.ASCII)
_END = re.compile(r"[\t\n\f\r ]*END[\t\n\f\r ]*", re.IGNORECASE | re.ASCII)
_ESCAPED = re.compile(r"\W?[eE]", re.ASCII)
_NO_SPACE = re.compile(f"[^{SPACE}]")
_PLAIN = r"[()'\"`$]|--|/\*"
_BLOCK = r"[bB][eE][gG][iI][nN][\t\n\f\r ]"


@dataclass(frozen=True, slots=True)
class AtlasStatement:
    """One statement as Atlas sends it."""

    start: int
    """In characters of the file: of its first one."""
    end: int
    """Behind it; the delimiter is within only if it is a semicolon."""
    after: int
    """Behind the delimiter, too."""
    text: str
    comments: tuple[str, ...] = ()
    """Those right above it."""


def split(text: str, name: str) -> list[AtlasStatement]:
    """The statements of a file. Raises MigrationError (SourceInvalid) as Atlas fails."""
    delimiter, start = read_delimiter(text, name)
    return _Scanner(text, start, name, delimiter).scan()


def hash_statements(statements: Iterable[AtlasStatement]) -> tuple[str, ...]:
    """For each, base64 of SHA-256 over the texts up to it: `partial_hashes` without `h1:`."""
    digest = hashlib.sha256()
    sums = []
    for statement in statements:
        digest.update(statement.text.encode())
        sums.append(base64.b64encode(digest.digest()).decode())
    return tuple(sums)


def read_delimiter(text: str, name: str) -> tuple[str, int]:
    """What ends a statement in this file, and where its first line of SQL starts."""
    found = read_directive(text)
    if found is None or (found.prefix, found.name) != ("-- ", "delimiter"):
        return DELIMITER, 0
    delimiter = re.sub(r"\\[nrt]", lambda each: _ESCAPES[each[0]], found.value)
    if not delimiter:
        raise refused(name, 1, "`-- atlas:delimiter` names no delimiter")
    end = text.find("\n")
    if end < 0:
        raise refused(name, 1, "there is no statement below `-- atlas:delimiter`")
    return delimiter, end + 1


def refused(name: str, line: int, problem: str) -> MigrationError:
    """What Atlas would fail at, with the line."""
    return MigrationError(
        Reason.SOURCE_INVALID, f"{name}: line {line}: {problem}", location=Location(name, line)
    )


class _End(Exception):
    """The text is over."""


class _Scanner:
    """Reads statements one by one; blocks are read by scanners of their own."""

    def __init__(
        self,
        text: str,
        start: int,
        name: str,
        delimiter: str = DELIMITER,
        blocks: dict[tuple[int, bool], int | None] | None = None,
    ) -> None:
        self._text = text
        self._start = start
        self._at = start
        self._name = name
        self._delimiter = delimiter
        self._comments: list[str] = []
        # Where a block that begins at a place ends; None: it is none. To look twice would
        # take twice as long for each BEGIN in a file.
        self._blocks = {} if blocks is None else blocks
        has_blocks = delimiter == DELIMITER
        parts = [_PLAIN, re.escape(delimiter), *([_BLOCK] if has_blocks else [])]
        self._interesting = re.compile("|".join(parts))

    def scan(self) -> list[AtlasStatement]:
        """All of them."""
        found = []
        while True:
            try:
                found.append(self.next())
            except _End:
                return found

    @property
    def at(self) -> int:
        """How far it has read."""
        return self._at

    def next(self) -> AtlasStatement:
        """The next one; raises _End."""
        self._skip_space()
        depth = opened = 0
        text = self._text
        while True:
            match = self._interesting.search(text, self._at)
            if match is None:
                return self._last(depth, opened)
            place = self._at = match.start()
            char = text[place]
            if char in "()":
                opened = opened if depth else place
                depth += 1 if char == "(" else -1
                if depth < 0:
                    raise self._refused(place, "unexpected ')'")
                self._at += 1
            elif char in "'\"`":
                self._skip_quote(char)
            elif depth == 0 and text.startswith(self._delimiter, place):
                self._at += len(self._delimiter)
                return self._emit(self._at)
            elif char == "$":
                self._skip_dollar()
            elif text.startswith("--", place):
                self._skip_comment("\n")
            elif text.startswith("/*", place):
                self._skip_comment("*/")
            elif char in "bB" and self._delimiter == DELIMITER:
                if self._skip_block():
                    return self._emit(self._at)
            else:
                self._at += 1  # a delimiter within parentheses

    def _last(self, depth: int, opened: int) -> AtlasStatement:
        if depth:
            raise self._refused(opened, "unclosed '('")
        self._at = len(self._text)
        if self._at == self._start:
            raise _End
        return self._emit(self._at)

    def _emit(self, end: int) -> AtlasStatement:
        raw = self._text[self._start : end]
        if self._delimiter != DELIMITER:
            raw = raw.removesuffix(self._delimiter)
        bare = raw.strip(SPACE)
        start = self._start + (len(raw) - len(raw.lstrip(SPACE)))
        statement = AtlasStatement(start, start + len(bare), end, bare, tuple(self._comments))
        self._start = end
        self._comments = []
        return statement

    def _skip_space(self) -> None:
        match = _NO_SPACE.search(self._text, self._start)
        self._start = self._at = match.start() if match else len(self._text)

    def _skip_quote(self, quote: str) -> None:
        opened = self._at
        has_escapes = quote == "'" and _ESCAPED.fullmatch(self._text, max(0, opened - 2), opened)
        at = opened + 1
        while True:
            end = self._text.find(quote, at)
            if end < 0:
                raise self._refused(opened, f"unclosed quote {quote}")
            escape = self._text.find("\\", at, end) if has_escapes else -1
            if escape < 0:
                self._at = end + 1
                return
            at = escape + 2

    def _skip_dollar(self) -> None:
        match = _DOLLAR.match(self._text, self._at)
        if match is None:
            self._at += 1
            return
        end = self._text.find(match[0], match.end())
        self._at = len(self._text) if end < 0 else end + len(match[0])

    def _skip_comment(self, end: str) -> None:
        found = self._text.find(end, self._at + 2)
        if found < 0:
            self._at += 2  # no comment for Atlas
            return
        is_above = self._at == self._start
        self._at = found + len(end)
        if not is_above:
            return
        self._comments.append(self._text[self._start : self._at])
        self._start = self._at
        if self._text.startswith("\n\n" if end == "*/" else "\n", self._at):
            self._comments = []
        self._skip_space()

    def _skip_block(self) -> bool:
        """Whether the BEGIN here has an END; then it is read."""
        place = self._at
        atomic = _ATOMIC.match(self._text, place)
        if atomic is None and place > self._start and self._text[place - 1] not in "\t\n\f\r ":
            self._at += 1
            return False
        match = atomic or _BEGIN.match(self._text, place)
        after = match.end() if match else place + 1
        key = (after, atomic is not None)
        if key not in self._blocks:
            self._blocks[key] = self._end_of_block(after, is_atomic=atomic is not None)
        end = self._blocks[key]
        self._at = after if end is None else end
        return end is not None

    def _end_of_block(self, start: int, *, is_atomic: bool) -> int | None:
        body = _Scanner(self._text, start, self._name, blocks=self._blocks)
        while True:
            try:
                text = body.next().text
            except (_End, MigrationError):
                return None
            end = _END.match(text)
            if end is not None and (is_atomic or text[end.end() :] in ("", DELIMITER)):
                return body.at

    def _refused(self, place: int, problem: str) -> MigrationError:
        return refused(self._name, self._text.count("\n", 0, place) + 1, problem)
