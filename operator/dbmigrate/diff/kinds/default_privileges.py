"""ALTER DEFAULT PRIVILEGES.

An entry without a schema replaces the built-in defaults, and disappears when it is equal to
them; one with a schema is added to those.
"""

from __future__ import annotations

from collections.abc import Iterator

from dbmigrate.diff import objects as o
from dbmigrate.diff.grants import change_grants
from dbmigrate.diff.kinds.kind import ObjectKind, alter, create, drop
from dbmigrate.diff.schema import Schema
from dbmigrate.diff.step import PlannedStatement
from dbmigrate.diff.world import World
from dbmigrate.postgres.schema.catalog import ObjectName

_OBJECTS = {
    "r": "TABLES",
    "S": "SEQUENCES",
    "f": "FUNCTIONS",
    "T": "TYPES",
    "n": "SCHEMAS",
    "L": "LARGE OBJECTS",
}
_TYPES = {"r": "r", "s": "S", "f": "f", "T": "T", "n": "n", "L": "L"}


class DefaultPrivilegesKind(ObjectKind[o.DefaultPrivileges]):
    """They come last, so that the plan's objects are created under the old ones."""

    def can_alter(
        self, before: o.DefaultPrivileges, after: o.DefaultPrivileges, world: World
    ) -> bool:
        return True

    def create(self, each: o.DefaultPrivileges, world: World) -> Iterator[PlannedStatement]:
        base = _base(each, world.after)
        yield from (create(each, sql) for sql in _statements(each, base, each.grants))

    def drop(self, each: o.DefaultPrivileges, world: World) -> Iterator[PlannedStatement]:
        base = _base(each, world.before)
        yield from (drop(each, sql) for sql in _statements(each, each.grants, base))

    def alter(
        self, before: o.DefaultPrivileges, after: o.DefaultPrivileges, world: World
    ) -> Iterator[PlannedStatement]:
        for sql in _statements(after, before.grants, after.grants):
            yield alter(after, sql)


def initial_grants(each: o.SchemaObject, world: World) -> o.Grants:
    """The privileges of an object that the current role has just created."""
    schema, role, kind = world.before, world.before.ways.role, each.acl_kind or ""
    if kind in "FS":
        return schema.ways.grants_by_default(kind, role)
    found = _entry(schema, role, None, kind)
    grants = schema.ways.grants_by_default(kind, role) if found is None else found
    if each.schema is not None:
        grants |= _entry(schema, role, each.schema, kind) or frozenset()
    return grants


def _entry(schema: Schema, role: str, namespace: str | None, kind: str) -> o.Grants | None:
    place = f" in {namespace}" if namespace is not None else ""
    name = ObjectName("default privileges", f"of {role}{place} on {_TYPES.get(kind, kind)}")
    found = schema.objects.get(name)
    return found.grants if found is not None else None


def _base(each: o.DefaultPrivileges, schema: Schema) -> o.Grants:
    if each.schema is not None:
        return frozenset()
    kind = next(kind for kind, letter in _TYPES.items() if letter == each.object_type)
    return schema.ways.grants_by_default(kind, each.role)


def _statements(
    each: o.DefaultPrivileges, before: o.Grants | None, after: o.Grants | None
) -> Iterator[str]:
    place = f" IN SCHEMA {each.schema}" if each.schema is not None else ""
    prefix = f"ALTER DEFAULT PRIVILEGES FOR ROLE {each.role}{place}"
    nothing: o.Grants = frozenset()
    target = _OBJECTS[each.object_type]
    for sql in change_grants(before or nothing, after or nothing, target):
        yield f"{prefix} {sql}"
