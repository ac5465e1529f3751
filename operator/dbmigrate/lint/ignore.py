"""Comments by which a file says that it knows what it does.

`-- dbmigrate:ignore RULE, RULE because ...` speaks for the next statement,
`-- dbmigrate:ignore-file RULE` for the whole file. One that nothing answers to is itself
a finding: it would hide something else one day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dbmigrate.lint.rules import RULES

_COMMENT = re.compile(rb"^[ \t]*--[ \t]*dbmigrate:ignore(-file)?\b[ \t]*([^\r\n]*)", re.MULTILINE)
_NAME = re.compile(r"(?:[a-z]+:)?[a-z][a-z-]*[a-z]")
"""Of a rule, with the name of another linter before it."""


@dataclass(slots=True)
class Ignore:
    """One comment."""

    line: int
    is_for_file: bool
    names: tuple[str, ...]
    """The rules' names; a word that is none begins the reason."""
    used: set[str] = field(default_factory=set)


def read_ignores(sql: bytes) -> list[Ignore]:
    """The comments of a script, in their order."""
    return [
        Ignore(
            line=sql.count(b"\n", 0, found.start()) + 1,
            is_for_file=found[1] is not None,
            names=_read_names(found[2].decode("utf-8", "replace")),
        )
        for found in _COMMENT.finditer(sql)
    ]


def _read_names(text: str) -> tuple[str, ...]:
    names: list[str] = []
    for word in text.replace(",", " ").split():
        if word not in RULES and ":" not in word and names:
            break
        if _NAME.fullmatch(word):
            names.append(word)
    return tuple(names)
