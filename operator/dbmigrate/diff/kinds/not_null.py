"""NOT NULL, and how to come to it without a scan under an exclusive lock.

SET NOT NULL reads the whole table while nobody may read or write, unless a checked
constraint says already that there is no null (PostgreSQL 12 and later look for one). So a
constraint is added without looking, validated under a weak lock, and dropped again when it
has done its duty. Since 18 NOT NULL is itself a constraint with a name.
"""

from __future__ import annotations

from collections.abc import Iterator

from dbmigrate.diff import objects as o
from dbmigrate.diff.kinds.kind import alter, validate
from dbmigrate.diff.names import last_part, made_up, quoted, unquoted
from dbmigrate.diff.step import Slot, Step
from dbmigrate.diff.world import World


def not_null_clause(wanted: o.NotNull) -> str:
    """As a column's definition has it."""
    name = f"CONSTRAINT {wanted.name} " if wanted.name is not None else ""
    return f"{name}NOT NULL{' NO INHERIT' if wanted.is_inherited_by_none else ''}"


def change_not_null(before: o.Column, after: o.Column, world: World) -> Iterator[Step]:
    """From one to the other."""
    old, new = before.not_null, after.not_null
    if old == new or _is_carried(after, world):
        return
    prefix = f"ALTER TABLE {after.relation}"
    if new is None:
        yield alter(after, f"{prefix} ALTER COLUMN {after.column} DROP NOT NULL")
    elif old is None:
        yield from _set(after, new, world)
    else:
        yield from _change(before, after, world)


def _is_carried(after: o.Column, world: World) -> bool:
    """Whether the parent's statement reaches it, and leads to the same."""
    carrier = world.carrier(after, world.after)
    if carrier is None:
        return False
    old, new = world.before.objects.get(carrier), world.after.objects.get(carrier)
    if not isinstance(old, o.Column) or not isinstance(new, o.Column):
        return True
    changes = (old.not_null is None) != (new.not_null is None)
    return changes and (new.not_null is None) == (after.not_null is None)


def _set(after: o.Column, new: o.NotNull, world: World) -> Iterator[Step]:
    prefix = f"ALTER TABLE {after.relation}"
    statement = _set_statement(after, new)
    if not world.has_to_be_slow(after.relation) or not new.is_validated or after.identity:
        yield alter(after, statement)
        return
    name = quoted(
        made_up(unquoted(last_part(after.relation)), unquoted(after.column), "not_null_check")
    )
    check = f"CHECK ({after.column} IS NOT NULL)"
    yield alter(after, f"{prefix} ADD CONSTRAINT {name} {check} NOT VALID", slot=Slot.FINISH)
    yield validate(after, f"{prefix} VALIDATE CONSTRAINT {name}", world)
    yield alter(after, statement, slot=Slot.FINISH)
    yield alter(after, f"{prefix} DROP CONSTRAINT {name}", slot=Slot.FINISH)


def _set_statement(after: o.Column, new: o.NotNull) -> str:
    if new == o.NotNull():
        return f"ALTER TABLE {after.relation} ALTER COLUMN {after.column} SET NOT NULL"
    name = f"CONSTRAINT {new.name} " if new.name is not None else ""
    inherits = " NO INHERIT" if new.is_inherited_by_none else ""
    valid = "" if new.is_validated else " NOT VALID"
    return f"ALTER TABLE {after.relation} ADD {name}NOT NULL {after.column}{inherits}{valid}"


def _change(before: o.Column, after: o.Column, world: World) -> Iterator[Step]:
    """Its name or its ways; constraints since 18."""
    old, new = before.not_null or o.NotNull(), after.not_null or o.NotNull()
    prefix = f"ALTER TABLE {after.relation}"
    old_name, new_name = _name(before, old), _name(after, new)
    if old_name != new_name:
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
        yield alter(after, _set_statement(after, new))


def _name(column: o.Column, of: o.NotNull) -> str:
    if of.name is not None:
        return of.name
    relation = unquoted(last_part(column.relation))
    return quoted(made_up(relation, unquoted(column.column), "not_null"))
