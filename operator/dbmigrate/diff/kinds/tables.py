"""Tables: CREATE TABLE with all that it can contain, and ALTER TABLE for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dbmigrate.diff import tables as t
from dbmigrate.diff.kinds.column_definition import clause, inline_default, settings
from dbmigrate.diff.kinds.constraints import inline_clause, is_inline
from dbmigrate.diff.kinds.indexes import mark_statements
from dbmigrate.diff.kinds.kind import ObjectKind, alter, create, drop
from dbmigrate.diff.kinds.options import change_options, with_clause
from dbmigrate.diff.step import PlannedStatement, Slot
from dbmigrate.diff.world import World, parents, parts
from dbmigrate.postgres.schema.catalog import ObjectName

_IDENTITIES = {"d": "DEFAULT", "n": "NOTHING", "f": "FULL"}


class Tables(ObjectKind[t.Table]):
    """Tables, partitioned or not."""

    def can_alter(self, before: t.Table, after: t.Table, world: World) -> bool:
        """A partition key cannot be changed."""
        return (before.is_partitioned, before.partition_key) == (
            after.is_partitioned,
            after.partition_key,
        )

    def create(self, each: t.Table, world: World) -> Iterator[PlannedStatement]:
        columns, constraints = _inline_parts(each, world)
        covers = {part.name for part in (*columns, *constraints)}
        lines = []
        for column in columns:
            default = inline_default(column, world)
            if default is not None:
                covers.add(default.name)
            lines.append(_column_line(each, column, default, world))
        lines += [inline_clause(constraint) for constraint in constraints]
        yield create(each, _create_sql(each, lines), covers=frozenset(covers))
        for column in columns:
            yield from settings(None, column, world)
        for constraint in constraints:
            yield from mark_statements(None, constraint)
        yield from _change_security(None, each)
        if each.replica_identity in "nf":
            yield _replica_identity(each)

    def drop(self, each: t.Table, world: World) -> Iterator[PlannedStatement]:
        # The rows of a partitioned table are in its partitions, which are dropped by name.
        lost = None if each.is_partitioned else f"the rows of {each.name.name} are lost"
        yield drop(each, f"DROP {each.address}", destroys=lost)

    def alter(self, before: t.Table, after: t.Table, world: World) -> Iterator[PlannedStatement]:
        prefix = f"ALTER TABLE {after.name.name}"
        yield from _change_parents(before, after, world)
        yield from _change_type(before, after, world)
        if before.persistence != after.persistence:
            word = "UNLOGGED" if after.persistence == "u" else "LOGGED"
            note = "all rows are rewritten while reads and writes are blocked"
            yield alter(after, f"{prefix} SET {word}", note=note)
        if before.access_method != after.access_method and after.access_method is not None:
            yield alter(after, f"{prefix} SET ACCESS METHOD {after.access_method}")
        if before.tablespace != after.tablespace:
            space = after.tablespace or "pg_default"
            yield alter(after, f"{prefix} SET TABLESPACE {space}", note="the table is copied")
        for clause_ in change_options(before.options, after.options):
            yield alter(after, f"{prefix} {clause_}")
        yield from _change_security(before, after)
        if before.replica_identity != after.replica_identity and after.replica_identity in "dnf":
            step = _replica_identity(after)
            if before.replica_identity == "i":
                # Until then the columns of that index cannot be nullable, nor be dropped.
                own = tuple(part.name for part in parts(world.before, before.name))
                step = replace(step, slot=Slot.DROP, before=own)
            yield step


def _inline_parts(each: t.Table, world: World) -> tuple[list[t.Column], list[t.Constraint]]:
    """What CREATE TABLE itself can contain."""
    columns, constraints = [], []
    for part in sorted(parts(world.after, each.name), key=lambda part: part.name):
        if isinstance(part, t.Column):
            is_given = each.inherits and part.is_inherited
            if not is_given and not world.comes_back(part, each.name, world.after):
                columns.append(part)
        elif isinstance(part, t.Constraint) and is_inline(part, world):
            constraints.append(part)
    return _as_made(columns), constraints


def _as_made(columns: list[t.Column]) -> list[t.Column]:
    return sorted(columns, key=lambda column: column.position)


def _column_line(each: t.Table, column: t.Column, default: t.Default | None, world: World) -> str:
    line = clause(column, default, world)
    if each.of_type is None:
        return line
    return line.replace(f"{column.column} {column.type}", f"{column.column} WITH OPTIONS", 1)


def _create_sql(each: t.Table, lines: list[str]) -> str:
    unlogged = "UNLOGGED " if each.persistence == "u" else ""
    words = [f"CREATE {unlogged}TABLE {each.name.name}"]
    if each.of_type is not None:
        words.append(f"OF {each.of_type}")
    if lines:
        words.append("(\n    " + ",\n    ".join(lines) + "\n)")
    elif each.of_type is None:
        words.append("()")
    if each.inherits:
        words.append(f"INHERITS ({', '.join(each.inherits)})")
    if each.partition_key is not None:
        words.append(f"PARTITION BY {each.partition_key}")
    if each.access_method not in (None, "heap"):
        words.append(f"USING {each.access_method}")
    words += with_clause(each.options)
    if each.tablespace is not None:
        words.append(f"TABLESPACE {each.tablespace}")
    return " ".join(words)


def _change_security(before: t.Table | None, after: t.Table) -> Iterator[PlannedStatement]:
    prefix = f"ALTER TABLE {after.name.name}"
    if after.row_security != (before.row_security if before is not None else False):
        word = "ENABLE" if after.row_security else "DISABLE"
        yield alter(after, f"{prefix} {word} ROW LEVEL SECURITY", slot=Slot.FINISH)
    if after.forces_row_security != (before.forces_row_security if before is not None else False):
        word = "" if after.forces_row_security else "NO "
        yield alter(after, f"{prefix} {word}FORCE ROW LEVEL SECURITY", slot=Slot.FINISH)


def _replica_identity(each: t.Table) -> PlannedStatement:
    word = _IDENTITIES[each.replica_identity]
    return alter(each, f"ALTER TABLE {each.name.name} REPLICA IDENTITY {word}", slot=Slot.FINISH)


def _change_type(before: t.Table, after: t.Table, world: World) -> Iterator[PlannedStatement]:
    """A typed table cannot gain or lose a column: it is detached first, and bound at the end."""
    if before.of_type == after.of_type and not world.is_retyped(before):
        return
    prefix = f"ALTER TABLE {after.name.name}"
    if before.of_type is not None:
        wholes = (before.name, ObjectName("composite type", before.of_type))
        own = tuple(part.name for whole in wholes for part in parts(world.before, whole))
        yield alter(after, f"{prefix} NOT OF", slot=Slot.DROP, before=own)
    if after.of_type is not None:
        wholes = (after.name, ObjectName("composite type", after.of_type))
        found = [part for whole in wholes for part in parts(world.after, whole)]
        names = tuple(part.name for part in found if isinstance(part, t.Column))
        yield alter(after, f"{prefix} OF {after.of_type}", slot=Slot.FINISH, after=names)


def retyped_with_others(before: t.Table, after: t.Table, world: World) -> frozenset[str]:
    """Those that stay parents, and whose column of another type the child has of an earlier one,
    too: no statement of one parent may alter what a child has of two."""
    found: set[str] = set()
    if len(before.inherits) < 2:
        return frozenset()
    for part in parts(world.before, before.name):
        new = world.after.objects.get(part.name)
        if not isinstance(part, t.Column) or not isinstance(new, t.Column):
            continue
        if (part.type, part.collation) != (new.type, new.collation):
            having = [
                parent
                for parent in before.inherits
                if ObjectName("column", f"{parent}.{part.column}") in world.before.objects
            ]
            found.update(having[1:])
    return frozenset(found & {*after.inherits})


def _change_parents(before: t.Table, after: t.Table, world: World) -> Iterator[PlannedStatement]:
    prefix = f"ALTER TABLE {after.name.name}"
    retyped = retyped_with_others(before, after, world)
    for parent in before.inherits:
        if parent not in after.inherits or parent in retyped:
            # Only then are the columns its own, and not dropped together with the parent's.
            wholes = (before.name, ObjectName("table", parent))
            own = [part.name for whole in wholes for part in parts(world.before, whole)]
            sql = f"{prefix} NO INHERIT {parent}"
            yield alter(after, sql, slot=Slot.DROP, before=(wholes[1], *own))
    for parent in after.inherits:
        if parent not in before.inherits or parent in retyped:
            # A child has to have the parent's columns and checks already.
            shape = [
                part.name
                for name in (parent, after.name.name)
                for part in parts(world.after, ObjectName("table", name))
                if isinstance(part, t.Column)
                or (isinstance(part, t.Constraint) and part.type == "c")
            ]
            yield alter(after, f"{prefix} INHERIT {parent}", slot=Slot.FINISH, after=tuple(shape))


class Attachments(ObjectKind[t.Attachment]):
    """Partitions are created as separate tables and attached: that takes a weak lock on the
    parent, where CREATE TABLE PARTITION OF takes the strongest, and indexes keep their names."""

    def create(self, each: t.Attachment, world: World) -> Iterator[PlannedStatement]:
        sql = f"ALTER TABLE {each.parent} ATTACH PARTITION {each.child} {each.bound}"
        yield create(each, sql, after=tuple(_own_conditions(each.child, world)))

    def drop(self, each: t.Attachment, world: World) -> Iterator[PlannedStatement]:
        # DETACH CONCURRENTLY would leave a check behind that repeats the bound.
        yield drop(each, f"ALTER TABLE {each.parent} DETACH PARTITION {each.child}")


def _own_conditions(child: str, world: World) -> Iterator[ObjectName]:
    """What a table must have, validated too, before it is attached to one that has it."""
    for part in parts(world.after, ObjectName("table", child)):
        if isinstance(part, t.Column):
            if part.not_null is not None and part.not_null.is_validated:
                yield part.name
                # A helper check of the parent would be required of the child, too.
                yield from (
                    ObjectName("column", f"{parent}.{part.column}")
                    for parent in parents(world.after, child)
                )
        elif isinstance(part, t.Constraint) and part.type == "c" and part.is_inherited:
            yield part.name
