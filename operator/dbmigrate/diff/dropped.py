"""Objects that are dropped together with another one, without a separate statement."""

from __future__ import annotations

from collections.abc import Iterator

from dbmigrate.diff import objects as o
from dbmigrate.diff import tables as t
from dbmigrate.diff.world import (
    ObjectAction,
    World,
    checks_below,
    index_above,
    inherited_from,
)
from dbmigrate.postgres.schema.catalog import ObjectName

_GO_WITH_COLUMN = (t.Index, t.Constraint, t.Statistics)
"""DROP COLUMN takes them along even if they have other columns, too."""


def covered_by_drops(world: World) -> dict[ObjectName, ObjectName]:
    """Each object that is dropped by another's statement, with that other."""
    circular = set(_circular_keys(world))
    found: dict[ObjectName, ObjectName] = {}
    for name, action in world.actions.items():
        if action in (ObjectAction.DROP, ObjectAction.REPLACE) and name not in circular:
            whole = _taken_along_by(name, world)
            if whole is not None:
                found[name] = whole
    return {part: _outermost(whole, found) for part, whole in found.items()}


def _taken_along_by(name: ObjectName, world: World) -> ObjectName | None:
    each = world.before.objects[name]
    if each.part_of is not None and world.is_going(each.part_of):
        return None if _holds_back(each, world) else each.part_of
    if isinstance(each, o.Sequence) and each.owned_by is not None:
        owner = ObjectName("column", each.owned_by)
        return owner if world.is_going(owner) else None
    if isinstance(each, t.Constraint | t.Index) and not world.is_moving(each.table):
        index = index_above(world.before, each)
        if index is not None and world.is_going(index):
            return index
    if isinstance(each, t.Constraint) and _stays_below(each, world):
        return None
    if isinstance(each, _GO_WITH_COLUMN) and each.part_of is not None:
        prefix = f"{each.part_of.name}."
        for column in sorted(each.requires):
            is_own = column.kind == "column" and column.name.startswith(prefix)
            if is_own and world.is_going(column):
                return column
    if isinstance(each, t.Constraint) and each.type == "c" and not world.is_moving(each.table):
        above = inherited_from(world.before, each)
        return above if above is not None and world.is_going(above) else None
    return None


def _stays_below(each: t.Constraint, world: World) -> bool:
    """Whether children keep a check and its columns when a column takes it along here."""
    return each.type == "c" and any(
        ObjectName("table", child.table) in world.after.objects
        and all(name in world.after.objects for name in child.requires if name.kind == "column")
        for child in checks_below(world.before, each)
    )


def _holds_back(each: o.SchemaObject, world: World) -> bool:
    """Whether it prevents the drop of its table: by a function of the table's row type."""
    if not isinstance(each, t.Column | t.Default | t.Constraint) or each.part_of is None:
        return False
    whole = each.part_of
    if whole.kind == "column":
        whole = world.before.objects[whole].part_of or whole
    return whole.kind == "table" and world.comes_back(each, whole, world.before)


def _outermost(name: ObjectName, found: dict[ObjectName, ObjectName]) -> ObjectName:
    while name in found:
        name = found[name]
    return name


def _circular_keys(world: World) -> Iterator[ObjectName]:
    """Foreign keys between dropped tables that refer to each other: dropped first."""
    keys: dict[str, list[t.Constraint]] = {}
    for each in world.before.objects.values():
        if not isinstance(each, t.Constraint) or each.type != "f" or each.references is None:
            continue
        goes = all(
            world.is_going(ObjectName("table", table)) for table in (each.table, each.references)
        )
        if goes and each.table != each.references:
            keys.setdefault(each.table, []).append(each)
    waits = {table: {str(key.references) for key in found} for table, found in keys.items()}
    free = [table for tables in waits.values() for table in tables if table not in waits]
    referring: dict[str, set[str]] = {}
    for table, tables in waits.items():
        for other in tables:
            referring.setdefault(other, set()).add(table)
    while free:
        done = free.pop()
        for table in referring.pop(done, ()):
            waits[table].discard(done)
            if not waits[table]:
                free.append(table)
    for table, tables in waits.items():
        yield from (key.name for key in keys[table] if key.references in tables)
