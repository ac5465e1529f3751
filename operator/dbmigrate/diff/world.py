"""The state of planning: both schemas, and the action for each object."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from dbmigrate.diff import objects as o
from dbmigrate.diff import tables as t
from dbmigrate.diff.interim import InterimNames
from dbmigrate.diff.names import without_last
from dbmigrate.diff.schema import Schema
from dbmigrate.postgres.schema.catalog import ObjectName

TYPE_KINDS = frozenset(("enum", "domain", "composite type", "range"))


class ObjectAction(IntEnum):
    """The action for an object; the higher one wins."""

    KEEP = 0
    ALTER = 1
    REPLACE = 2
    """Drop it and create it again."""
    REBIRTH = 3
    """Of a type that columns have: rename the old one, create the new one, move the columns
    over, drop the old one."""
    DROP = 4
    CREATE = 5


class Actions(dict[ObjectName, ObjectAction]):
    """The actions for the objects that are not kept unchanged: usually few."""

    def __missing__(self, name: ObjectName) -> ObjectAction:
        return ObjectAction.KEEP


@dataclass(slots=True)
class World:
    """Both schemas, side by side."""

    before: Schema
    after: Schema
    online: bool
    actions: Actions = field(default_factory=Actions)
    forced: set[ObjectName] = field(default_factory=set)
    """Objects that are replaced only because of what they require."""

    interim: InterimNames = field(init=False)
    _owners: dict[tuple[str, str], set[tuple[str, str, str]]] = field(default_factory=dict)
    """Who has a constraint, by the schema and its name."""
    _routines: dict[str, list[o.Routine]] = field(default_factory=dict)
    """Those that were there, by their names without arguments."""

    def __post_init__(self) -> None:
        self.interim = InterimNames(self.before, self.after)

    @property
    def version(self) -> int:
        """The server's major version."""
        return self.after.ways.version // 10000

    def is_shared(self, relation: str, name: str) -> bool:
        """Whether another table of the schema has a constraint of that name, before or after."""
        if not self._owners:
            for each in (*self.before.objects.values(), *self.after.objects.values()):
                found = _constraint_name(each)
                if found is not None:
                    self._owners.setdefault((without_last(found[0]), found[1]), set()).add(found)
        return len(self._owners.get((without_last(relation), name), ())) > 1

    def is_new(self, name: ObjectName) -> bool:
        """Whether the plan creates it, so that it is not in use yet."""
        return self.actions[name] in (
            ObjectAction.CREATE,
            ObjectAction.REPLACE,
            ObjectAction.REBIRTH,
        )

    def is_going(self, name: ObjectName) -> bool:
        """Whether the plan drops it, perhaps to create it again."""
        return self.actions[name] in (ObjectAction.DROP, ObjectAction.REPLACE, ObjectAction.REBIRTH)

    def overloaded_by(self, name: ObjectName) -> frozenset[ObjectName]:
        """Functions that have to be dropped before a new one of their name is created: with default
        arguments a call could mean either."""
        new = self.after.objects.get(name)
        if not isinstance(new, o.Routine) or name in self.before.objects:
            return frozenset()
        if not self._routines:
            for each in self.before.objects.values():
                if isinstance(each, o.Routine):
                    called = _without_arguments(each.name)
                    self._routines.setdefault(called, []).append(each)
        same = self._routines.get(_without_arguments(name), ())
        return frozenset(
            old.name
            for old in same
            if old.name not in self.after.objects and (old.defaults or new.defaults)
        )

    def has_to_be_slow(self, table: str) -> bool:
        """Whether a relation is in use, so that long locks are to be avoided."""
        name = ObjectName("table", table)
        return self.online and name in self.before.objects and not self.is_new(name)

    def is_moving(self, table: str) -> bool:
        """Whether the plan attaches or detaches the table, or creates it."""
        attachment = self.actions[ObjectName("partition", table)]
        return (
            self.is_new(ObjectName("table", table))
            or attachment is not ObjectAction.KEEP
            or set(parents(self.before, table)) != set(parents(self.after, table))
        )

    def keeps(self, table: str, parent: str) -> bool:
        """Whether a child of several tables stays the child of this one."""
        is_new = self.is_new(ObjectName("table", table))
        is_attached = self.actions[ObjectName("partition", table)] is not ObjectAction.KEEP
        return (
            not is_new
            and not is_attached
            and all(parent in parents(schema, table) for schema in (self.before, self.after))
        )

    def is_retyped(self, table: t.Table) -> bool:
        """Whether the type of a typed table is altered."""
        whole = ObjectName("composite type", table.of_type or "")
        return any(
            self.actions[part.name] is not ObjectAction.KEEP
            for schema in (self.before, self.after)
            for part in (*parts(schema, whole), *filter(None, [schema.objects.get(whole)]))
        )

    def comes_back(self, each: o.SchemaObject, whole: ObjectName, schema: Schema) -> bool:
        """Whether the object needs something that needs its own whole: a function of the
        table's rows, in one of the table's checks. One statement can't make or drop both."""
        wholes = {whole, *(part.name for part in parts(schema, whole))}
        waiting = [name for name in each.requires if name not in wholes]
        seen = set(waiting)
        while waiting:
            name = waiting.pop()
            needed = set(schema.requires(name))
            goes_along = self.is_new(name) if schema is self.after else self.is_going(name)
            if name.kind == "table" and goes_along:
                for part in parts(schema, name):
                    needed |= _needed_along(part, schema)
            if not wholes.isdisjoint(needed):
                return True
            waiting += needed - seen
            seen |= needed
        return False

    def carrier(self, each: o.SchemaObject, schema: Schema) -> ObjectName | None:
        """The table whose statement creates, alters or drops an inherited part; None: its own."""
        found = _carrier(each, schema)
        if found is None or found not in schema.objects:
            return None
        table = each.relation if isinstance(each, t.Column) else _table(each)
        if not self.is_moving(table) or self.keeps(table, without_last(found.name)):
            return None if _is_ahead(each, schema.objects[found]) else found
        is_partition = ObjectName("partition", table) in schema.objects
        # A new child has it by INHERITS; a partition has to have it before it is attached.
        is_by_creation = schema is self.after and not is_partition
        return found if is_by_creation and self.is_new(ObjectName("table", table)) else None


