"""The action for each object: first by itself, then by its dependencies.

PostgreSQL refuses to drop what others depend on, and to change the type of a column that a
view or a policy reads. CASCADE would silently drop those as well. So the dependent objects
are dropped before, and created again afterwards, by statements of their own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from functools import partial

from dbmigrate.diff import objects as o
from dbmigrate.diff import tables as t
from dbmigrate.diff.attributes import revoked_above
from dbmigrate.diff.kinds.column_type import changes_type
from dbmigrate.diff.kinds.columns import uses
from dbmigrate.diff.kinds.not_null import left_by_parent
from dbmigrate.diff.kinds.registry import kind_of
from dbmigrate.diff.kinds.tables import retyped_with_others
from dbmigrate.diff.names import mentions
from dbmigrate.diff.schema import Schema
from dbmigrate.diff.world import (
    TYPE_KINDS,
    ObjectAction,
    World,
    checks_below,
    inherited_from,
    parts,
)
from dbmigrate.postgres.schema.catalog import ObjectName

_TYPES = (o.EnumType, o.Domain, o.Composite, o.RangeType)
_STORED = frozenset("rp")


def decide(world: World) -> None:
    """Set the world's actions."""
    before, after = world.before.objects, world.after.objects
    actions = world.actions
    for name in before.keys() - after.keys():
        actions[name] = ObjectAction.DROP
    for name in after.keys() - before.keys():
        actions[name] = ObjectAction.CREATE
    for name, old in before.items():
        new = after.get(name)
        if new is None or new is old:
            continue
        if old.part_of != new.part_of:
            # Of a view that becomes a table of the same name.
            actions[name] = ObjectAction.REPLACE
        elif old != new:
            can_alter = kind_of(new).can_alter(old, new, world)
            actions[name] = ObjectAction.ALTER if can_alter else ObjectAction.REPLACE
    _detach_for_names(world)
    _untie_from_types(world)
    _untie_from_parents(world)
    _replace_contained_domains(world)
    _grant_columns_again(world)
    _Spread(world).run()


def _detach_for_names(world: World) -> None:
    """An inherited NOT NULL can't be renamed: its partition is detached, and attached again."""
    for name, old in world.before.objects.items():
        new = world.after.objects.get(name)
        if not isinstance(old, t.Column) or not isinstance(new, t.Column) or new is old:
            continue
        partition = ObjectName("partition", old.relation)
        if partition not in world.before.objects or partition not in world.after.objects:
            continue
        above = world.after.objects.get(world.carrier(new, world.after) or name)
        left = left_by_parent(old, new, world)
        if not isinstance(above, t.Column) or above is new or above.not_null is None:
            continue
        if left is not None and new.not_null is not None and left.name != new.not_null.name:
            world.actions[partition] = ObjectAction.REPLACE


def _untie_from_types(world: World) -> None:
    """The type of a typed table can only be altered while it has no such table."""
    for name, old in world.before.objects.items():
        if isinstance(old, t.Table) and name in world.after.objects and world.is_retyped(old):
            world.actions[name] = max(world.actions[name], ObjectAction.ALTER)


def _untie_from_parents(world: World) -> None:
    """A child is below one parent alone while the type of a column changes that it has of two."""
    for name, old in world.before.objects.items():
        new = world.after.objects.get(name)
        if not isinstance(old, t.Table) or not isinstance(new, t.Table):
            continue
        if retyped_with_others(old, new, world):
            world.actions[name] = max(world.actions[name], ObjectAction.ALTER)


def _replace_contained_domains(world: World) -> None:
    """A condition can't be added to a domain that an array or a row of some table contains."""
    for name, old in world.before.objects.items():
        new = world.after.objects.get(name)
        if not isinstance(old, o.Domain) or not isinstance(new, o.Domain):
            continue
        is_narrower = new.not_null is not None and old.not_null is None
        conditions = (part.name for part in parts(world.after, name))
        is_narrower |= any(world.actions[each] is not ObjectAction.KEEP for each in conditions)
        if is_narrower and any(map(partial(_is_contained, name), (world.before, world.after))):
            world.actions[name] = ObjectAction.REPLACE


def _grant_columns_again(world: World) -> None:
    """REVOKE from a table takes the privileges of its columns along."""
    for name, new in world.after.objects.items():
        if not isinstance(new, t.Column) or not new.grants or name not in world.before.objects:
            continue
        if {(each.grantee, each.privilege) for each in new.grants} & revoked_above(new, world):
            world.actions[name] = max(world.actions[name], ObjectAction.ALTER)


