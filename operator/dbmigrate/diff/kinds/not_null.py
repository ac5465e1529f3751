"""NOT NULL, and how to set it without a scan under an exclusive lock.

SET NOT NULL reads the whole table while reads and writes are blocked, unless a validated
constraint shows that there is no null (PostgreSQL 12 and later look for one). So a
constraint is added without a scan, validated under a weak lock, and dropped again
afterwards. Since 18 NOT NULL is itself a constraint with a name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dbmigrate.diff import objects as o
from dbmigrate.diff import tables as t
from dbmigrate.diff.kinds.kind import alter, validate
from dbmigrate.diff.names import last_part, unquoted
from dbmigrate.diff.step import PlannedStatement, Slot
from dbmigrate.diff.world import World, parents
from dbmigrate.postgres.schema.catalog import ObjectName
from dbmigrate.postgres.sqltext.quoting import literal


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
    carrier = world.carrier(after, world.after)
    old, new = left_by_parent(before, after, world), after.not_null
    first = () if carrier is None else (carrier,)
    stays = old is not None and new is not None
    if new is None and old is not None:
        sql = f"ALTER TABLE {after.relation} ALTER COLUMN {after.column} DROP NOT NULL"
        yield alter(after, sql, after=first)
    elif old is None and new is not None:
        if carrier is not None and _is_set_by(carrier, world):
            stays = _name_above(carrier, world) == new.name
            if not stays:
                # Under another name than the parent's it has to be there before.
                step = alter(after, _set_statement(after, new, world))
                yield replace(step, before=(carrier,))
        else:
            was_above = carrier is not None and before.not_null is not None
            yield from _set(after, new, world, first if was_above else ())
    elif old is not None and new is not None and replace(old, comment=new.comment) != new:
        yield from _change(after, old, new, world)
        stays = not old.is_validated or new.is_validated
    comment = old.comment if stays and old is not None else None
    yield from not_null_comment(after, comment)


def not_null_comment(after: t.Column, before: str | None) -> Iterator[PlannedStatement]:
    """The comment on it, which has been another one, or none."""
    new = after.not_null
    if new is None or new.name is None or new.comment == before:
        return
    sql = f"COMMENT ON CONSTRAINT {new.name} ON {after.relation} IS {literal(new.comment).strip()}"
    yield alter(after, sql, slot=Slot.FINISH, action="comment")


def left_by_parent(before: t.Column, after: t.Column, world: World) -> o.NotNull | None:
    """What the column has after the statements of its parent's column, which change it, too."""
    mine = before.not_null
    carrier = world.carrier(before, world.before)
    if mine is None or carrier is None or world.carrier(after, world.after) != carrier:
        return mine
    old, new = world.before.objects[carrier], world.after.objects[carrier]
    if not isinstance(old, t.Column) or not isinstance(new, t.Column) or old.not_null is None:
        return mine
    above = left_by_parent(old, new, world)
    if old.not_null.is_inherited_by_none:
        return mine
    if new.not_null is None:
        return mine if mine.is_local or above is None else None
    if mine.name == old.not_null.name:
        return replace(mine, name=new.not_null.name)
    return mine


def _is_set_by(carrier: ObjectName, world: World) -> bool:
    """Whether the parent's statement sets it for its children."""
    old, new = world.before.objects.get(carrier), world.after.objects.get(carrier)
    if not isinstance(new, t.Column) or new.not_null is None or new.not_null.is_inherited_by_none:
        return False
    if not isinstance(old, t.Column) or old.not_null is None or world.is_new(carrier):
        return True
    return old.not_null.is_inherited_by_none


def _name_above(carrier: ObjectName, world: World) -> str | None:
    new = world.after.objects[carrier]
    return new.not_null.name if isinstance(new, t.Column) and new.not_null is not None else None


def _set(
    after: t.Column, new: o.NotNull, world: World, first: tuple[ObjectName, ...]
) -> Iterator[PlannedStatement]:
    prefix = f"ALTER TABLE {after.relation}"
    statement = _set_statement(after, new, world)
    if not world.has_to_be_slow(after.relation) or not new.is_validated or after.identity:
        yield alter(after, statement, after=first)
        return
    relation, column = unquoted(last_part(after.relation)), unquoted(after.column)
    name = world.interim.choose(after.name, relation, column, "not_null_check")
    check = f"CHECK ({after.column} IS NOT NULL)"
    sql = f"{prefix} ADD CONSTRAINT {name} {check} NOT VALID"
    yield alter(after, sql, slot=Slot.FINISH, after=first)
    yield validate(after, f"{prefix} VALIDATE CONSTRAINT {name}", world)
    yield alter(after, statement, slot=Slot.FINISH)
    yield alter(after, f"{prefix} DROP CONSTRAINT {name}", slot=Slot.FINISH)


def _is_inherited(carrier: ObjectName | None, world: World) -> bool:
    above = world.after.objects.get(carrier) if carrier is not None else None
    return isinstance(above, t.Column) and above.not_null is not None


def _set_statement(after: t.Column, new: o.NotNull, world: World) -> str:
    name = name_clause(after, new, world)
    if not name and not new.is_inherited_by_none and new.is_validated:
        return f"ALTER TABLE {after.relation} ALTER COLUMN {after.column} SET NOT NULL"
    inherits = " NO INHERIT" if new.is_inherited_by_none else ""
    valid = "" if new.is_validated else " NOT VALID"
    return f"ALTER TABLE {after.relation} ADD {name}NOT NULL {after.column}{inherits}{valid}"


def _change(
    after: t.Column, old: o.NotNull, new: o.NotNull, world: World
) -> Iterator[PlannedStatement]:
    """Its name or its attributes; constraints since 18."""
    prefix = f"ALTER TABLE {after.relation}"
    old_name, new_name = old.name, new.name
    if old_name is not None and new_name is not None and old_name != new_name:
        sql = f"{prefix} RENAME CONSTRAINT {old_name} TO {new_name}"
        carrier = world.carrier(after, world.after)
        # What is inherited can't be renamed.
        above = parents(world.after, after.relation) if _is_inherited(carrier, world) else ()
        first = () if carrier is None else (carrier,)
        for parent in above:
            yield alter(after, f"{prefix} NO INHERIT {parent}", after=first)
        yield alter(after, sql, action="rename", after=first)
        for parent in above:
            yield alter(after, f"{prefix} INHERIT {parent}")
    if old.is_inherited_by_none != new.is_inherited_by_none:
        inherit = "NO INHERIT" if new.is_inherited_by_none else "INHERIT"
        yield alter(after, f"{prefix} ALTER CONSTRAINT {new_name} {inherit}")
    if new.is_validated and not old.is_validated:
        sql = f"{prefix} VALIDATE CONSTRAINT {new_name}"
        yield validate(after, sql, world)
    elif old.is_validated and not new.is_validated:
        yield alter(after, f"{prefix} ALTER COLUMN {after.column} DROP NOT NULL")
        yield alter(after, _set_statement(after, new, world))
