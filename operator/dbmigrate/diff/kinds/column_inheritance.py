"""Columns that a table has from its parents, or its children from it."""

from __future__ import annotations

from collections.abc import Iterator

from dbmigrate.diff import tables as t
from dbmigrate.diff.schema import Schema
from dbmigrate.diff.world import World, parents
from dbmigrate.postgres.schema.catalog import ObjectName


def _children(schema: Schema, each: t.Column) -> Iterator[t.Column]:
    """The columns of children that are merged with a table's."""
    for user in schema.dependents.get(ObjectName("table", each.relation), ()):
        if user.kind == "table" and each.relation in parents(schema, user.name):
            found = schema.objects.get(ObjectName("column", f"{user.name}.{each.column}"))
            if isinstance(found, t.Column):
                yield found


def has_lasting_parent(before: t.Column, after: t.Column, world: World) -> bool:
    """Whether a parent that stays one has the column: it need not be the first one any more."""
    columns = (
        ObjectName("column", f"{parent}.{after.column}")
        for parent in parents(world.before, before.relation)
        if world.keeps(after.relation, parent)
    )
    return any(
        name in world.before.objects and name in world.after.objects and not world.is_new(name)
        for name in columns
    )


def outlives(each: t.Column, world: World) -> Iterator[t.Column]:
    """The columns that children have inherited, and keep as their own."""
    for child in _children(world.before, each):
        stays = child.is_inherited and child.name in world.after.objects
        if not stays or world.is_new(child.name):
            continue
        if world.carrier(child, world.before) == each.name:
            yield child


def frees_below(each: t.Column, world: World) -> bool:
    """Whether children keep the column and lose the NOT NULL that they have from here."""
    if each.not_null is None or each.not_null.is_inherited_by_none or _is_in_key(each, world):
        return False
    for child in _children(world.before, each):
        new = world.after.objects.get(child.name)
        is_held = child.not_null is not None and not child.not_null.is_local
        if is_held and isinstance(new, t.Column) and new.not_null is None:
            return True
    return False


def _is_in_key(each: t.Column, world: World) -> bool:
    users = (world.before.objects[name] for name in world.before.dependents.get(each.name, ()))
    return any(isinstance(user, t.Constraint) and user.type == "p" for user in users)


def merged_below(each: t.Column, world: World) -> Iterator[ObjectName]:
    """The columns of children with which a new one is merged: they need its type."""
    for child in _children(world.after, each):
        if child.name in world.before.objects and not world.is_new(child.name):
            yield child.name
