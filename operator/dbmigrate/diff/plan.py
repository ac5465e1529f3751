"""The plan: every statement that leads from one schema to another, in order."""

from __future__ import annotations

from dbmigrate.diff.bodies import allow_unchecked_bodies
from dbmigrate.diff.change import Change
from dbmigrate.diff.decisions import decide, replace_instead
from dbmigrate.diff.kinds.registry import rank_of
from dbmigrate.diff.order import Circle, put_in_order
from dbmigrate.diff.schema import Schema
from dbmigrate.diff.step import Mode, PlannedStatement
from dbmigrate.diff.steps import make_steps
from dbmigrate.diff.world import World
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.schema.catalog import ObjectName
from dbmigrate.report import Reason


def plan_changes(before: Schema, after: Schema, *, online: bool = True) -> tuple[Change, ...]:
    """From `before` to `after`, beginning with the renames that `before` was read with.

    The way back is `plan_changes(after, before)`, `after` read with the reversed renames.
    `online`: forms that do not block the application, at the price of more files. Otherwise
    the plain forms, in one transaction as far as PostgreSQL allows.

    Equal schemas give an empty plan. Objects in `unhandled` are left alone: check them first.
    Raises MigrationError (Internal) where no order of the statements is found.
    """
    world = World(before, after, online)
    decide(world)
    while True:
        try:
            return _plan(world)
        except Circle as circle:
            # A view that is replaced in place has to come between its old and its new
            # dependencies. If that is impossible, it is dropped first and created last.
            # goes to. Where that can't be, it goes first and comes back last.
            if not circle.altered:
                raise MigrationError(
                    Reason.INTERNAL,
                    f"no order was found for statements that depend on each other: {circle}",
                    hint="please report the two schemas",
                ) from None
            replace_instead(world, circle.altered)


def _plan(world: World) -> tuple[Change, ...]:
    before, after = world.before, world.after
    steps = make_steps(world)
    last = [step for step in steps if step.about.kind == "default privileges"]
    others = [step for step in steps if step.about.kind != "default privileges"]

    def rank(name: ObjectName) -> int:
        found = after.objects.get(name) or before.objects[name]
        return rank_of(found)

    placed = put_in_order(others, world, rank)
    placed = allow_unchecked_bodies(placed, world)
    changes = [_renaming(about, sql) for about, sql in before.renaming]
    first = 1 if changes else 0
    changes += [_change(step, file + first) for file, step in placed]
    return tuple(changes + _at_the_end(last, changes))


def _renaming(about: ObjectName, sql: str) -> Change:
    note = "code that uses the old name breaks"
    return Change(sql, about, "rename", 0, note=note)


def _change(step: PlannedStatement, file: int) -> Change:
    return Change(
        sql=step.sql,
        about=step.about,
        action=step.action,
        file=file,
        can_be_in_transaction=step.mode is not Mode.ALONE,
        destroys=step.destroys,
        note=step.note,
    )


def _at_the_end(steps: list[PlannedStatement], changes: list[Change]) -> list[Change]:
    """Default privileges: what the plan creates is still created under the old ones."""
    file = 0
    if changes:
        is_shared = changes[-1].can_be_in_transaction and changes[-1].action not in _UNSHARED
        file = changes[-1].file + (0 if is_shared else 1)
    return [_change(step, file) for step in steps]


_UNSHARED = ("validate",)
