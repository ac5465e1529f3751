"""Reads what follows a command and its flags, with golang-migrate's messages.

The syntax of a version depends on the format of the files, which may be known only
when these are listed. A version is checked twice: for the named format, if any, before
anything is opened, and then for the format that is in use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from dbmigrate.cli.arguments.flags import no_address, present, quote
from dbmigrate.cli.arguments.numbers import read_decimal
from dbmigrate.cli.arguments.options import NAMES, GlobalOptions
from dbmigrate.cli.command import ArgumentError, Command, Invocation

if TYPE_CHECKING:
    from dbmigrate.runner.request import Request
    from dbmigrate.versions import Version

LATEST = "latest"
_V = "V is the version that a migration file's name begins with"


def refuse_surplus(command: Command, surplus: Sequence[str]) -> NoReturn:
    """Name the words that the command does not take; one may be a flag, written too late."""
    late = [word.lstrip("-").partition("=")[0] for word in surplus if word.startswith("-")]
    takes = f"one argument, {command.operand}" if command.operand else "no arguments"
    hint = f"{command.name} takes {'a verb and ' * command.has_verb}{takes}"
    if any(name in NAMES for name in late):
        hint = f"options go before the command: OPTIONS {command.name}"
    if any(name == flag.name for name in late for flag in command.flags):
        hint = f"flags go before the argument: {command.name} FLAGS {command.operand}"
    raise ArgumentError(f"too many arguments: {present(' '.join(surplus))}", hint=hint)


def read_limit(operands: Sequence[str]) -> int | None:
    """N of `up N` and `down N`; None without it. Raises ArgumentError, as do all below."""
    if not operands:
        return None
    try:
        return read_decimal(operands[0])
    except ValueError:
        raise ArgumentError(
            "can't read limit argument N",
            hint=f"N is a number of migrations, not {quote(present(operands[0]))}",
        ) from None


def the_target(operands: Sequence[str], options: GlobalOptions) -> str | None:
    """V of `goto V` as it was typed; None for `latest`."""
    text = the_version(operands)
    return None if text == LATEST else check_version(text, options)


def the_version(operands: Sequence[str]) -> str:
    """V as it was typed."""
    if not operands:
        raise ArgumentError("please specify version argument V", hint=f"{_V}: `status` lists them")
    return operands[0]


def read_to(invocation: Invocation) -> str | None:
    """V of `up -to V` and `down -to V` as it was typed; None without it."""
    text = invocation.values.get("to")
    if text is None:
        return None
    if invocation.operands:
        raise ArgumentError("-to cannot be used with other arguments")
    return check_version(text, invocation.options)


def check_version(text: str, options: GlobalOptions) -> str:
    """The same text, if it can be a version."""
    from dbmigrate.versions import is_version

    if not is_version(text, None if options.format == "auto" else options.format):
        raise _unreadable(text)
    return text


def read_version(text: str, kind: str) -> Version:
    """The version in the given format."""
    from dbmigrate.versions import reader_of

    try:
        return reader_of(kind)(text)
    except ValueError:
        raise _unreadable(text) from None


def version_for(request: Request, text: str | None) -> Version | None:
    """The version in the format in use; None where none was given."""
    return None if text is None else read_version(text, request.target.history.kind)


def _unreadable(text: str) -> ArgumentError:
    return ArgumentError(
        "can't read version argument V",
        hint=f"{_V}, not {quote(present(text))}",
    )


def read_file(text: str) -> str:
    """FILE of a command. Raises ArgumentError where it is the address of a database."""
    try:
        return no_address(text)
    except ValueError as error:
        raise ArgumentError(f"can't use FILE: {error}; name the database with -database") from None
