"""Renames: looked for, told to people, and done only when they say so.

A rename can't be seen in two schemas, only guessed at: the same columns under another
name. So `find_renames` gives candidates, and `read_schema(renames=...)` takes those that
were chosen.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.diff.schema import Schema
from dbmigrate.postgres.catalog import ObjectName


@dataclass(frozen=True, slots=True, order=True)
class Rename:
    """An object that goes on under another name, perhaps in another schema."""

    before: ObjectName
    """`column public.users.name`: names as SQL writes them, in quotes where they need them. An
    enum's value is `enum value public.mood.'sad'`."""
    after: ObjectName
    """Of the same kind. A column's table by the name that it has at the end."""

    def __str__(self) -> str:
        return f"{self.before} to {self.after.name}"


@dataclass(frozen=True, slots=True)
class RenameCandidate:
    """Two objects that look like one."""

    rename: Rename
    why: str
    """What is the same, for people."""


def find_renames(before: Schema, after: Schema) -> tuple[RenameCandidate, ...]:
    """What looks like one renamed object: tables, columns, enum values, types, routines, ...

    An object is in one candidate at most. Nothing is done by itself with these.
    """
    raise NotImplementedError
