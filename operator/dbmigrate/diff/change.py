"""The parts of a plan: statements, and which of them may share a file."""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.postgres.schema.catalog import ObjectName


@dataclass(frozen=True, slots=True)
class Change:
    """One statement of a plan, at its place."""

    sql: str
    """Without a semicolon at its end."""
    about: ObjectName
    """What it creates, alters or drops: `column public.users.phone`."""
    action: str
    """In a word: create, drop, alter, rename, validate, ..."""
    file: int
    """Which file it belongs into. Ascends through the plan. Statements of one file may share a
    transaction; what has to be committed, or to be alone, before others has a file of its own."""
    can_be_in_transaction: bool = True
    """False: it is the only statement of its file, and runs outside of a transaction block."""
    destroys: str | None = None
    """Why data is lost that no down script brings back, for people. None: none is."""
    note: str | None = None
    """What else people should know, such as that a table is rewritten under its lock."""
