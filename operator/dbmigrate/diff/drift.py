"""How a live schema differs from the one that its migrations make.

The present schema is the live one, the desired one what the migrations make: so the plan is what
would undo the drift.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from dbmigrate.diff import objects as o
from dbmigrate.diff import tables as t
from dbmigrate.diff.kinds.kind import compared_fields
from dbmigrate.diff.plan import plan_changes
from dbmigrate.diff.schema import Schema
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.schema.catalog import ObjectName

_SHOWN = 300
"""Characters of each side of a detail."""
_OF_SERVERS = frozenset(("setting", "subscription", "user mapping", "security label"))
"""Kinds that belong to where a database runs, and not to its schema."""


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """What is not compared."""

    patterns: tuple[str, ...] = ()
    """`public.audit_*`, or with a kind before it: `extension:pg_stat_statements`."""
    histories: frozenset[ObjectName] = frozenset()
    """Tables of migration tools, and schemas that exist for them."""
    with_rights: bool = False
    """Also compare owners and privileges."""
    with_partitions: bool = False
    """Also compare which partitions exist: a scheduler often makes and drops them."""

    def find_idle(self, *schemas: Schema) -> tuple[str, ...]:
        """The patterns without a schema or a kind that name nothing: a schema was forgotten."""
        names = [name for schema in schemas for name in (*schema.objects, *schema.unhandled)]
        bare = (pattern for pattern in self.patterns if not {".", ":"} & {*pattern})
        return tuple(each for each in bare if not any(_matches(each, name) for name in names))

    def matches(self, name: ObjectName) -> bool:
        """Whether a pattern names the object, or what contains it."""
        return name in self.histories or any(_matches(each, name) for each in self.patterns)


@dataclass(frozen=True, slots=True)
class DriftDifference:
    """An object that was added, changed or dropped by hand."""

    change: str
    """added, changed, dropped"""
    object: ObjectName
    details: tuple[str, ...] = ()
    """What has changed: `type is bigint, and was integer`."""
    undo: tuple[str, ...] = ()
    """The statements that would undo it, among others perhaps; none: no plan is known."""


def find_drift(live: Schema, made: Schema, rules: IgnoreRules) -> tuple[DriftDifference, ...]:
    """The differences, by kind and name; parts of what was added or dropped are not repeated."""
    live, made = (_comparable(schema, rules) for schema in (live, made))
    if not rules.with_partitions:
        live, made = _without_partitions(live, made), _without_partitions(made, live)
    undo = _statements(live, made)
    found = [*_differences(live.objects, made.objects, undo)]
    for name in sorted(live.unhandled.keys() | made.unhandled.keys()):
        now, before = live.unhandled.get(name), made.unhandled.get(name)
        if now != before:
            found.append(DriftDifference(_change(before is None, now is None), name))
    return tuple(found)


def _differences(
    live: Mapping[ObjectName, o.SchemaObject],
    made: Mapping[ObjectName, o.SchemaObject],
    undo: Mapping[ObjectName, Sequence[str]],
) -> Iterator[DriftDifference]:
    for name in sorted(live.keys() | made.keys()):
        now, before = live.get(name), made.get(name)
        each = now or before
        if now == before or each is None:
            continue
        statements = tuple(undo.get(name, ()))
        if now is not None and before is not None:
            yield DriftDifference("changed", name, tuple(_details(now, before)), statements)
        elif not _goes_along(each, live, made):
            yield DriftDifference(_change(before is None, now is None), name, (), statements)


def _change(is_added: bool, is_dropped: bool) -> str:
    return "added" if is_added else "dropped" if is_dropped else "changed"


def _goes_along(
    each: o.SchemaObject,
    live: Mapping[ObjectName, o.SchemaObject],
    made: Mapping[ObjectName, o.SchemaObject],
) -> bool:
    """Whether its whole was added or dropped as well."""
    if isinstance(each, o.DefaultPrivileges):
        return False
    whole = _whole_of(each)
    if whole is not None and (whole in live) != (whole in made):
        return True
    above = live.get(whole) or made.get(whole) if whole is not None else None
    return above is not None and _goes_along(above, live, made)


def _whole_of(each: o.SchemaObject) -> ObjectName | None:
    """What it comes and goes with."""
    if isinstance(each, o.Sequence) and each.owned_by is not None:
        return ObjectName("column", each.owned_by)
    if isinstance(each, t.IndexAttachment):
        return ObjectName("table", each.child_table)
    return each.part_of


def _details(now: o.SchemaObject, before: o.SchemaObject) -> Iterator[str]:
    if type(now) is not type(before):
        yield "it is of another kind"
        return
    for field in compared_fields(type(now)):
        is_, was = getattr(now, field), getattr(before, field)
        if is_ != was:
            yield f"{field.replace('_', ' ')} is {_show(is_)}, and was {_show(was)}"


def _show(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, frozenset | tuple):
        value = ", ".join(sorted(str(each) for each in value)) or "nothing"
    text = " ".join(str(value).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _statements(live: Schema, made: Schema) -> Mapping[ObjectName, Sequence[str]]:
    try:
        changes = plan_changes(live, made, online=False)
    except MigrationError:
        return {}  # the differences are known all the same
    found: dict[ObjectName, list[str]] = {}
    for change in changes:
        if change.action != "set":
            found.setdefault(change.about, []).append(change.sql)
    return found


def _comparable(schema: Schema, rules: IgnoreRules) -> Schema:
    """Without what is ignored, and what differs between servers for good reasons."""
    ignored = {name for name in schema.objects if rules.matches(name)}
    for name, each in schema.objects.items():
        if _is_in(each, ignored, schema) or (
            not rules.with_rights and isinstance(each, o.DefaultPrivileges)
        ):
            ignored.add(name)
    unhandled = {
        name: text
        for name, text in schema.unhandled.items()
        if name.kind not in _OF_SERVERS and not rules.matches(name)
    }
    kept = _without(schema, ignored)
    objects = {name: _neutral(each, rules) for name, each in kept.objects.items()}
    return Schema(objects, schema.ways, unhandled, taken=schema.taken)


def _neutral(each: o.SchemaObject, rules: IgnoreRules) -> o.SchemaObject:
    if not rules.with_rights:
        each = replace(each, owner=None, grants=None)
    if isinstance(each, o.Extension):
        return replace(each, version="", is_default_version=True)
    if isinstance(each, o.View) and each.is_materialized:
        return replace(each, is_populated=True)
    if isinstance(each, o.Namespace) and each.name.name == "public":
        return replace(each, comment=None)
    return each


def _is_in(each: o.SchemaObject, wholes: set[ObjectName], schema: Schema) -> bool:
    whole = _whole_of(each)
    while whole is not None:
        if whole in wholes:
            return True
        above = schema.objects.get(whole)
        whole = _whole_of(above) if above is not None else None
    return False


def _without(schema: Schema, gone: set[ObjectName]) -> Schema:
    objects = {}
    for name, each in schema.objects.items():
        if name not in gone:
            known = each.requires - gone
            objects[name] = each if known == each.requires else replace(each, requires=known)
    return replace(schema, objects=objects)


def _without_partitions(schema: Schema, other: Schema) -> Schema:
    """Without those partitions of common tables that the other schema lacks."""
    gone: set[ObjectName] = set()
    for name, each in schema.objects.items():
        if not isinstance(each, t.Attachment) or ObjectName("table", each.child) in other.objects:
            continue
        root: str | None = each.parent
        while root is not None and ObjectName("table", root) not in other.objects:
            above = schema.objects.get(ObjectName("partition", root))
            root = above.parent if isinstance(above, t.Attachment) else None
        if root is not None:
            gone |= {name, ObjectName("table", each.child)}
    for name, each in schema.objects.items():
        child = each.child_table if isinstance(each, t.IndexAttachment) else ""
        if ObjectName("table", child) in gone or _is_in(each, gone, schema):
            gone.add(name)
    return _without(schema, gone) if gone else schema


def _matches(pattern: str, name: ObjectName) -> bool:
    kind, found, rest = pattern.partition(":")
    if found and not fnmatchcase(name.kind, kind):
        return False
    return fnmatchcase(name.name, rest if found else pattern)
