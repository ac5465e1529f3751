"""A schema in memory: objects, their dependencies, and the server's defaults."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from dbmigrate.diff.objects import Grant, Grants, SchemaObject
from dbmigrate.postgres.schema.catalog import ObjectName

OWNER = ""
"""The grantee that stands for the owner in `Ways.default_grants`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The server's defaults."""

    version: int
    """180006 is 18.6."""
    role: str
    """Who owns what is created without a word about it."""
    default_grants: Mapping[str, Grants]
    """By the letter of acldefault()."""
    casts: Mapping[tuple[str, str], str]
    """Between types: i, implicit; a, on assignment; e, only where it is written."""

    def grants_by_default(self, kind: str, owner: str | None) -> Grants:
        """The meaning of a null ACL."""
        return frozenset(
            Grant(owner or self.role, each.privilege) if each.grantee == OWNER else each
            for each in self.default_grants.get(kind, ())
        )


@dataclass(frozen=True)
class Schema:
    """Everything that users have created in one database."""

    objects: Mapping[ObjectName, SchemaObject]
    ways: Ways
    unhandled: Mapping[ObjectName, str]
    """What is there and has no plan, with its definition: refused where it differs."""
    renaming: tuple[tuple[ObjectName, str], ...] = ()
    """The renames that it was read with, as statements, in order."""
    taken: frozenset[str] = frozenset()
    """Names of relations, types and constraints that are no objects here; not in quotes."""

    @cached_property
    def dependents(self) -> Mapping[ObjectName, tuple[ObjectName, ...]]:
        """What requires an object, or is a part of it."""
        found: dict[ObjectName, list[ObjectName]] = defaultdict(list)
        for name in sorted(self.objects):
            for required in self.objects[name].requires:
                found[required].append(name)
        return {name: tuple(users) for name, users in found.items()}

    def requires(self, name: ObjectName) -> frozenset[ObjectName]:
        """What the object needs, including the object that it is a part of."""
        return self.objects[name].requires

    def without(self, name: ObjectName) -> Schema:
        """The same schema without one object that none requires."""
        objects = dict(self.objects)
        gone = objects.pop(name, None)
        if gone is None:
            return self
        less = replace(self, objects=objects)
        dependents = dict(self.dependents)
        for required in gone.requires:
            dependents[required] = tuple(each for each in dependents[required] if each != name)
        vars(less)["dependents"] = dependents
        return less
