"""The definition of a command, and one invocation of it.

Named tuples rather than dataclasses, so that `create` and `-version` start without
the modules that dataclasses import.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TextIO

from dbmigrate.cli.arguments.flags import Flag
from dbmigrate.cli.arguments.options import GlobalOptions
from dbmigrate.cli.output.terminal import Terminal

HELP = Flag("help", "Print help information", kind="")


JSON_TEMPLATE = "{{ json . }}"
TEXT = "text"
"""What `-as-atlas` is given for Atlas's report in words, which no template asks for."""


def check_template(text: str) -> str:
    """The one Go template that there is, however it is spaced. Raises ValueError."""
    inner = text.strip().removeprefix("{{").removesuffix("}}").strip("-")
    if inner.split() != ["json", "."]:
        raise ValueError(
            f"the only template is '{JSON_TEMPLATE}': take what you need from its document with jq"
        )
    return JSON_TEMPLATE


def _check_report(text: str) -> str:
    return TEXT if text == TEXT else check_template(text)


AS_ATLAS = Flag(
    "as-atlas",
    f"Print what Atlas would: {TEXT}, or the document of the one template '{JSON_TEMPLATE}'",
    check=_check_report,
    kind="template",
)


class ArgumentError(Exception):
    """The operands of a command are invalid; printed after `error: `, exit code 1."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        """What to write instead; golang-migrate's messages do not say it."""


class Declined(Exception):
    """A prompt was answered with no; the message says what was not done, exit code 1."""


class Invocation(NamedTuple):
    """One call of the program, read once."""

    command: str
    options: GlobalOptions
    values: Mapping[str, str]
    """The command's own flags that were given, by name."""
    operands: tuple[str, ...]
    environ: Mapping[str, str]
    terminal: Terminal
    answers: TextIO
    """Where answers to prompts are read from."""
    output: TextIO
    """Where the result goes: JSON documents and tables."""
    started_ns: int
    """time.monotonic_ns() when the program began."""

    def elapsed_ns(self) -> int:
        """Nanoseconds since the program started."""
        return time.monotonic_ns() - self.started_ns


class HostProgram(NamedTuple):
    """What another tool's command line needs of the program."""

    name: str
    """What the program is called."""
    environ: Mapping[str, str]
    output: TextIO
    terminal: Terminal
    run: Callable[[Iterable[Sequence[str]], Mapping[str, str]], int]
    """Runs command lines of dbmigrate in that environment until one fails; gives the exit code."""


class Command(NamedTuple):
    """One command: its help, its flags and what it does."""

    name: str
    usage: str
    """What its -help prints above the flags."""
    run: Callable[[Invocation], int]
    """Gives the exit code. Raises ArgumentError, Declined, MigrationError and OSError."""
    flags: tuple[Flag, ...] = ()
    operand: str = ""
    """The one word that may follow the flags, as the help calls it; any other is refused."""
    twins: tuple[str, ...] = ()
    """Flags that DBMIGRATE_<COMMAND>_<FLAG> may set as well; never one that confirms."""
    exclusive: tuple[tuple[str, str], ...] = ()
    """Flags that contradict each other: one that is given wins over the twin of the other."""
    numbers_are_operands: bool = False
    """Whether `-1` is an operand rather than a flag."""
    has_verb: bool = False
    """Whether a verb is its first operand, and its flags may follow: `fleet up -targets FILE`."""

    def find_surplus(self, operands: Sequence[str]) -> Sequence[str]:
        """Those that it does not take; golang-migrate ignores them."""
        return operands[self.has_verb + bool(self.operand) :]
