"""Schemas, extensions, sequences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dbmigrate.diff import objects as o
from dbmigrate.diff.kinds.counting import (
    go_on_behind_rows,
    heir_of,
    lies_apart,
    move_inside,
    newly_numbered,
    parked_name,
)
from dbmigrate.diff.kinds.identity import settings_clauses, with_type
from dbmigrate.diff.kinds.kind import ObjectKind, alter, create, drop
from dbmigrate.diff.names import without_last
from dbmigrate.diff.step import PlannedStatement, Slot
from dbmigrate.diff.world import World
from dbmigrate.postgres.schema.catalog import ObjectName


class Namespaces(ObjectKind[o.Namespace]):
    """Schemas; their content is dropped by name before."""

    def create(self, each: o.Namespace, world: World) -> Iterator[PlannedStatement]:
        yield create(each, f"CREATE {each.address}")


class Extensions(ObjectKind[o.Extension]):
    """Extensions. The version is named only where it is not the server's default."""

    def can_alter(self, before: o.Extension, after: o.Extension, world: World) -> bool:
        return True

    def create(self, each: o.Extension, world: World) -> Iterator[PlannedStatement]:
        version = "" if each.is_default_version else f" VERSION '{each.version}'"
        yield create(each, f"CREATE {each.address} WITH SCHEMA {each.home}{version}")

    def drop(self, each: o.Extension, world: World) -> Iterator[PlannedStatement]:
        yield drop(each, f"DROP {each.address}", destroys="the extension's data is lost")

    def alter(
        self, before: o.Extension, after: o.Extension, world: World
    ) -> Iterator[PlannedStatement]:
        if before.home != after.home:
            yield alter(after, f"ALTER {after.address} SET SCHEMA {after.home}")
        if before.version != after.version:
            yield alter(after, f"ALTER {after.address} UPDATE TO '{after.version}'")


class Sequences(ObjectKind[o.Sequence]):
    """Sequences. That of an identity column belongs to the column."""

    def can_alter(self, before: o.Sequence, after: o.Sequence, world: World) -> bool:
        return before.is_identity == after.is_identity

    def create(self, each: o.Sequence, world: World) -> Iterator[PlannedStatement]:
        if each.is_identity:
            return
        unlogged = "UNLOGGED " if each.persistence == "u" else ""
        words = [f"CREATE {unlogged}SEQUENCE {each.name.name}"]
        if each.settings.type != "bigint":
            words.append(f"AS {each.settings.type}")
        yield create(each, " ".join((*words, *settings_clauses(None, each.settings))))
        if each.owned_by is not None:
            yield replace(_own(each), slot=Slot.FINISH)
        for column in newly_numbered(each, world):
            if column.base_type in ("smallint", "integer", "bigint", "numeric"):
                sql = go_on_behind_rows(
                    each.name.name, each.settings, column.relation, column.column
                )
                yield alter(each, sql, slot=Slot.FINISH, after=(column.name,))

    def drop(self, each: o.Sequence, world: World) -> Iterator[PlannedStatement]:
        if heir_of(each, world) is not None:
            # The column's identity takes its value, and drops it.
            rename = drop(each, f"ALTER {each.address} RENAME TO {parked_name(each, world)}")
            yield replace(rename, action="rename")
        elif not each.is_identity:
            yield drop(each, f"DROP {each.address}", destroys=f"where {each.name.name} is, is lost")

    def alter(
        self, before: o.Sequence, after: o.Sequence, world: World
    ) -> Iterator[PlannedStatement]:
        if after.is_identity:
            return
        for sql in move_inside(after.name.name, before.settings, after.settings):
            yield alter(after, sql)
        words = []
        if before.settings.type != after.settings.type:
            words.append(f"AS {after.settings.type}")
        moved = with_type(before.settings, after.settings.type)
        words += settings_clauses(moved, after.settings)
        if lies_apart(before.settings, after.settings):
            words.append(f"RESTART WITH {after.settings.start}")
        if words:
            yield alter(after, f"ALTER {after.address} {' '.join(words)}")
        if before.persistence != after.persistence:
            word = "UNLOGGED" if after.persistence == "u" else "LOGGED"
            yield alter(after, f"ALTER {after.address} SET {word}")
        if before.owned_by != after.owned_by:
            if before.owned_by is not None:
                # Otherwise it is dropped with the column that owned it.
                old = ObjectName("column", before.owned_by)
                yield alter(after, f"ALTER {after.address} OWNED BY NONE", before=(old,))
            if after.owned_by is not None:
                yield replace(_own(after), slot=Slot.FINISH)


def _own(each: o.Sequence) -> PlannedStatement:
    """Rejected while sequence and table have different owners: the table's has to be set."""
    column = each.owned_by or ""
    owners = (ObjectName("column", column), ObjectName("table", without_last(column)))
    return alter(each, f"ALTER {each.address} OWNED BY {column}", after=owners)
