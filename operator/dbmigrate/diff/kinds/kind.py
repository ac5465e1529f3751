"""The interface of each kind of object: create, drop and alter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from dbmigrate.diff import objects as o
from dbmigrate.diff.step import Mode, PlannedStatement, Slot
from dbmigrate.diff.world import World
from dbmigrate.postgres.schema.catalog import ObjectName

T = TypeVar("T", bound=o.SchemaObject)


class ObjectKind(Generic[T]):
    """The statements of one kind. The default: DROP, CREATE, and no ALTER."""

    def can_alter(self, before: T, after: T, world: World) -> bool:
        """Whether one can become the other without being dropped."""
        return without_attributes(before) == without_attributes(after)

    def disturbs(self, before: T, after: T, user: o.SchemaObject, world: World) -> bool:
        """Whether `user`, which requires the object, must be dropped while it is altered."""
        return False

    def create(self, each: T, world: World) -> Iterator[PlannedStatement]:
        """Create the object."""
        raise NotImplementedError

    def drop(self, each: T, world: World) -> Iterator[PlannedStatement]:
        """Drop the object, with its parts."""
        yield drop(each, f"DROP {each.address}")

    def alter(self, before: T, after: T, world: World) -> Iterator[PlannedStatement]:
        """Alter everything but owner, grants and comment."""
        return iter(())

    def swaps(self, before: T, after: T, world: World) -> bool:
        """Whether the new one can be created beside the old one, which is dropped afterwards."""
        return False

    def swap(self, before: T, after: T, world: World) -> Iterator[PlannedStatement]:
        """Create the new one, drop the old one, and rename the new one."""
        return iter(())


def without_attributes(each: o.SchemaObject) -> tuple[object, ...]:
    """What is compared of an object, except for owner, grants and comment."""
    passed_over = ("owner", "grants", "comment")
    return tuple(
        getattr(each, name) for name in compared_fields(type(each)) if name not in passed_over
    )


def compared_fields(kind: type[o.SchemaObject]) -> tuple[str, ...]:
    """The fields that make two objects differ."""
    return tuple(
        name for name, each in kind.__dataclass_fields__.items() if each.compare and each.init
    )


def create(
    each: o.SchemaObject,
    sql: str,
    *,
    covers: frozenset[ObjectName] = frozenset(),
    mode: Mode = Mode.TOGETHER,
    after: tuple[ObjectName, ...] = (),
    note: str | None = None,
) -> PlannedStatement:
    """A statement that creates it."""
    return PlannedStatement(
        sql=sql,
        about=each.name,
        action="create",
        slot=Slot.CREATE,
        covers=covers,
        mode=mode,
        after=after,
        note=note,
    )


def drop(each: o.SchemaObject, sql: str, *, destroys: str | None = None) -> PlannedStatement:
    """A statement that drops it."""
    return PlannedStatement(
        sql=sql, about=each.name, action="drop", slot=Slot.DROP, destroys=destroys
    )


def alter(
    each: o.SchemaObject,
    sql: str,
    *,
    slot: Slot = Slot.ALTER,
    action: str = "alter",
    destroys: str | None = None,
    note: str | None = None,
    before: tuple[ObjectName, ...] = (),
    after: tuple[ObjectName, ...] = (),
) -> PlannedStatement:
    """A statement that changes it."""
    return PlannedStatement(
        sql=sql,
        about=each.name,
        action=action,
        slot=slot,
        destroys=destroys,
        note=note,
        before=before,
        after=after,
    )


def validate(each: o.SchemaObject, sql: str, world: World) -> PlannedStatement:
    """A statement that scans every row, and does not block others meanwhile."""
    return PlannedStatement(
        sql=sql,
        about=each.name,
        action="validate",
        slot=Slot.FINISH,
        mode=Mode.SCAN if world.online else Mode.TOGETHER,
    )
