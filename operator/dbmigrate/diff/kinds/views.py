"""Views and materialized views."""

from __future__ import annotations

from collections.abc import Iterator

from dbmigrate.diff import objects as o
from dbmigrate.diff import tables as t
from dbmigrate.diff.kinds.column_definition import settings
from dbmigrate.diff.kinds.kind import ObjectKind, alter, create, drop
from dbmigrate.diff.kinds.options import change_options, with_clause
from dbmigrate.diff.step import PlannedStatement
from dbmigrate.diff.world import World, parts


class Views(ObjectKind[o.View]):
    """CREATE OR REPLACE VIEW may add columns at the end, and change no other."""

    def can_alter(self, before: o.View, after: o.View, world: World) -> bool:
        if after.is_materialized:
            return before.definition == after.definition and before.columns == after.columns
        return after.columns[: len(before.columns)] == before.columns

    def create(self, each: o.View, world: World) -> Iterator[PlannedStatement]:
        covers = frozenset(
            part.name for part in parts(world.after, each.name) if isinstance(part, t.Column)
        )
        yield create(each, _create_sql(each, ""), covers=covers)
        for part in parts(world.after, each.name) if each.is_materialized else ():
            if isinstance(part, t.Column):
                yield from settings(None, part, world)

    def drop(self, each: o.View, world: World) -> Iterator[PlannedStatement]:
        yield drop(each, f"DROP {each.address}")

    def alter(self, before: o.View, after: o.View, world: World) -> Iterator[PlannedStatement]:
        if before.definition != after.definition:
            # It also replaces all options.
            yield alter(after, _create_sql(after, "OR REPLACE "))
            return
        prefix = f"ALTER {after.address}"
        for clause in change_options(before.options, after.options):
            yield alter(after, f"{prefix} {clause}")
        if before.access_method != after.access_method and after.access_method is not None:
            yield alter(after, f"{prefix} SET ACCESS METHOD {after.access_method}")
        if before.tablespace != after.tablespace:
            yield alter(after, f"{prefix} SET TABLESPACE {after.tablespace or 'pg_default'}")
        if before.is_populated != after.is_populated:
            words = "" if after.is_populated else " WITH NO DATA"
            yield alter(after, f"REFRESH {after.address}{words}", action="refresh")


def _create_sql(each: o.View, replace: str) -> str:
    if not each.is_materialized:
        words = [f"CREATE {replace}VIEW {each.name.name}", *with_clause(each.options)]
        return f"{' '.join(words)} AS\n{each.definition.rstrip().removesuffix(';')}"
    words = [f"CREATE {each.address}"]
    if each.access_method not in (None, "heap"):
        words.append(f"USING {each.access_method}")
    words += with_clause(each.options)
    if each.tablespace is not None:
        words.append(f"TABLESPACE {each.tablespace}")
    data = "" if each.is_populated else "\nWITH NO DATA"
    return f"{' '.join(words)} AS\n{each.definition.rstrip().removesuffix(';')}{data}"
