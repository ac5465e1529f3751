"""Comments that suppress findings.

`-- dbmigrate:ignore RULE, RULE because ...` applies to the next statement,
`-- dbmigrate:ignore-file RULE` to the whole file. One without a matching finding is itself
a finding, because it could hide something later. Atlas's `-- atlas:nolint` is respected where
its checks have a rule here; whether Atlas itself needs it is unknown.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from dbmigrate.errors import MigrationError
from dbmigrate.lint.finding import Finding
from dbmigrate.lint.rules import RULES
from dbmigrate.postgres.sqltext.tokens import TokenKind, line_comments, tokens

_COMMENT = re.compile(
    rb"^[ \t]*(?P<at>--)[ \t]*dbmigrate:ignore(-file)?\b[ \t]*([^\r\n]*)", re.MULTILINE
)
_NOLINT = re.compile(rb"^[ \t]*(?P<at>--)[ \t]*atlas:nolint\b[ \t]*([^\r\n]*)", re.MULTILINE)
_OF_ATLAS = {
    "DS101": ("data-destroyed", "cascades"),
    "DS102": ("table-dropped", "cascades"),
    "DS103": ("column-dropped", "cascades"),
    "MF101": ("unique-builds-index",),
    "MF102": ("unique-builds-index",),
    "MF103": ("required-column",),
    "MF104": ("not-null-scans",),
    "BC101": ("renamed",),
    "BC102": ("renamed",),
    "PG101": ("index-blocks-writes",),
    "PG102": ("drop-index-blocks",),
    "PG103": ("not-one-transaction",),
}
"""Atlas's checks by their codes, and the rules that look for the same."""
_ANALYZERS = {
    "destructive": "DS",
    "data_depend": "MF",
    "incompatible": "BC",
    "concurrent_index": "PG",
}
_NAME = re.compile(r"(?:[a-z]+:)?[a-z][a-z-]*[a-z]")
"""Of a rule, with the name of another linter before it."""


def code_of(rule: str) -> str:
    """The code of Atlas's first check for the same problem; empty: there is none."""
    return next((code for code, rules in _OF_ATLAS.items() if rules[0] == rule), "")


@dataclass(slots=True)
class Ignore:
    """One comment."""

    line: int
    is_for_file: bool
    names: tuple[str, ...]
    """The rules' names; a word that is none begins the reason."""
    used: set[str] = field(default_factory=set)
    is_atlas: bool = False
    """Whether it was written for Atlas: then nothing need answer to it."""


def read_ignores(sql: bytes, blocks: Iterable[tuple[int, int]] = ()) -> list[Ignore]:
    """The comments of a script, in their order; `blocks` are the spans of its DO statements.

    What looks like one in a string, in a function's body or in a comment of several lines is
    none: it is data, or said of something else.
    """
    if b"dbmigrate:ignore" not in sql and b"atlas:nolint" not in sql:
        return []
    comments = {*line_comments(sql, 0, len(sql)), *_comments_in(sql, blocks)}
    ours = [
        Ignore(
            line=line,
            is_for_file=found[2] is not None,
            names=_read_names(found[3].decode("utf-8", "replace")),
        )
        for line, found in _find_lines(_COMMENT, sql, comments)
    ]
    return [*ours, *_read_nolints(sql, comments)] if b"atlas:nolint" in sql else ours


def _comments_in(sql: bytes, blocks: Iterable[tuple[int, int]]) -> Iterator[int]:
    """The comments in the bodies of DO statements."""
    for start, end in blocks:
        words = tokens(sql, start, end, file="")
        strings = (each for each in words if each.kind is TokenKind.STRING)
        body = next((each for each in strings if sql.startswith(b"$", each.start)), None)
        if body is not None:
            mark = sql.index(b"$", body.start + 1) + 1 - body.start
            # A body that is no PL/pgSQL need not end as SQL does.
            with suppress(MigrationError):
                yield from line_comments(sql, body.start + mark, body.end - mark)


def without_ignored(
    found: Iterable[Finding], ignores: Sequence[Ignore], starts: Mapping[int, Sequence[int]]
) -> Iterator[Finding]:
    """The findings that no comment suppresses.

    `starts`: the first line of each statement, in order, with the first lines of those in it
    where it is a DO block. A comment in a block speaks for the block's next statement.
    """
    firsts = [*starts]
    spoken: dict[tuple[str, int | None, int | None], Ignore] = {}
    for ignore in ignores:
        for name in ignore.names:
            spoken.setdefault((name, *_next_start(ignore, starts, firsts)), ignore)
    for finding in found:
        at = bisect_right(firsts, finding.line)
        first = firsts[at - 1] if at else None
        inner = starts[first] if first is not None else ()
        inner_at = bisect_right(inner, finding.line)
        places: list[tuple[int | None, int | None]] = [(None, None), (first, None)]
        if inner_at:
            places.append((first, inner[inner_at - 1]))
        keys = ((finding.rule.name, *place) for place in places)
        speaking = next((spoken[key] for key in keys if key in spoken), None)
        if speaking is None:
            yield finding
        else:
            speaking.used.add(finding.rule.name)


def _next_start(
    ignore: Ignore, starts: Mapping[int, Sequence[int]], firsts: Sequence[int]
) -> tuple[int | None, int | None]:
    """The statement that a comment applies to, and the one in it; None and None: all."""
    if ignore.is_for_file:
        return None, None
    at = bisect_left(firsts, ignore.line)
    inner = starts[firsts[at - 1]] if at else ()
    if inner and ignore.line <= inner[-1]:
        return firsts[at - 1], inner[bisect_left(inner, ignore.line)]
    return (firsts[at], None) if at < len(firsts) else (0, None)


def _read_nolints(sql: bytes, comments: Container[int]) -> list[Ignore]:
    """Whether it applies to the whole file: an empty line follows its comments."""
    blank = re.search(rb"\A(?:--[^\n]*\n)+(?=[ \t]*\n)", sql)
    return [
        Ignore(
            line=line,
            is_for_file=blank is not None and found.start() < blank.end(),
            names=_names_of_atlas(found[2].decode("utf-8", "replace").split()),
            is_atlas=True,
        )
        for line, found in _find_lines(_NOLINT, sql, comments)
    ]


def _find_lines(
    pattern: re.Pattern[bytes], sql: bytes, comments: Container[int]
) -> Iterator[tuple[int, re.Match[bytes]]]:
    """The matching comments, each with its line counted from 1."""
    line, at = 1, 0
    for found in pattern.finditer(sql):
        line += sql.count(b"\n", at, found.start())
        at = found.start()
        if found.start("at") in comments:
            yield line, found


def _names_of_atlas(words: list[str]) -> tuple[str, ...]:
    """Rules' names; all of them for a bare `atlas:nolint`."""
    if not words:
        return tuple(RULES)
    starts = tuple(_ANALYZERS.get(word, word) for word in words)
    return tuple(
        name for code, names in _OF_ATLAS.items() if code.startswith(starts) for name in names
    )


def _read_names(text: str) -> tuple[str, ...]:
    names: list[str] = []
    for word in text.replace(",", " ").split():
        if word not in RULES and ":" not in word and names:
            break
        if _NAME.fullmatch(word):
            names.append(word)
    return tuple(names)
