"""Functions, procedures and aggregates."""

from __future__ import annotations

from collections.abc import Iterator

from dbmigrate.diff import objects as o
from dbmigrate.diff.kinds.kind import ObjectKind, alter, create
from dbmigrate.diff.step import PlannedStatement
from dbmigrate.diff.world import World


class Routines(ObjectKind[o.Routine]):
    """CREATE OR REPLACE keeps the result and the names of the arguments."""

    def can_alter(self, before: o.Routine, after: o.Routine, world: World) -> bool:
        return before.shape == after.shape and before.defaults <= after.defaults

    def create(self, each: o.Routine, world: World) -> Iterator[PlannedStatement]:
        yield create(each, each.definition)

    def alter(
        self, before: o.Routine, after: o.Routine, world: World
    ) -> Iterator[PlannedStatement]:
        if before.definition != after.definition:
            yield alter(after, after.definition)


class Aggregates(ObjectKind[o.Aggregate]):
    """CREATE OR REPLACE AGGREGATE changes everything but the signature."""

    def can_alter(self, before: o.Aggregate, after: o.Aggregate, world: World) -> bool:
        return (before.shape, before.kind) == (after.shape, after.kind)

    def create(self, each: o.Aggregate, world: World) -> Iterator[PlannedStatement]:
        yield create(each, _sql(each, ""))

    def alter(
        self, before: o.Aggregate, after: o.Aggregate, world: World
    ) -> Iterator[PlannedStatement]:
        if before.parameters != after.parameters:
            yield alter(after, _sql(after, "OR REPLACE "))


def _sql(each: o.Aggregate, replace: str) -> str:
    parameters = ",\n    ".join(each.parameters)
    return f"CREATE {replace}AGGREGATE {each.signature} (\n    {parameters}\n)"
