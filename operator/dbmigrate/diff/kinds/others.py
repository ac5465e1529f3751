"""Objects that are dropped and created again: collations, casts, text search, foreign data, ..."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dbmigrate.diff import objects as o
from dbmigrate.diff.kinds.kind import ObjectKind, create
from dbmigrate.diff.step import PlannedStatement, Slot
from dbmigrate.diff.world import World


class Others(ObjectKind[o.Other]):
    """By their own statements."""

    def create(self, each: o.Other, world: World) -> Iterator[PlannedStatement]:
        first, *rest = each.statements
        yield create(each, first)
        for sql in rest:
            yield replace(create(each, sql), slot=Slot.ATTRIBUTE, action="alter")
