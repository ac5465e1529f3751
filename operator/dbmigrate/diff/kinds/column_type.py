"""A column gets another type, or one that is dropped and created again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dbmigrate.diff import tables as t
from dbmigrate.diff.casting import is_rewritten, may_lose, through_text, using
from dbmigrate.diff.kinds.kind import alter
from dbmigrate.diff.step import PlannedStatement
from dbmigrate.diff.world import TYPE_KINDS, World
from dbmigrate.postgres.schema.catalog import ObjectName


def changes_type(before: t.Column, after: t.Column, world: World) -> bool:
    """Whether ALTER COLUMN TYPE is needed: for another type, or for one that is recreated."""
    return (before.type, before.collation) != (after.type, after.collation) or _reborn(
        before, world
    ) is not None


def to_type(before: t.Column, after: t.Column, world: World) -> Iterator[PlannedStatement]:
    """ALTER COLUMN TYPE; by way of text where the old type goes before the new one comes."""
    reborn = _reborn(before, world)
    if reborn is not None and reborn.kind == "range":
        yield _park(before)
    yield _change_type(before, after, world)


def _reborn(column: t.Column, world: World) -> ObjectName | None:
    for name in column.requires:
        if name.kind in TYPE_KINDS and world.is_going(name):
            return name
    return None


def _park(before: t.Column) -> PlannedStatement:
    """As text, while its type does not exist."""
    sql = f"ALTER TABLE {before.relation} ALTER COLUMN {before.column} TYPE text"
    dimensions = "[]" if before.type.endswith("[]") else ""
    step = alter(before, f"{sql}{dimensions} USING {before.column}::text{dimensions}")
    return replace(step, is_early=True)


def _change_type(before: t.Column, after: t.Column, world: World) -> PlannedStatement:
    words = [f"ALTER TABLE {after.relation} ALTER COLUMN {after.column} TYPE {after.type}"]
    if after.collation is not None:
        words.append(f"COLLATE {after.collation}")
    reborn = _reborn(before, world)
    expression = None
    if not after.generated:
        if reborn is not None:
            expression = through_text(after.column, before.type, after.type)
        else:
            expression = using(
                after.column,
                before.base_type,
                after.base_type,
                world.after.ways,
                type_name=after.type,
            )
    if expression is not None:
        words.append(f"USING {expression}")
    types = (before.base_type, after.base_type, before.type, after.type)
    is_lossy = reborn is None and not after.generated and may_lose(*types)
    rewrites = reborn is not None or is_rewritten(*types)
    return alter(
        after,
        " ".join(words),
        destroys=f"values of {after.name.name} that do not fit {after.type} exactly are changed"
        if is_lossy
        else None,
        note="all rows are rewritten while reads and writes are blocked" if rewrites else None,
    )