def checks_below(schema: Schema, each: t.Constraint) -> Iterator[t.Constraint]:
    """The checks that partitions and children inherit from a check, at every level."""
    for user in schema.dependents.get(ObjectName("table", each.table), ()):
        child = user.name if user.kind in ("partition", "table") else each.table
        if child == each.table or each.table not in parents(schema, child):
            continue
        found = schema.objects.get(ObjectName("constraint", f"{child}.{each.constraint}"))
        if isinstance(found, t.Constraint) and found.is_inherited and found.type == "c":
            yield found
            yield from checks_below(schema, found)


def is_behind(schema: Schema, each: t.Constraint) -> bool:
    """Whether a check is not validated, and one that a child inherits from it is."""
    if each.type != "c" or each.is_validated:
        return False
    return any(child.is_validated for child in checks_below(schema, each))


def inherited_from(schema: Schema, each: t.Constraint) -> ObjectName | None:
    """The parent's constraint that a child's belongs to; a key's is found by its index."""
    if each.is_inherited and not each.has_index:
        for parent in parents(schema, each.table):
            name = ObjectName("constraint", f"{parent}.{each.constraint}")
            if name in schema.objects:
                return name
    return None


def index_above(schema: Schema, each: t.Constraint | t.Index) -> ObjectName | None:
    """What has the partitioned index that the index of this one is a part of."""
    index = each.name.name if isinstance(each, t.Index) else each.index
    attachment = ObjectName("index partition", index or "")
    if attachment in schema.objects:
        for name in schema.requires(attachment) - {each.name}:
            if name.kind in ("constraint", "index"):
                return name
    return None


def attachments_below(schema: Schema, whole: ObjectName) -> Iterator[ObjectName]:
    """What has to be attached before a partitioned index is valid, at every level."""
    for user in schema.dependents.get(whole, ()):
        each = schema.objects[user]
        if not isinstance(each, t.IndexAttachment):
            continue
        for part in schema.requires(user) - {whole}:
            found = schema.objects.get(part)
            if isinstance(found, t.Constraint | t.Index) and index_above(schema, found) == whole:
                yield user
                yield ObjectName("partition", each.child_table)
                yield from attachments_below(schema, part)


def parents(schema: Schema, table: str) -> tuple[str, ...]:
    """The tables that a table inherits its columns from."""
    attachment = schema.objects.get(ObjectName("partition", table))
    if isinstance(attachment, t.Attachment):
        return (attachment.parent,)
    found = schema.objects.get(ObjectName("table", table))
    return found.inherits if isinstance(found, t.Table) else ()


def _needed_along(part: o.SchemaObject, schema: Schema) -> set[ObjectName]:
    """What a part of a table needs, if the table's own statement creates or drops it."""
    if isinstance(part, t.Column):
        default = schema.objects.get(ObjectName("default", part.name.name))
        return {*part.requires, *(default.requires if default is not None else ())}
    if isinstance(part, t.Constraint) and part.type != "f":
        return set(part.requires)
    return set()


def _constraint_name(each: o.SchemaObject) -> tuple[str, str, str] | None:
    """Relation, constraint, and for NOT NULL the column."""
    if isinstance(each, t.Constraint):
        return each.table, each.constraint, ""
    if isinstance(each, t.Column) and each.not_null is not None and each.not_null.name is not None:
        return each.relation, each.not_null.name, each.column
    return None


def _without_arguments(name: ObjectName) -> str:
    return name.name.rpartition("(")[0]


def _table(each: o.SchemaObject) -> str:
    return each.table if isinstance(each, t.Constraint | t.Index) else ""


def _is_ahead(each: o.SchemaObject, parent: o.SchemaObject) -> bool:
    """Whether a check is validated and its parent's, which is inherited, is not."""
    if not isinstance(each, t.Constraint) or not isinstance(parent, t.Constraint):
        return False
    return each.type == "c" and each.is_validated and not parent.is_validated


def _carrier(each: o.SchemaObject, schema: Schema) -> ObjectName | None:
    if isinstance(each, t.Column):
        for parent in parents(schema, each.relation):
            name = ObjectName("column", f"{parent}.{each.column}")
            if name in schema.objects:
                return name
    elif isinstance(each, t.Constraint):
        return inherited_from(schema, each)
    return None


def parts(schema: Schema, whole: ObjectName) -> Iterator[o.SchemaObject]:
    """What is created and dropped with an object."""
    for name in schema.dependents.get(whole, ()):
        each = schema.objects[name]
        if each.part_of == whole:
            yield each
