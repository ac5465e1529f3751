"""NOT NULL, and how to set it without a scan under an exclusive lock.

SET NOT NULL reads the whole table while nobody may read or write, unless a validated
constraint shows that there is no null (PostgreSQL 12 and later look for one). So a
constraint is added without a scan, validated under a weak lock, and dropped again
afterwards. Since 18 NOT NULL is itself a constraint with a name.
"""

from __future__ import annotations

from collections.abc import Iterator

from dbmigrate.diff import objects as o
from dbmigrate.diff import tables as t
from dbmigrate.diff.kinds.kind import alter, validate
from dbmigrate.diff.names import last_part, unquoted
from dbmigrate.diff.step import PlannedStatement, Slot
from dbmigrate.diff.world import World


def not_null_clause(each: t.Column, wanted: o.NotNull, world: World) -> str:
    """As a column's definition has it."""
    name = name_clause(each, wanted, world)
    return f"{name}NOT NULL{' NO INHERIT' if wanted.is_inherited_by_none else ''}"


def name_clause(each: t.Column, wanted: o.NotNull, world: World) -> str:
    """Only where PostgreSQL would not choose the name by itself: it avoids those of the schema."""
    name = wanted.name
    if name is None or (wanted.is_usual and not world.is_shared(each.relation, name)):
        return ""
    return f"CONSTRAINT {name} "


def change_not_null(before: t.Column, after: t.Column, world: World) -> Iterator[PlannedStatement]:
    """From one to the other."""
    old, new = before.not_null, after.not_null
    stays_behind = new is None and old is not None and old.is_local
    if old == new or (_is_carried(after, world) and not stays_behind):
        return
    prefix = f"ALTER TABLE {after.relation}"
    if new is None:
        carrier = world.carrier(after, world.after)
        first = () if carrier is None else (carrier,)
        sql = f"{prefix} ALTER COLUMN {after.column} DROP NOT NULL"
        yield alter(after, sql, after=first)
    elif old is None:
        yield from _set(after, new, world)
    else:
        yield from _change(before, after, world)


def _is_carried(after: t.Column, world: World) -> bool:
    """Whether the parent's statement has the same effect on it."""
    carrier = world.carrier(after, world.after)
    if carrier is None:
        return False
    old, new = world.before.objects.get(carrier), world.after.objects.get(carrier)
    if not isinstance(old, t.Column) or not isinstance(new, t.Column):
        return True
    changes = (old.not_null is None) != (new.not_null is None)
    return changes and (new.not_null is None) == (after.not_null is None)


def _set(after: t.Column, new: o.NotNull, world: World) -> Iterator[PlannedStatement]:
    prefix = f"ALTER TABLE {after.relation}"
    statement = _set_statement(after, new, world)
    if not world.has_to_be_slow(after.relation) or not new.is_validated or after.identity:
        yield alter(after, statement)
        return
    relation, column = unquoted(last_part(after.relation)), unquoted(after.column)
    name = world.interim.choose(after.name, relation, column, "not_null_check")
    check = f"CHECK ({after.column} IS NOT NULL)"
    yield alter(after, f"{prefix} ADD CONSTRAINT {name} {check} NOT VALID", slot=Slot.FINISH)
    yield validate(after, f"{prefix} VALIDATE CONSTRAINT {name}", world)
    yield alter(after, statement, slot=Slot.FINISH)
    yield alter(after, f"{prefix} DROP CONSTRAINT {name}", slot=Slot.FINISH)


def _set_statement(after: t.Column, new: o.NotNull, world: World) -> str:
    name = name_clause(after, new, world)
    if not name and not new.is_inherited_by_none and new.is_validated:
        return f"ALTER TABLE {after.relation} ALTER COLUMN {after.column} SET NOT NULL"
    inherits = " NO INHERIT" if new.is_inherited_by_none else ""
    valid = "" if new.is_validated else " NOT VALID"
    return f"ALTER TABLE {after.relation} ADD {name}NOT NULL {after.column}{inherits}{valid}"


def _change(before: t.Column, after: t.Column, world: World) -> Iterator[PlannedStatement]:
    """Its name or its attributes; constraints since 18."""
    old, new = before.not_null or o.NotNull(), after.not_null or o.NotNull()
    prefix = f"ALTER TABLE {after.relation}"
    old_name, new_name = old.name, new.name
    if old_name is not None and new_name is not None and old_name != new_name:
        sql = f"{prefix} RENAME CONSTRAINT {old_name} TO {new_name}"
        yield alter(after, sql, action="rename")
    if old.is_inherited_by_none != new.is_inherited_by_none:
        inherit = "NO INHERIT" if new.is_inherited_by_none else "INHERIT"
        yield alter(after, f"{prefix} ALTER CONSTRAINT {new_name} {inherit}")
    if new.is_validated and not old.is_validated:
        sql = f"{prefix} VALIDATE CONSTRAINT {new_name}"
        yield validate(after, sql, world)
    elif old.is_validated and not new.is_validated:
        yield alter(after, f"{prefix} ALTER COLUMN {after.column} DROP NOT NULL")
        yield alter(after, _set_statement(after, new, world))
