"""The plan: every statement that leads from one schema to another, in order."""

from __future__ import annotations

from dbmigrate.diff.change import Change
from dbmigrate.diff.schema import Schema


def plan_changes(before: Schema, after: Schema, *, online: bool = True) -> tuple[Change, ...]:
    """From `before` to `after`, beginning with the renames that `before` was read with.

    The way back is `plan_changes(after, before)`, `after` read with the renames turned round.
    `online`: forms that let the application work on, at the price of more files. Otherwise
    the plain forms, in one transaction as far as PostgreSQL allows.

    Equal schemas give an empty plan. What is in `unhandled` is left alone: ask first.
    """
    raise NotImplementedError
