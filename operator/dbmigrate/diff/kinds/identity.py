"""GENERATED AS IDENTITY, and the options of its sequence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dbmigrate.diff import objects as o
from dbmigrate.diff import tables as t
from dbmigrate.diff.kinds.counting import (
    go_on_behind_rows,
    go_on_from,
    lies_apart,
    move_inside,
    numbered_before,
    parked,
)
from dbmigrate.diff.kinds.kind import alter
from dbmigrate.diff.names import last_part, made_up, unquoted, without_last
from dbmigrate.diff.step import PlannedStatement
from dbmigrate.diff.world import World

_ALWAYS = {"a": "ALWAYS", "d": "BY DEFAULT"}
_LIMITS = {
    "smallint": (-(2**15), 2**15 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}


def identity_clause(each: t.Column) -> str:
    """As a column's definition has it; the sequence's name only if it is not the default."""
    options = []
    if each.identity_sequence is not None:
        relation, column = unquoted(last_part(each.relation)), unquoted(each.column)
        usual = made_up(relation, column, "seq")
        is_usual = unquoted(last_part(each.identity_sequence)) == usual
        if not is_usual or without_last(each.identity_sequence) != without_last(each.relation):
            options.append(f"SEQUENCE NAME {each.identity_sequence}")
    if each.settings is not None:
        options += settings_clauses(None, each.settings)
    inside = f" ({' '.join(options)})" if options else ""
    return f"GENERATED {_ALWAYS[each.identity]} AS IDENTITY{inside}"


def settings_clauses(before: o.SequenceSettings | None, after: o.SequenceSettings) -> list[str]:
    """The options that differ from the defaults, or from before."""
    old = before or usual_settings(after.type, after.increment)
    words = []
    if old.increment != after.increment or (before is None and after.increment != 1):
        words.append(f"INCREMENT BY {after.increment}")
    if old.minimum != after.minimum:
        words.append(f"MINVALUE {after.minimum}")
    if old.maximum != after.maximum:
        words.append(f"MAXVALUE {after.maximum}")
    usual_start = after.minimum if after.increment > 0 else after.maximum
    if after.start != (old.start if before is not None else usual_start):
        words.append(f"START WITH {after.start}")
    if old.cache != after.cache:
        words.append(f"CACHE {after.cache}")
    if old.cycles != after.cycles:
        words.append("CYCLE" if after.cycles else "NO CYCLE")
    return words


def usual_settings(type_name: str, increment: int) -> o.SequenceSettings:
    """The default options of a sequence."""
    low, high = _LIMITS[type_name]
    minimum, maximum = (1, high) if increment > 0 else (low, -1)
    return o.SequenceSettings(
        type=type_name,
        start=minimum if increment > 0 else maximum,
        increment=increment,
        minimum=minimum,
        maximum=maximum,
        cache=1,
        cycles=False,
    )


def with_type(before: o.SequenceSettings, type_name: str) -> o.SequenceSettings:
    """As ALTER SEQUENCE AS leaves it: limits equal to the old type's follow the new type."""
    (old_low, old_high), (low, high) = _LIMITS[before.type], _LIMITS[type_name]
    return replace(
        before,
        type=type_name,
        minimum=low if before.minimum == old_low else before.minimum,
        maximum=high if before.maximum == old_high else before.maximum,
    )


def change_identity(before: t.Column, after: t.Column, world: World) -> Iterator[PlannedStatement]:
    """From one identity to another, or to none."""
    if before.identity == after.identity == "":
        return
    prefix = f"ALTER TABLE {after.relation} ALTER COLUMN {after.column}"
    if after.identity == "":
        yield alter(after, f"{prefix} DROP IDENTITY")
        return
    if before.identity == "":
        # Rejected on a nullable column, and where a default still exists.
        yield alter(after, f"{prefix} ADD {identity_clause(after)}")
        yield from _go_on(after, world)
        return
    words = []
    if before.identity != after.identity:
        words.append(f"SET GENERATED {_ALWAYS[after.identity]}")
    if before.settings is not None and after.settings is not None:
        # ALTER COLUMN TYPE has moved the sequence to the new type by now.
        moved = with_type(before.settings, after.settings.type)
        words += [f"SET {word}" for word in settings_clauses(moved, after.settings)]
        if lies_apart(before.settings, after.settings):
            words.append(f"RESTART WITH {after.settings.start}")
    if words:
        yield alter(after, f"{prefix} {' '.join(words)}")
    yield from _rename_sequence(before, after)


def _go_on(after: t.Column, world: World) -> Iterator[PlannedStatement]:
    """The identity's first value is none that a row has."""
    if after.identity_sequence is None or after.settings is None:
        return
    source = numbered_before(after, world)
    if source is None:
        place = (after.relation, after.column)
        yield alter(after, go_on_behind_rows(after.identity_sequence, after.settings, *place))
        return
    name = parked(source, world)
    yield alter(after, go_on_from(name, after.identity_sequence, after.settings))
    yield alter(after, f"DROP SEQUENCE {name}", action="drop")


def move_identity_inside(before: t.Column, after: t.Column) -> Iterator[PlannedStatement]:
    """The value of its sequence is within the new limits, before the column has another type."""
    if before.settings is None or after.settings is None or before.identity_sequence is None:
        return
    for sql in move_inside(before.identity_sequence, before.settings, after.settings):
        yield alter(after, sql)


def _rename_sequence(before: t.Column, after: t.Column) -> Iterator[PlannedStatement]:
    old, new = before.identity_sequence, after.identity_sequence
    if old is None or new is None or old == new:
        return
    if without_last(old) == without_last(new):
        yield alter(after, f"ALTER SEQUENCE {old} RENAME TO {last_part(new)}", action="rename")
