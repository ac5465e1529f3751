"""Where a sequence continues: no plan may make a later insert collide with a row.

A sequence that takes the place of another has its value. One that begins to number a column with
rows goes on behind them. Limits that no longer include the value move it to their edge.
"""

from __future__ import annotations

from collections.abc import Iterator

from dbmigrate.diff import objects as o
from dbmigrate.diff import tables as t
from dbmigrate.diff.names import last_part, unquoted, without_last
from dbmigrate.diff.world import World
from dbmigrate.postgres.schema.catalog import ObjectName
from dbmigrate.postgres.sqltext.quoting import literal


def move_inside(name: str, before: o.SequenceSettings, after: o.SequenceSettings) -> Iterator[str]:
    """Statements that move the value into the new limits, while the old ones still hold."""
    if lies_apart(before, after):
        return
    if after.minimum > before.minimum:
        yield _move(name, after.minimum, "<", is_called=after.increment < 0)
    if after.maximum < before.maximum:
        yield _move(name, after.maximum, ">", is_called=after.increment > 0)


def lies_apart(before: o.SequenceSettings, after: o.SequenceSettings) -> bool:
    """Whether no value is within the old and the new limits, so that it has to start again."""
    return after.minimum > before.maximum or after.maximum < before.minimum


def _move(name: str, edge: int, comparison: str, *, is_called: bool) -> str:
    called = "true" if is_called else "false"
    return (
        f"SELECT pg_catalog.setval({literal(name)}, {edge}, {called}) FROM {name}"
        f" WHERE last_value {comparison} {edge}"
    )


def go_on_behind_rows(
    sequence: str, settings: o.SequenceSettings, relation: str, column: str
) -> str:
    """The statement by which the next value is none that a row has."""
    last = f"SELECT s.last_value FROM {sequence} s"
    edge = "max" if settings.increment > 0 else "min"
    between = (
        f"({last}) AND {settings.maximum}" if edge == "max" else f"{settings.minimum} AND ({last})"
    )
    return (
        f"SELECT pg_catalog.setval({literal(sequence)}, pg_catalog.{edge}({column})::bigint, true)"
        f" FROM {relation} HAVING pg_catalog.{edge}({column})::bigint BETWEEN {between}"
    )


def go_on_from(source: str, sequence: str, settings: o.SequenceSettings) -> str:
    """The statement by which a sequence has the value of another."""
    value = f"GREATEST(LEAST(last_value, {settings.maximum}), {settings.minimum})"
    return f"SELECT pg_catalog.setval({literal(sequence)}, {value}, is_called) FROM {source}"


def numbered_before(column: t.Column, world: World) -> o.Sequence | None:
    """The sequence that the plan drops, and that has numbered a column which gets an identity."""
    old, new = world.before.objects.get(column.name), world.after.objects.get(column.name)
    if not isinstance(old, t.Column) or not isinstance(new, t.Column):
        return None
    if old.identity or not new.identity or world.is_new(column.name):
        return None
    default = world.before.objects.get(ObjectName("default", column.name.name))
    for name in sorted(default.requires) if default is not None else ():
        found = world.before.objects[name]
        if isinstance(found, o.Sequence) and world.is_going(name):
            users = world.before.dependents.get(name, ())
            if all(user.kind != "default" or user.name == column.name.name for user in users):
                return found
    return None


def heir_of(sequence: o.Sequence, world: World) -> t.Column | None:
    """The column whose identity continues where this sequence ends."""
    for user in world.before.dependents.get(sequence.name, ()):
        column = world.before.objects.get(ObjectName("column", user.name))
        if user.kind == "default" and isinstance(column, t.Column):
            found = numbered_before(column, world)
            if found is not None and found.name == sequence.name:
                return column
    return None


def parked_name(sequence: o.Sequence, world: World) -> str:
    """Its name until its heir has the value, without the schema."""
    return world.interim.choose(
        sequence.name, unquoted(last_part(sequence.name.name)), "", "before"
    )


def parked(sequence: o.Sequence, world: World) -> str:
    """The same, qualified."""
    return f"{without_last(sequence.name.name)}.{parked_name(sequence, world)}"


def newly_numbered(sequence: o.Sequence, world: World) -> Iterator[t.Column]:
    """The columns with rows that a new sequence begins to number."""
    for user in world.after.dependents.get(sequence.name, ()):
        column = world.after.objects.get(ObjectName("column", user.name))
        if user.kind != "default" or not isinstance(column, t.Column):
            continue
        is_there = column.name in world.before.objects and not world.is_new(column.name)
        if is_there and not world.is_new(ObjectName("table", column.relation)):
            yield column
