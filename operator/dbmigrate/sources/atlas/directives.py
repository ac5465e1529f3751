"""Directives: comments that tell Atlas how to run a file.

`-- atlas:NAME VALUE`, for the whole file where they are in the comments at its top,
with an empty line between them and the first statement. See sql/migrate/dir.go there.
Of `delimiter` and `sum` only the very first line counts.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from dbmigrate.sources.go_space import SPACE

_DIRECTIVE = re.compile(r"([ -~]*)atlas:(\w+)(?: +([ -~]*))*", re.ASCII)


class Directive(NamedTuple):
    """The directive of one line."""

    prefix: str
    """What stands before `atlas:`, most often `-- `."""
    name: str
    value: str


def read_directive(line: str) -> Directive | None:
    """The directive at the start of a text; None where there is none."""
    match = _DIRECTIVE.match(line)
    return Directive(match[1], match[2], match[3] or "") if match else None


def file_directives(text: str) -> list[Directive]:
    """Those that apply to the whole file."""
    found = [read_directive(line) for line in header(text)]
    return [each for each in found if each is not None]


def header(text: str) -> list[str]:
    """The comments at the top of a file, if an empty line or nothing follows them."""
    lines: list[str] = []
    at = 0
    while text.startswith(("#", "--"), at):
        end = text.find("\n", at)
        if end < 0:
            return [*lines, text[at:]]
        lines.append(text[at:end].strip(SPACE))
        at = end + 1
    rest = text[at:].lstrip(" \t")
    return lines if rest.startswith("\n") or at == len(text) else []
