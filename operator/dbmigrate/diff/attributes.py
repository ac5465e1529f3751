"""Owner, privileges and comment: attributes that any object may have."""

from __future__ import annotations

from collections.abc import Iterator

from dbmigrate.diff import objects as o
from dbmigrate.diff import tables as t
from dbmigrate.diff.grants import change_grants, with_owner
from dbmigrate.diff.kinds.default_privileges import initial_grants
from dbmigrate.diff.kinds.kind import alter
from dbmigrate.diff.step import PlannedStatement, Slot
from dbmigrate.diff.world import World
from dbmigrate.postgres.sqltext.quoting import literal

_WORDS = {
    "r": "TABLE",
    "s": "SEQUENCE",
    "n": "SCHEMA",
    "f": "FUNCTION",
    "T": "TYPE",
    "F": "FOREIGN DATA WRAPPER",
    "S": "FOREIGN SERVER",
}


def change_attributes(
    before: o.SchemaObject | None, after: o.SchemaObject, world: World
) -> Iterator[PlannedStatement]:
    """From the present object to the desired one. `before` None: it has just been created."""
    if isinstance(after, o.DefaultPrivileges):
        return
    owner = before.owner if before is not None else world.before.ways.role
    if after.owner is not None and after.owner != owner and not _follows_table(before, after):
        yield _attribute(after, f"ALTER {after.address} OWNER TO {after.owner}", "own")
    for sql in _change_grants(before, after, owner, world):
        yield _attribute(after, sql, "grant")
    if after.comment != (before.comment if before is not None else None):
        text = literal(after.comment).strip()
        yield _attribute(after, f"COMMENT ON {after.address} IS {text}", "comment")


def _attribute(each: o.SchemaObject, sql: str, action: str) -> PlannedStatement:
    return alter(each, sql, slot=Slot.ATTRIBUTE, action=action)


def _follows_table(before: o.SchemaObject | None, after: o.SchemaObject) -> bool:
    """A sequence that belongs to a column has its table's owner."""
    if not isinstance(after, o.Sequence) or after.owned_by is None:
        return False
    was_owned = isinstance(before, o.Sequence) and before.owned_by == after.owned_by
    return after.is_identity or was_owned


def _change_grants(
    before: o.SchemaObject | None, after: o.SchemaObject, owner: str | None, world: World
) -> Iterator[str]:
    if isinstance(after, t.Column):
        old = before.grants if before is not None else None
        if old != after.grants or (old and revoked_above(after, world)):
            nothing: o.Grants = frozenset()
            gone = revoked_above(after, world)
            old = frozenset(one for one in old or () if (one.grantee, one.privilege) not in gone)
            target = f"TABLE {after.relation}"
            yield from change_grants(
                old or nothing, after.grants or nothing, target, column=after.column
            )
        return
    kind = after.acl_kind
    if kind is None:
        return
    if before is None:
        had = initial_grants(after, world)
    elif before.grants == after.grants and before.owner == after.owner:
        return
    else:
        had = _effective(before, kind, world)
    wanted = _effective(after, kind, world)
    yield from change_grants(with_owner(had, owner, after.owner), wanted, _target(after, kind))


def revoked_above(column: t.Column, world: World) -> frozenset[tuple[str, str]]:
    """The privileges that are revoked from the table, and so from its columns, too."""
    if column.part_of is None or column.part_of not in world.before.objects:
        return frozenset()
    old, new = (schema.objects.get(column.part_of) for schema in (world.before, world.after))
    if old is None or new is None or world.is_new(column.part_of):
        return frozenset()
    had, wanted = old.grants or frozenset(), new.grants or frozenset()
    kept = {(each.grantee, each.privilege) for each in wanted}
    return frozenset((each.grantee, each.privilege) for each in had) - kept


def _effective(each: o.SchemaObject, kind: str, world: World) -> o.Grants:
    if each.grants is not None:
        return each.grants
    return world.after.ways.grants_by_default(kind, each.owner)


def _target(each: o.SchemaObject, kind: str) -> str:
    if isinstance(each, o.Aggregate):
        # A function here: without a star for no argument, and without ORDER BY.
        return f"FUNCTION {each.name.name}"
    if isinstance(each, o.Routine):
        return each.address
    return f"{_WORDS[kind]} {each.name.name}"
