"""Which objects are renamed: from the command line, or asked for on a terminal.

A wrong guess loses data in one direction and keeps obsolete objects in the other, so
nothing is guessed: without a terminal, the candidates are an error that says how to choose.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dbmigrate.cli.arguments.flags import is_set
from dbmigrate.cli.command import ArgumentError, Invocation
from dbmigrate.cli.prompts import confirm
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.schema.catalog import ObjectName
from dbmigrate.report import Reason

if TYPE_CHECKING:
    from dbmigrate.diff.renames import Rename, RenameCandidate


def read_rename(text: str) -> Rename:
    """`kind:old=new`; where the new name has no dot, only the last part of the old one changes.

    Raises ArgumentError.
    """
    from dbmigrate.diff.renames import Rename

    kind, colon, names = text.partition(":")
    old, equals, new = names.partition("=")
    if not (kind and colon and old and equals and new):
        raise ArgumentError(
            f"-rename {text}: expected kind:old=new, as column:public.users.name=full_name"
        )
    if not _parts(new)[1:]:
        new = ".".join([*_parts(old)[:-1], new])
    return Rename(ObjectName(kind.strip(), old), ObjectName(kind.strip(), new))


def write_rename(rename: Rename) -> str:
    """As `read_rename` reads it."""
    return f"{rename.before.kind}:{rename.before.name}={rename.after.name}"


def choose_renames(
    invocation: Invocation, candidates: Sequence[RenameCandidate]
) -> Sequence[Rename]:
    """Ask for each. Raises MigrationError (SourceInvalid) where there is no terminal."""
    if is_set(invocation.values, "no-renames"):
        return ()
    if not (invocation.terminal.is_interactive and invocation.answers.isatty()):
        listed = ", ".join(f"{each.rename} ({each.why})" for each in candidates)
        options = " ".join(f"-rename '{write_rename(each.rename)}'" for each in candidates)
        raise MigrationError(
            Reason.SOURCE_INVALID,
            f"renamed, or dropped and created? {listed}",
            hint=f"say {options} for those that are renamed, and -no-renames for all others",
        )
    return [
        each.rename
        for each in candidates
        if confirm(
            invocation.terminal, invocation.answers, f"Is {each.rename} a rename? ({each.why})"
        )
    ]


def _parts(name: str) -> list[str]:
    """The parts of a qualified name; a quoted dot separates nothing."""
    parts, is_quoted = [""], False
    for character in name:
        if character in "\"'":
            is_quoted = not is_quoted
        if character == "." and not is_quoted:
            parts.append("")
        else:
            parts[-1] += character
    return parts
