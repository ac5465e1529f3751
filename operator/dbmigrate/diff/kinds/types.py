"""Enums, domains, composite types and ranges.

A type of existing columns cannot be dropped, and an enum cannot lose a value or change the
order of its values. Such a type is replaced: the old one is renamed, the new one created,
the columns are converted through text, and the old one is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dbmigrate.diff import objects as o
from dbmigrate.diff import tables as t
from dbmigrate.diff.kinds.column_definition import attribute
from dbmigrate.diff.kinds.kind import ObjectKind, alter, create, drop, validate
from dbmigrate.diff.names import last_part, unquoted, without_last
from dbmigrate.diff.step import Mode, PlannedStatement, Slot
from dbmigrate.diff.world import World, parts
from dbmigrate.postgres.schema.catalog import ObjectName
from dbmigrate.postgres.sqltext.quoting import literal


def rebirth(
    before: o.SchemaObject, after: o.SchemaObject, made: Iterator[PlannedStatement], world: World
) -> Iterator[PlannedStatement]:
    """Around the creation of the new type."""
    name = before.name.name
    old = world.interim.choose(before.name, unquoted(last_part(name)), "", "old")
    rename = drop(before, f"ALTER {before.address} RENAME TO {old}")
    yield replace(rename, action="rename")
    yield from made
    address = before.address.replace(name, f"{without_last(name)}.{old}")
    lost = None
    if isinstance(before, o.EnumType) and isinstance(after, o.EnumType):
        gone = [label for label in before.labels if label not in after.labels]
        if gone:
            lost = f"rows with {', '.join(map(repr, gone))} in a column of {name} make it fail"
    yield alter(after, f"DROP {address}", slot=Slot.FINISH, action="drop", note=lost)


class Enums(ObjectKind[o.EnumType]):
    """Enums: new values are added in a separate file."""

    def can_alter(self, before: o.EnumType, after: o.EnumType, world: World) -> bool:
        """The old values must all be present, in their order."""
        rest = iter(after.labels)
        return all(label in rest for label in before.labels)

    def create(self, each: o.EnumType, world: World) -> Iterator[PlannedStatement]:
        labels = ", ".join(literal(label).strip() for label in each.labels)
        yield create(each, f"CREATE TYPE {each.name.name} AS ENUM ({labels})")

    def alter(
        self, before: o.EnumType, after: o.EnumType, world: World
    ) -> Iterator[PlannedStatement]:
        there = list(before.labels)
        for position, label in enumerate(after.labels):
            if label in there:
                continue
            place = ""
            if position < len(there):
                place = f" BEFORE {literal(there[position]).strip()}"
            sql = f"ALTER TYPE {after.name.name} ADD VALUE {literal(label).strip()}{place}"
            there.insert(position, label)
            yield replace(alter(after, sql), mode=Mode.FIRST)


class Domains(ObjectKind[o.Domain]):
    """Domains; their checks are separate objects."""

    def can_alter(self, before: o.Domain, after: o.Domain, world: World) -> bool:
        return (before.base, before.collation) == (after.base, after.collation)

    def create(self, each: o.Domain, world: World) -> Iterator[PlannedStatement]:
        words = [f"CREATE DOMAIN {each.name.name} AS {each.base}"]
        if each.collation is not None:
            words.append(f"COLLATE {each.collation}")
        if each.default is not None:
            words.append(f"DEFAULT {each.default}")
        if each.not_null is not None:
            is_usual = each.not_null.is_usual or each.not_null.name is None
            name = "" if is_usual else f"CONSTRAINT {each.not_null.name} "
            words.append(f"{name}NOT NULL")
        covers = set()
        for part in parts(world.after, each.name):
            if not isinstance(part, o.DomainConstraint) or not part.is_validated:
                continue
            if not world.comes_back(part, each.name, world.after):
                covers.add(part.name)
                words.append(f"CONSTRAINT {part.constraint} {part.definition}")
        yield create(each, " ".join(words), covers=frozenset(covers))

    def alter(self, before: o.Domain, after: o.Domain, world: World) -> Iterator[PlannedStatement]:
        prefix = f"ALTER DOMAIN {after.name.name}"
        if before.default != after.default:
            words = "DROP DEFAULT" if after.default is None else f"SET DEFAULT {after.default}"
            yield alter(after, f"{prefix} {words}")
        if before.not_null == after.not_null:
            return
        if before.not_null is not None:
            yield alter(after, f"{prefix} DROP NOT NULL")
        if after.not_null is not None:
            note = "reads every column of the type while writes are blocked"
            name = after.not_null.name
            is_usual = after.not_null.is_usual or name is None
            words = "SET NOT NULL" if is_usual else f"ADD CONSTRAINT {name} NOT NULL"
            yield alter(after, f"{prefix} {words}", note=note)


class DomainConstraints(ObjectKind[o.DomainConstraint]):
    """Checks of domains."""

    def can_alter(
        self, before: o.DomainConstraint, after: o.DomainConstraint, world: World
    ) -> bool:
        if replace(before, comment=after.comment) == after:
            return True
        old = before.definition.removesuffix(" NOT VALID")
        return after.is_validated and not before.is_validated and old == after.definition

    def create(self, each: o.DomainConstraint, world: World) -> Iterator[PlannedStatement]:
        sql = f"ALTER DOMAIN {each.domain} ADD CONSTRAINT {each.constraint} {each.definition}"
        is_new = world.is_new(ObjectName("domain", each.domain))
        if is_new or not world.online or not each.is_validated:
            yield create(each, sql)
            return
        yield create(each, f"{sql} NOT VALID")
        yield self._validate(each, world)

    def drop(self, each: o.DomainConstraint, world: World) -> Iterator[PlannedStatement]:
        yield drop(each, f"ALTER DOMAIN {each.domain} DROP CONSTRAINT {each.constraint}")

    def alter(
        self, before: o.DomainConstraint, after: o.DomainConstraint, world: World
    ) -> Iterator[PlannedStatement]:
        if after.is_validated and not before.is_validated:
            yield self._validate(after, world)

    def _validate(self, each: o.DomainConstraint, world: World) -> PlannedStatement:
        sql = f"ALTER DOMAIN {each.domain} VALIDATE CONSTRAINT {each.constraint}"
        return validate(each, sql, world)


class Composites(ObjectKind[o.Composite]):
    """Composite types, whose attributes are added and dropped as columns are."""

    def create(self, each: o.Composite, world: World) -> Iterator[PlannedStatement]:
        found = [part for part in parts(world.after, each.name) if isinstance(part, t.Column)]
        found.sort(key=lambda column: column.position)
        inside = ", ".join(map(attribute, found))
        covers = frozenset(column.name for column in found)
        yield create(each, f"CREATE TYPE {each.name.name} AS ({inside})", covers=covers)


class Ranges(ObjectKind[o.RangeType]):
    """Ranges; nothing of them can be altered."""

    def create(self, each: o.RangeType, world: World) -> Iterator[PlannedStatement]:
        yield create(each, f"CREATE TYPE {each.name.name} AS RANGE ({', '.join(each.parameters)})")
