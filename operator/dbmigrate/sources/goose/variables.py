"""Shell-like variables in a line of a goose file between ENVSUB ON and ENVSUB OFF.

`$NAME`, `${NAME}`, `${NAME:-word}` (empty or not set), `${NAME-word}` (not set),
`${NAME?message}` (must be set), `${NAME:offset:length}`; words may hold others.
`$$` and `\\$` stand for a dollar. goose leaves this to mfridman/interpolate, whose
rules and errors these are, oddities included: a name can't begin with an
underscore, `$(` stands for itself, offsets count bytes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping

_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)


class SubstitutionError(Exception):
    """A variable that can't be substituted; the message says why."""


def substitute(line: str, environ: Mapping[str, str]) -> str:
    """The line with variables replaced by values. Raises SubstitutionError."""
    return _Line(line, environ).expression("")


class _Line:
    def __init__(self, text: str, environ: Mapping[str, str]) -> None:
        self._text = text
        self._environ = environ
        self._at = 0

    def expression(self, stop: str) -> str:
        """What is up to the end, or to an unescaped character of `stop`."""
        parts = []
        while self._at < len(self._text) and (not stop or self._text[self._at] not in stop):
            parts.append(self._piece(stop))
        return "".join(parts)

    def _piece(self, stop: str) -> str:
        pair = self._text[self._at : self._at + 2]
        if pair in ("\\\\", "\\$", "$$", "$("):
            self._at += 2
            return "$" if pair in ("\\$", "$$") else pair
        if pair[0] == "$" and len(pair) == 2:
            self._at += 1
            return self._variable()
        start = self._at
        self._at += 1
        self._skip(lambda char: char in "$\\" + stop)
        return self._text[start : self._at]

    def _variable(self) -> str:
        if self._text[self._at] != "{":
            return self._environ.get(self._name(), "")
        self._at += 1
        name = self._name()
        if self._next() == "}":
            return self._environ.get(name, "")
        operator = self._text[self._at - 1 : self._at]
        if operator == ":" and self._text[self._at : self._at + 1] == "-":
            self._at += 1
            operator = ":-"
        value = self._apply(operator, name)
        if self._next() != "}":
            raise SubstitutionError(f"the brace after {name} is never closed")
        return value

    def _apply(self, operator: str, name: str) -> str:
        value = self._environ.get(name)
        if operator == ":":
            return self._slice((value or "").encode("utf-8", "surrogateescape"))
        if operator not in (":-", "-", "?"):
            raise SubstitutionError(f"expected an operator after {name}, not {operator!r}")
        # What is not needed may not fail either, so it is put in only where it is.
        is_needed = not value if operator == ":-" else value is None
        known = self._environ
        self._environ = known if is_needed else _Anything()
        word = self.expression("}")
        self._environ = known
        if not is_needed:
            return value or ""
        if operator == "?":
            raise SubstitutionError(f"${name}: {word or 'not set'}")
        return word

    def _slice(self, value: bytes) -> str:
        start = self._at
        self._skip(lambda char: char in ":}")
        offset = _integer(self._text[start : self._at], "offset")
        offset = max(0, offset + len(value)) if offset < 0 else offset
        offset = min(offset, len(value))
        end = len(value)
        if self._text[self._at : self._at + 1] != "}":
            self._at += 1
            start = self._at
            self._skip(lambda char: char == "}")
            length = _integer(self._text[start : self._at], "length")
            end = offset + length if length >= 0 else max(offset, len(value) + length)
        return value[offset : min(end, len(value))].decode("utf-8", "surrogateescape")

    def _name(self) -> str:
        start = self._at
        first = self._text[start : start + 1]
        if not first.isalpha():
            parameter = "; write $$1 for SQL's $1" if first.isdigit() else ""
            raise SubstitutionError(
                f"a variable has to begin with a letter, not {first!r}{parameter}"
            )
        self._skip(lambda char: not (char == "_" or unicodedata.category(char)[0] in "LN"))
        return self._text[start : self._at]

    def _next(self) -> str:
        self._at += 1
        return self._text[self._at - 1 : self._at]

    def _skip(self, is_end: Callable[[str], bool]) -> None:
        while self._at < len(self._text) and not is_end(self._text[self._at]):
            self._at += 1


class _Anything(Mapping[str, str]):
    """An environment in which nothing that must be set is missing."""

    def __getitem__(self, name: str) -> str:
        return name

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _integer(text: str, what: str) -> int:
    if _INTEGER.fullmatch(text.strip()) is None:
        raise SubstitutionError(f"{text!r} is no {what}")
    return int(text)
