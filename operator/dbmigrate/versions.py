"""Versions: numbers in most formats, texts with an order of their own in others.

The code between the files and the table only compares versions, looks them up and
prints them, which `int` supports. Where a version is no number, a `TextVersion`
replaces it: it prints as it is written and sorts as its format says.
Versions are made from text in one place, by the name of their format.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

LARGEST_NUMBER = 2**63 - 1
"""What a column of type bigint holds."""

_NUMBER = re.compile(r"0*([0-9]{1,19})", re.ASCII)
_DOTTED = re.compile(r"[0-9]+(?:[._][0-9]+)*", re.ASCII)


class Version(Protocol):
    """A version of any format; only versions of one format are compared."""

    def __lt__(self, other: Any, /) -> bool: ...

    def __le__(self, other: Any, /) -> bool: ...

    def __gt__(self, other: Any, /) -> bool: ...

    def __ge__(self, other: Any, /) -> bool: ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True, slots=True, order=True)
class TextVersion:
    """A version that is no number."""

    order: Any
    """What it is compared by: two versions of the same order are one version."""
    text: str = field(compare=False)
    """As it is stored and printed."""

    def __str__(self) -> str:
        return self.text


class Role(Enum):
    """The kind of a migration in the history."""

    VERSIONED = "versioned"
    """It leads to its version from the one below."""
    CHECKPOINT = "checkpoint"
    """Where nothing is applied it stands for all versions up to its own; elsewhere it is passed
    over."""
    REPEATABLE = "repeatable"
    """It has no version: it runs after all others, and again whenever it has changed."""


REPEATABLE = "R"
"""What stands in the place of the version that a repeatable migration does not have."""


def repeatable(name: str) -> TextVersion:
    """The version of a repeatable migration: above all others, ordered by its name.

    Underscores in it are spaces, as in a description.
    """
    return TextVersion((math.inf, name.replace("_", " ")), REPEATABLE)


def name_of(version: Version) -> str:
    """The name of a repeatable migration, from its version."""
    return str(version.order[1]) if isinstance(version, TextVersion) else ""


def dotted(text: str) -> TextVersion:
    """Flyway's: `1.2.3`, or `1_2_3` in a file's name; part by part as numbers, `1` is `1.0`.

    Raises ValueError, as does every reader of a version.
    """
    if _DOTTED.fullmatch(text) is None or len(text) > 200:
        raise ValueError(f"{text!r} is not a version: numbers separated by dots")
    written = text.replace("_", ".")
    parts = [int(part) for part in written.split(".")]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return TextVersion(tuple(parts), written)


def lexical(text: str) -> TextVersion:
    """Atlas's: the text before the first underscore, compared byte by byte."""
    if not text or "_" in text or "\0" in text or len(text) > 200:
        raise ValueError(f"{text!r} is not a version: a text without an underscore")
    return TextVersion(text.encode(), text)


def number(text: str) -> int:
    """All other formats': digits, within the range of bigint."""
    match = _NUMBER.fullmatch(text)
    if match is None or int(match[1]) > LARGEST_NUMBER:
        raise ValueError(f"{text!r} is not a version: a number")
    return int(match[1])


_TEXTS: Mapping[str, Callable[[str], Version]] = {"flyway": dotted, "atlas": lexical}
"""The formats whose versions are no numbers, by their words in -format."""


def reader_of(kind: str) -> Callable[[str], Version]:
    """The function that makes a version of a text in that format."""
    return _TEXTS.get(kind, number)


def is_version(text: str, kind: str | None) -> bool:
    """Whether it is a version in that format; None: in any format.

    For Atlas any text is one: versions without a digit need the format's name.
    """
    readers = [number, dotted] if kind is None else [reader_of(kind)]
    for read in readers:
        try:
            read(text)
        except ValueError:
            continue
        return True
    return False


def are_numbers(kind: str) -> bool:
    """Whether the versions of that format are numbers."""
    return kind not in _TEXTS
