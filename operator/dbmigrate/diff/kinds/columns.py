"""Columns of tables, and attributes of composite types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dbmigrate.diff import objects as o
from dbmigrate.diff import tables as t
from dbmigrate.diff.kinds.column_definition import attribute, clause, inline_default, settings
from dbmigrate.diff.kinds.column_inheritance import (
    frees_below,
    has_lasting_parent,
    merged_below,
    outlives,
)
from dbmigrate.diff.kinds.column_type import changes_type, to_type
from dbmigrate.diff.kinds.identity import (
    change_identity,
    move_identity_inside,
)
from dbmigrate.diff.kinds.kind import ObjectKind, alter, create, drop, without_attributes
from dbmigrate.diff.kinds.not_null import (
    change_not_null,
)
from dbmigrate.diff.schema import Schema
from dbmigrate.diff.step import PlannedStatement
from dbmigrate.diff.world import TYPE_KINDS, ObjectAction, World, is_behind
from dbmigrate.postgres.schema.catalog import ObjectName

_INTEGERS = frozenset(("smallint", "integer", "bigint"))
_TEXTS = frozenset(("text", "character varying"))
_STORED = frozenset("rp")
_IN_THE_WAY = (o.View, t.RewriteRule, t.Policy, t.Trigger, o.Routine, t.Default, o.Aggregate)
"""What reads a column in a way that ALTER COLUMN TYPE can't follow. Defaults could be, but
their old cast would stay in them."""


class Columns(ObjectKind[t.Column]):
    """Columns; those of views only carry grants and comments."""

    def can_alter(self, before: t.Column, after: t.Column, world: World) -> bool:
        if before.relation_kind not in _STORED:
            if before.relation_kind in "vm":
                return True
            whole = ObjectName("composite type", before.relation)
            is_used = any(any(uses(schema, whole)) for schema in (world.before, world.after))
            retyped = replace(before, type=after.type, collation=after.collation)
            kept = before if is_used else retyped
            return without_attributes(kept) == without_attributes(after)
        if before.generated == after.generated:
            # SET EXPRESSION exists since 17.
            return before.expression == after.expression or world.version >= 17
        # A stored column can become a plain one, but not the other way round.
        return before.generated == "s" and after.generated == ""

    def disturbs(
        self, before: t.Column, after: t.Column, user: o.SchemaObject, world: World
    ) -> bool:
        if not changes_type(before, after, world):
            return False
        if isinstance(user, _IN_THE_WAY):
            return True
        is_made_anew = isinstance(user, t.Index | t.Statistics | t.Constraint)
        if is_made_anew and world.actions[user.name] in (ObjectAction.REPLACE, ObjectAction.DROP):
            # The server would convert it with its old text, which may not fit the new type.
            return True
        if isinstance(user, t.Constraint) and is_behind(world.before, user):
            # It would be recreated together with the children's, none of which is validated.
            return True
        if isinstance(user, t.Column):
            return user.generated != "" or user.relation_kind not in _STORED
        if isinstance(user, t.Constraint) and user.type == "f":
            types = {before.base_type, after.base_type}
            return not (types <= _INTEGERS or types <= _TEXTS)
        return False

    def create(self, each: t.Column, world: World) -> Iterator[PlannedStatement]:
        if each.relation_kind == "c":
            yield create(each, f"ALTER TYPE {each.relation} ADD ATTRIBUTE {attribute(each)}")
            return
        if each.relation_kind not in _STORED or world.carrier(each, world.after) is not None:
            return
        default = inline_default(each, world)
        covers = frozenset((default.name,)) if default is not None else frozenset[ObjectName]()
        yield create(
            each,
            f"ALTER TABLE {each.relation} ADD COLUMN {clause(each, default, world)}",
            covers=covers,
            note=_note_new(each, default, world),
            after=tuple(merged_below(each, world)),
        )
        yield from settings(None, each, world)

    def drop(self, each: t.Column, world: World) -> Iterator[PlannedStatement]:
        if each.relation_kind == "c":
            yield drop(
                each,
                f"ALTER TYPE {each.relation} DROP ATTRIBUTE {each.column}",
                destroys=f"the values of {each.name.name} are lost",
            )
            return
        if each.relation_kind not in _STORED:
            return
        carrier = world.carrier(each, world.before)
        only = "ONLY " if any(outlives(each, world)) else ""
        if carrier is not None and each.is_inherited:
            above = world.before.objects[carrier]
            if not isinstance(above, t.Column) or not any(outlives(above, world)):
                return
        destroys = None if each.generated else f"the values of {each.name.name} are lost"
        # Children that keep the column would keep that as well, and nothing could drop it there.
        free = f"ALTER COLUMN {each.column} DROP NOT NULL, " if frees_below(each, world) else ""
        sql = f"ALTER TABLE {only}{each.relation} {free}DROP COLUMN {each.column}"
        step = drop(each, sql, destroys=destroys)
        yield replace(step, after=() if carrier is None else (carrier,))

    def alter(self, before: t.Column, after: t.Column, world: World) -> Iterator[PlannedStatement]:
        if after.relation_kind not in _STORED:
            yield from _alter_elsewhere(before, after, world)
            return
        carrier = world.carrier(after, world.after)
        is_carried = carrier is not None and not world.is_new(carrier)
        stops_generating = before.generated != "" and after.generated == ""
        if stops_generating:
            # USING is refused for a column that is generated.
            yield from _change_expression(before, after)
        loses_identity = before.identity != "" and after.identity == ""
        is_own = not is_carried and not after.is_inherited and not before.is_inherited
        if is_own and loses_identity:
            yield from change_identity(before, after, world)  # only whole numbers can have one
        elif is_own and after.identity:
            yield from move_identity_inside(before, after)
        is_freed = _is_freed(before, after) and (before.identity == "" or is_own)
        if is_freed:
            # Another type would make the constraint anew, below that of a parent as well.
            yield from change_not_null(before, after, world)
        is_altered_above = is_carried or has_lasting_parent(before, after, world)
        if not is_altered_above and changes_type(before, after, world):
            yield from to_type(before, after, world)
        if before.expression != after.expression and not stops_generating:
            yield from _change_expression(before, after)
        yield from settings(before, after, world)
        if is_freed:
            return
        if is_carried or after.is_inherited or (before.is_inherited and not after.identity):
            # An identity is created and dropped with the parent's, or by the attachment.
            yield from change_not_null(before, after, world)
        elif after.identity:
            # An identity is rejected on a nullable column, and prevents it from becoming nullable.
            yield from change_not_null(before, after, world)
            yield from change_identity(before, after, world)
        else:
            if loses_identity and not is_own:
                yield from change_identity(before, after, world)
            yield from change_not_null(before, after, world)


def _is_freed(before: t.Column, after: t.Column) -> bool:
    return before.not_null is not None and after.not_null is None and after.identity == ""


def uses(schema: Schema, composite: ObjectName) -> Iterator[ObjectName]:
    """The columns of tables that have values of a composite type."""
    for user in schema.dependents.get(composite, ()):
        each = schema.objects[user]
        if isinstance(each, t.Column) and each.relation_kind != "c":
            yield user
        elif each.name.kind in TYPE_KINDS or isinstance(each, t.Column):
            whole = each.part_of if isinstance(each, t.Column) else each.name
            if whole is not None and whole != composite:
                yield from uses(schema, whole)


def _alter_elsewhere(before: t.Column, after: t.Column, world: World) -> Iterator[PlannedStatement]:
    """Of a composite type, or of a materialized view."""
    if after.relation_kind == "m":
        yield from settings(before, after, world)
    elif (before.type, before.collation) != (after.type, after.collation):
        words = f"ALTER ATTRIBUTE {after.column} TYPE {after.type}"
        collation = f" COLLATE {after.collation}" if after.collation is not None else ""
        if after.relation_kind == "c":
            yield alter(after, f"ALTER TYPE {after.relation} {words}{collation}")


def _change_expression(before: t.Column, after: t.Column) -> Iterator[PlannedStatement]:
    prefix = f"ALTER TABLE {after.relation} ALTER COLUMN {after.column}"
    if after.generated == "":
        yield alter(after, f"{prefix} DROP EXPRESSION")
    elif before.expression != after.expression:
        note = "all rows are rewritten while reads and writes are blocked"
        yield alter(
            after,
            f"{prefix} SET EXPRESSION AS ({after.expression})",
            note=note if after.generated == "s" else None,
        )


def _note_new(each: t.Column, default: t.Default | None, world: World) -> str | None:
    if each.not_null is not None and default is None and not each.identity and not each.generated:
        return "fails if the table has rows: the new column has no default"
    if each.generated == "s" or each.identity:
        return "all rows are rewritten while reads and writes are blocked"
    if default is not None and _is_volatile(default, world):
        return "all rows are rewritten: each has a different value"
    return None


_VOLATILE = ("nextval(", "random(", "gen_random_uuid(", "clock_timestamp(", "uuidv4(", "uuidv7(")


def _is_volatile(default: t.Default, world: World) -> bool:
    return any(word in default.expression for word in _VOLATILE) or any(
        name.kind == "function" for name in world.after.requires(default.name)
    )
