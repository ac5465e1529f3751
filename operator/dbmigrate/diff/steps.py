"""From decisions to statements, not ordered yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dbmigrate.diff import objects as o
from dbmigrate.diff.attributes import change_attributes
from dbmigrate.diff.dropped import covered_by_drops
from dbmigrate.diff.kinds.registry import kind_of, rank_of
from dbmigrate.diff.kinds.types import rebirth
from dbmigrate.diff.step import PlannedStatement, Slot
from dbmigrate.diff.world import ObjectAction, World
from dbmigrate.postgres.schema.catalog import ObjectName


def make_steps(world: World) -> list[PlannedStatement]:
    """All statements that the decisions result in."""
    covered = covered_by_drops(world)
    # An index that is dropped with its column cannot be replaced separately.
    world.forced |= covered.keys()
    return [*_drops(world, covered), *_changes(world)]


def _drops(world: World, covered: dict[ObjectName, ObjectName]) -> Iterator[PlannedStatement]:
    takes_along: dict[ObjectName, set[ObjectName]] = {}
    for part, whole in covered.items():
        takes_along.setdefault(whole, set()).add(part)
    for name, action in world.actions.items():
        if action is ObjectAction.REBIRTH and name not in world.after.objects:
            each = world.before.objects[name]
            yield from rebirth(each, each, iter(()), world)
        if action not in (ObjectAction.DROP, ObjectAction.REPLACE) or name in covered:
            continue
        each = world.before.objects[name]
        if action is ObjectAction.REPLACE and kind_of(each).swaps(
            each, world.after.objects[name], world
        ):
            continue
        for step in kind_of(each).drop(each, world):
            yield replace(step, covers=frozenset(takes_along.get(name, ())))


def _changes(world: World) -> Iterator[PlannedStatement]:
    made: set[ObjectName] = set()
    after = world.after.objects
    names = [name for name in world.actions if name in after]
    # Objects before their parts: what CREATE TABLE can contain needs no statement of its own.
    for name in sorted(names, key=lambda name: (rank_of(after[name]), name)):
        action, new = world.actions[name], after[name]
        old = world.before.objects.get(name)
        if action is ObjectAction.ALTER and old is not None:
            steps = [*kind_of(new).alter(old, new, world), *change_attributes(old, new, world)]
        else:
            own = [] if name in made else list(_create(old, new, action, world))
            steps = [*own, *change_attributes(None, new, world)]
        for step in steps:
            if step.slot is Slot.CREATE:
                made |= step.covers
            yield step


def _create(
    old: o.SchemaObject | None, new: o.SchemaObject, action: ObjectAction, world: World
) -> Iterator[PlannedStatement]:
    kind = kind_of(new)
    if old is not None and action is ObjectAction.REBIRTH:
        return rebirth(old, new, kind.create(new, world), world)
    if old is not None and kind.swaps(old, new, world):
        return kind.swap(old, new, world)
    return kind.create(new, world)
