"""Go's flag package, as far as its behaviour is visible.

golang-migrate parses its command line with it, and scripts rely on the details: `-x`
and `--x` are the same, `-x=v` and `-x v` are the same, flags end at the first
argument that is none, and the error messages are known. Values stay texts here: each
flag checks its own immediately, as in Go, and its owner
reads it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from dbmigrate.cli.arguments.suggestions import guess

TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))

_BETWEEN = "\n"
"""Between the values of a flag that was repeated."""
_NEGATIVE_NUMBER = re.compile(r"-[0-9]+", re.ASCII)


class Flag(NamedTuple):
    """One flag: its name, the check of its value, and its help."""

    name: str
    usage: str = ""
    check: Callable[[str], object] = str
    """Raises ValueError, with the reason, for a value that won't do."""
    kind: str = "string"
    """The word that help shows for the value; empty for a flag that is there or not."""
    default: str = ""
    """What help shows as the default."""
    is_repeated: bool = False
    """Whether it may be given several times; `each_value` gives them all."""

    @property
    def is_boolean(self) -> bool:
        """Whether it is used without a value."""
        return not self.kind


def one_of(words: Iterable[str]) -> Callable[[str], str]:
    """Checks that a value is one of the words."""
    known = tuple(words)

    def check(text: str) -> str:
        if text not in known:
            listed = f"{', '.join(known[:-1])} or {known[-1]}"
            raise ValueError(f"expected {listed}{guess(text, known)}")
        return text

    return check


class UsageError(Exception):
    """The command line is invalid; the message is what Go's flag package prints."""


class UnknownFlag(UsageError):
    """An unknown flag."""

    def __init__(self, name: str, known: Iterable[str], argument: str) -> None:
        shown = present(f"-{name}") if present(argument) == argument else present(argument)
        super().__init__(f"flag provided but not defined: {shown}{guess(name, known, before='-')}")
        self.name = name


class HelpRequested(Exception):
    """-h or -help was given where no flag of that name is defined."""


def parse_flags(
    flags: Iterable[Flag], args: Sequence[str], *, numbers_are_operands: bool = False
) -> tuple[dict[str, str], list[str]]:
    """The given flags' values by name, and the operands that follow them.

    `numbers_are_operands` makes `-1` an operand. Raises UsageError and HelpRequested.
    """
    known = {flag.name: flag for flag in flags}
    values: dict[str, str] = {}
    rest = list(args)
    while rest:
        argument = rest[0]
        if len(argument) < 2 or argument[0] != "-":
            break
        if numbers_are_operands and _NEGATIVE_NUMBER.fullmatch(argument):
            break
        del rest[0]
        if argument == "--":
            break
        name, equals, value = argument[2 if argument[1] == "-" else 1 :].partition("=")
        if not name or name[0] == "-":
            raise UsageError(f"bad flag syntax: {present(argument)}")
        flag = known.get(name)
        if flag is None:
            if name in ("help", "h"):
                raise HelpRequested
            raise UnknownFlag(name, known, argument)
        if not equals and flag.is_boolean:
            value = "true"
        elif not equals:
            if not rest:
                raise UsageError(f"flag needs an argument: -{name}")
            value = rest.pop(0)
        _check(flag, value)
        if flag.is_repeated and name in values:
            value = f"{values[name]}{_BETWEEN}{value}"
        values[name] = value
    return values, rest


def _check(flag: Flag, value: str) -> None:
    if flag.is_boolean:
        if value not in TRUE and value not in FALSE:
            raise UsageError(
                f"invalid boolean value {quote(present(value))} for -{flag.name}: parse error:"
                " expected true or false"
            )
        return
    try:
        flag.check(value)
    except ValueError as error:
        problem = f"invalid value {quote(present(value))} for flag -{flag.name}: "
        raise UsageError(problem + present(str(error))) from None


def is_set(values: Mapping[str, str], name: str) -> bool:
    """Whether a boolean flag was given, and not as false."""
    return values.get(name, "false") in TRUE


def is_given(flag: Flag, values: Mapping[str, str]) -> bool:
    """Whether it has a value, and a boolean one not false."""
    return is_set(values, flag.name) if flag.is_boolean else flag.name in values


def each_value(values: Mapping[str, str], name: str) -> tuple[str, ...]:
    """The values of a flag that may be repeated; its variable has one per line."""
    return tuple(each for each in values.get(name, "").split(_BETWEEN) if each)


def describe_flags(flags: Iterable[Flag]) -> str:
    """The text of Go's PrintDefaults; a flag without a usage is not shown."""
    lines = []
    for flag in sorted(flag for flag in flags if flag.usage):
        head = f"  -{flag.name}" + (f" {flag.kind}" if flag.kind else "")
        gap = "\t" if len(head) <= 4 else "\n    \t"
        usage = flag.usage.replace("\n", "\n    \t")
        default = quote(flag.default) if flag.kind == "string" else flag.default
        lines.append(f"{head}{gap}{usage}" + (f" (default {default})" if flag.default else ""))
    return "".join(f"{line}\n" for line in lines)


_ADDRESS = re.compile(r"@|://|password|\b(?:user|host|dbname|service)\s*=", re.IGNORECASE)


def present(word: str) -> str:
    """A word of a command line for an error message; not one that may hold a password.

    A URL that the shell has split, or that is in the wrong place, looks like any word.
    """
    return "(not shown, because it may contain a password)" if _ADDRESS.search(word) else word


def no_address(text: str) -> str:
    """The text, if it is not the address of a database in the place of a file or a name.

    Raises ValueError: such a text would be shown in errors, or become a name.
    """
    if re.search(r"://|\bpassword\s*=", text, re.IGNORECASE):
        raise ValueError("it is the address of a database")
    return text


def quote(text: str) -> str:
    """A quoted text, as Go's %q writes it."""
    pieces = []
    for character in text:
        if character in '"\\':
            pieces.append("\\" + character)
        elif character.isprintable():
            pieces.append(character)
        else:
            pieces.append(_escape(character))
    return '"' + "".join(pieces) + '"'


def _escape(character: str) -> str:
    short = {"\a": "a", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v"}
    if character in short:
        return "\\" + short[character]
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as Python represents it
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
