"""Indexes, built without blocking the table where PostgreSQL can.

CREATE INDEX CONCURRENTLY is rejected for partitioned tables. There the index is created on
the parent alone, which is cheap and leaves it invalid, then on each partition, and each of
those is attached; with the last one the parent's becomes valid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dbmigrate.diff import tables as t
from dbmigrate.diff.kinds.kind import ObjectKind, alter, create, drop
from dbmigrate.diff.names import unquoted, without_last
from dbmigrate.diff.step import Mode, PlannedStatement, Slot
from dbmigrate.diff.world import ObjectAction, World
from dbmigrate.postgres.schema.catalog import ObjectName
from dbmigrate.postgres.sqltext.quoting import literal


class Indexes(ObjectKind[t.Index]):
    """Indexes that do not belong to a constraint."""

    def can_alter(self, before: t.Index, after: t.Index, world: World) -> bool:
        """Only what does not rebuild it; an invalid one has to be rebuilt."""
        is_same = before.definition == after.definition and before.table == after.table
        return is_same and (before.is_valid or before.is_valid == after.is_valid)

    def create(self, each: t.Index, world: World) -> Iterator[PlannedStatement]:
        sql = each.definition
        if _is_concurrent(each, world):
            yield create(each, concurrently(sql), mode=Mode.ALONE)
        else:
            slow = table_is_slow(each.table, world) and each.table_kind != "p"
            note = "writes to the table are blocked until it is built" if slow else None
            yield create(each, sql, note=note, after=tuple(_attached_before(each, world)))
        yield from _statistics((), each)
        yield from mark_statements(None, each)

    def drop(self, each: t.Index, world: World) -> Iterator[PlannedStatement]:
        if _parent_goes(each, world):
            return
        step = drop(each, f"DROP {each.address}")
        # If it blocks another statement, it has to be dropped in that one's transaction.
        if _is_concurrent(each, world) and each.name not in world.forced:
            sql = f"DROP INDEX CONCURRENTLY {each.name.name}"
            step = replace(step, sql=sql, mode=Mode.ALONE)
        yield step

    def alter(self, before: t.Index, after: t.Index, world: World) -> Iterator[PlannedStatement]:
        yield from _statistics(before.statistics, after)
        yield from mark_statements(before, after)

    def swaps(self, before: t.Index, after: t.Index, world: World) -> bool:
        """Not where it blocks something else, or is a part of another index."""
        is_free = before.name not in world.forced and before.table == after.table
        is_part = before.parent is not None or after.parent is not None
        is_in_use = _is_concurrent(before, world) and _is_concurrent(after, world)
        return is_free and is_in_use and not is_part

    def swap(self, before: t.Index, after: t.Index, world: World) -> Iterator[PlannedStatement]:
        """Under another name at first, so that queries always have one of them."""
        schema, name = without_last(after.name.name), unquoted(after.index)
        other = world.interim.choose(after.name, name, "", "new")
        building = after.definition.replace(f"INDEX {after.index} ON", f"INDEX {other} ON", 1)
        yield create(after, concurrently(building), mode=Mode.ALONE)
        old = create(before, f"DROP INDEX CONCURRENTLY {before.name.name}", mode=Mode.ALONE)
        yield replace(old, action="drop")
        rename = create(after, f"ALTER INDEX {schema}.{other} RENAME TO {after.index}")
        yield replace(rename, action="rename")
        yield from _statistics((), after)
        yield from mark_statements(None, after)


class IndexAttachments(ObjectKind[t.IndexAttachment]):
    """Parts of partitioned indexes. A partition that is attached brings its own."""

    def create(self, each: t.IndexAttachment, world: World) -> Iterator[PlannedStatement]:
        parent = world.after.objects.get(ObjectName("index", each.parent))
        is_partial = isinstance(parent, t.Index) and not parent.is_valid
        if is_partial or not world.is_moving(each.child_table):
            yield create(each, f"ALTER INDEX {each.parent} ATTACH PARTITION {each.child}")

    def drop(self, each: t.IndexAttachment, world: World) -> Iterator[PlannedStatement]:
        return iter(())


def _attached_before(each: t.Index, world: World) -> Iterator[ObjectName]:
    """The partitions that get no part of an index of their parent alone."""
    if each.table_kind != "p" or each.is_valid:
        return
    for user in world.after.dependents.get(ObjectName("table", each.table), ()):
        found = world.after.objects[user]
        if isinstance(found, t.Attachment) and found.parent == each.table:
            yield user


def concurrently(definition: str) -> str:
    """The same index, built without blocking the table."""
    head, _, tail = definition.partition("INDEX ")
    return f"{head}INDEX CONCURRENTLY {tail}"


def mark_statements(
    before: t.Index | t.Constraint | None, after: t.Index | t.Constraint
) -> Iterator[PlannedStatement]:
    """That a table is clustered by it, or uses it as replica identity."""
    index = after.index if isinstance(after, t.Index) else after.constraint
    if after.is_clustered and not (before is not None and before.is_clustered):
        sql = f"ALTER TABLE {after.table} CLUSTER ON {index}"
        yield alter(after, sql, slot=Slot.FINISH)
    elif before is not None and before.is_clustered and not after.is_clustered:
        yield alter(after, f"ALTER TABLE {after.table} SET WITHOUT CLUSTER")
    if isinstance(after, t.Constraint):
        old = before.index_comment if isinstance(before, t.Constraint) else None
        if old != after.index_comment:
            text = literal(after.index_comment).strip()
            sql = f"COMMENT ON INDEX {after.index} IS {text}"
            yield alter(after, sql, slot=Slot.ATTRIBUTE, action="comment")
    if after.is_replica_identity and not (before is not None and before.is_replica_identity):
        sql = f"ALTER TABLE {after.table} REPLICA IDENTITY USING INDEX {index}"
        yield alter(after, sql, slot=Slot.FINISH)


def table_is_slow(table: str, world: World) -> bool:
    """Whether the table, or the materialized view, is already in use."""
    return world.has_to_be_slow(table)


def _is_concurrent(each: t.Index, world: World) -> bool:
    return each.table_kind != "p" and table_is_slow(each.table, world)


def _statistics(before: tuple[str, ...], after: t.Index) -> Iterator[PlannedStatement]:
    prefix = f"ALTER INDEX {after.name.name} ALTER COLUMN"
    new = {each.partition(" ")[0] for each in after.statistics}
    for each in before:
        if each.partition(" ")[0] not in new:
            yield alter(after, f"{prefix} {each.partition(' ')[0]} SET STATISTICS -1")
    for each in after.statistics:
        if each not in before:
            number, _, target = each.partition(" ")
            sql = f"{prefix} {number} SET STATISTICS {target}"
            yield alter(after, sql, slot=Slot.FINISH)


def _parent_goes(each: t.Index, world: World) -> bool:
    attachment = ObjectName("index partition", each.name.name)
    if attachment not in world.before.objects or world.is_moving(each.table):
        return False
    return any(
        world.actions[name] in (ObjectAction.DROP, ObjectAction.REPLACE)
        for name in world.before.requires(attachment)
        if name != each.name
    )