def _is_contained(domain: ObjectName, schema: Schema) -> bool:
    for user in schema.dependents.get(domain, ()):
        each = schema.objects[user]
        if isinstance(each, t.Column):
            whole = each.part_of
            if each.relation_kind == "c" and whole is not None and any(uses(schema, whole)):
                return True
            if each.relation_kind in "rpm" and each.type != domain.name:
                return True
        elif isinstance(each, o.RangeType) and any(uses(schema, user)):
            return True
    return False


def replace_instead(world: World, names: Iterable[ObjectName]) -> None:
    """Drop and create what would otherwise be altered, and what depends on it."""
    spread = _Spread(world)
    for name in names:
        spread.replace(name)
    spread.run()


class _Spread:
    """From each object that is dropped or changed to its dependent objects."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._moved: set[ObjectName] = set()
        self._owned: dict[str, list[ObjectName]] = {}
        for each in world.before.objects.values():
            if isinstance(each, o.Sequence) and each.owned_by is not None:
                self._owned.setdefault(each.owned_by, []).append(each.name)
        self._waiting = deque(
            sorted(name for name, action in world.actions.items() if _spreads(action))
        )

    def replace(self, name: ObjectName) -> None:
        self._raise(name, ObjectAction.REPLACE)

    def run(self) -> None:
        self._let_go_of_index_parts()
        while self._waiting:
            name = self._waiting.popleft()
            for user in self._world.before.dependents.get(name, ()):
                self._react(user, name)
            if name.kind == "column":
                self._check_partition_key(name)
            if name.kind == "constraint" and self._world.is_going(name):
                self._move_checks_along(name)
            if name.kind == "column" and self._world.is_going(name):
                for sequence in self._owned.get(name.name, ()):
                    if self._world.before.objects[sequence] == self._world.after.objects.get(
                        sequence
                    ):
                        self._raise(sequence, ObjectAction.REPLACE)

    def _let_go_of_index_parts(self) -> None:
        """An index that is a part of another remains so until one of them is dropped."""
        world = self._world
        both = world.before.objects.keys() & world.after.objects.keys()
        for name, action in list(world.actions.items()):
            each = world.before.objects.get(name)
            goes = action in (ObjectAction.DROP, ObjectAction.REPLACE)
            if not goes or not isinstance(each, t.IndexAttachment):
                continue
            if world.is_moving(each.child_table):
                continue
            for part in sorted(world.before.requires(name) & both):
                if part.kind in ("constraint", "index"):
                    self._raise(part, ObjectAction.REPLACE)

    def _check_partition_key(self, name: ObjectName) -> None:
        """The type of a column of a partition key cannot be changed: the table is created again.

        Its partitions, which hold the rows, are detached and attached again.
        """
        world = self._world
        old, new = world.before.objects[name], world.after.objects.get(name)
        if not isinstance(old, t.Column) or not isinstance(new, t.Column) or old.part_of is None:
            return
        table = world.before.objects[old.part_of]
        key = table.partition_key if isinstance(table, t.Table) else None
        is_in_key = key is not None and mentions(key, old.column)
        if is_in_key and table.name in world.after.objects and changes_type(old, new, world):
            self._raise(table.name, ObjectAction.REPLACE)

    def _move_checks_along(self, name: ObjectName) -> None:
        """An inherited check is dropped with its parent's only. The new one may not restore it."""
        world = self._world
        each = world.before.objects[name]
        if not isinstance(each, t.Constraint) or each.type != "c":
            return
        above = inherited_from(world.before, each)
        is_tied = not world.is_moving(each.table)
        if is_tied and above is not None and above in world.after.objects:
            self._raise(above, ObjectAction.REPLACE)
        for child in checks_below(world.before, each):
            wanted = world.after.objects.get(child.name)
            if wanted is None or world.is_moving(child.table):
                continue
            if world.carrier(wanted, world.after) is None:
                self._raise(child.name, ObjectAction.REPLACE)

    def _raise(self, name: ObjectName, action: ObjectAction) -> None:
        actions = self._world.actions
        if action is ObjectAction.REPLACE:
            self._world.forced.add(name)
        if actions[name] >= action:
            return
        actions[name] = action
        self._waiting.append(name)

    def _react(self, user: ObjectName, what: ObjectName) -> None:
        """`user` requires `what`, which changes."""
        world = self._world
        each = world.before.objects[user]
        if isinstance(each, t.Index) and (
            world.is_going(what) or self._would_be_built_again(each, what)
        ):
            world.forced.add(user)
        if user not in world.after.objects:
            self._hurry(user, what)
            return
        changed = world.before.objects[what]
        action = world.actions[what]
        if isinstance(each, t.Attachment) and not isinstance(changed, t.Table):
            return  # what both tables have only has to exist before they are attached
        if action is ObjectAction.ALTER:
            if kind_of(changed).disturbs(changed, world.after.objects[what], each, world):
                self._replace(each)
        elif action is ObjectAction.DROP:
            self._react_to_drop(each, what)
        elif isinstance(each, t.Column) and isinstance(changed, _TYPES):
            self._move_column(each, what)
        elif isinstance(each, o.Domain | o.RangeType | o.Composite) and isinstance(changed, _TYPES):
            self._raise(user, ObjectAction.REPLACE)
        elif isinstance(each, t.IndexAttachment):
            self._replace_part(each, what)
        elif not self._can_be_altered_away(user, what):
            self._replace(each)

    def _react_to_drop(self, each: o.SchemaObject, what: ObjectName) -> None:
        if isinstance(each, t.Column) and self._is_taken_over(each, what):
            self._move_column(each, what)
        elif isinstance(each, t.Column | t.Table):
            return
        elif (
            self._world.actions[each.name] is ObjectAction.KEEP
            or self._has_successor(each.name, what)
            or self._gives_rows(each, what)
        ):
            self._replace(each)

    def _would_be_built_again(self, index: t.Index, what: ObjectName) -> bool:
        """Whether an index that is to be dropped is on a column whose type changes.

        PostgreSQL would build it for the new type first, or fail to.
        """
        world = self._world
        old, new = world.before.objects[what], world.after.objects.get(what)
        if not isinstance(old, t.Column) or not isinstance(new, t.Column):
            return False
        return world.is_going(index.name) and changes_type(old, new, world)

    def _gives_rows(self, each: o.SchemaObject, what: ObjectName) -> bool:
        """Whether a function's body has to fit the rows of a table with and without a column."""
        whole = self._world.before.objects[what].part_of
        is_checked = isinstance(each, o.Routine) and not each.has_text_body
        return is_checked and what.kind == "column" and whole in each.requires

    def _has_successor(self, user: ObjectName, what: ObjectName) -> bool:
        """Whether `user` keeps a function next to which calls of `what` are ambiguous."""
        world = self._world
        return any(what in world.overloaded_by(each) for each in world.after.requires(user))

    def _hurry(self, user: ObjectName, what: ObjectName) -> None:
        """What is dropped anyway has to be gone before `what` is altered, if it depends on it."""
        world = self._world
        old, new = world.before.objects[what], world.after.objects.get(what)
        if new is None or world.actions[what] is not ObjectAction.ALTER:
            return
        if kind_of(old).disturbs(old, new, world.before.objects[user], world):
            world.forced.add(user)

    def _can_be_altered_away(self, user: ObjectName, what: ObjectName) -> bool:
        """Whether its own change removes its dependency before `what` is dropped."""
        world = self._world
        return world.actions[user] is ObjectAction.ALTER and what not in world.after.requires(user)

    def _replace(self, each: o.SchemaObject) -> None:
        """The object that this one is a part of, if it cannot exist by itself."""
        is_of_view = isinstance(each, t.Column) and each.relation_kind not in _STORED
        if is_of_view and each.part_of is not None and each.part_of in self._world.after.objects:
            self._raise(each.part_of, ObjectAction.REPLACE)
        self._raise(each.name, ObjectAction.REPLACE)

    def _replace_part(self, each: t.IndexAttachment, what: ObjectName) -> None:
        """A partitioned index drops its parts."""
        self._raise(each.name, ObjectAction.REPLACE)
        for part in self._world.before.requires(each.name) - {what}:
            if part in self._world.after.objects and part.name.endswith(each.child.split(".")[-1]):
                self._raise(part, ObjectAction.REPLACE)

    def _is_taken_over(self, column: t.Column, type_name: ObjectName) -> bool:
        """Whether another kind of type takes the name: a domain for an enum."""
        if column.relation_kind not in _STORED or type_name.kind not in TYPE_KINDS:
            return False
        now = self._world.after.requires(column.name)
        return any(name.name == type_name.name and name.kind in TYPE_KINDS for name in now)

    def _move_column(self, column: t.Column, type_name: ObjectName) -> None:
        if column.relation_kind not in _STORED:
            self._replace(column)
            return
        # A renamed range keeps its functions' names, which the new one needs.
        is_range = type_name.kind == "range"
        self._world.actions[type_name] = ObjectAction.REPLACE if is_range else ObjectAction.REBIRTH
        if column.name not in self._moved:
            self._moved.add(column.name)
            self._raise(column.name, ObjectAction.ALTER)
            self._waiting.append(column.name)


def _spreads(action: ObjectAction) -> bool:
    return action in (ObjectAction.ALTER, ObjectAction.REPLACE, ObjectAction.DROP)
