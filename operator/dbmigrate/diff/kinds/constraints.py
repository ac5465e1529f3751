"""Constraints of tables, added in steps that do not block a large table.

A check or a foreign key is added NOT VALID, which scans no rows, and validated in a later
file. A unique or primary key takes an index that was built concurrently before. For an
exclusion constraint there is no such way. Neither is there for foreign keys of partitioned
tables (NOT VALID since 18 only), nor is it needed on a table that the plan has created.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dbmigrate.diff import tables as t
from dbmigrate.diff.kinds.indexes import concurrently, mark_statements, table_is_slow
from dbmigrate.diff.kinds.kind import ObjectKind, create, drop, validate
from dbmigrate.diff.kinds.options import with_clause
from dbmigrate.diff.step import Mode, PlannedStatement
from dbmigrate.diff.world import World, attachments_below, checks_below
from dbmigrate.postgres.schema.catalog import ObjectName

_NOT_VALID = " NOT VALID"
_LOCKS = "reads the whole table while writes are blocked"


class Constraints(ObjectKind[t.Constraint]):
    """Check, unique, primary key, foreign key, exclusion."""

    def can_alter(self, before: t.Constraint, after: t.Constraint, world: World) -> bool:
        """Only its validation, and the settings of its index."""
        if _but_for_marks(before, after):
            return True
        return (
            before.type == after.type
            and not before.is_validated
            and after.is_validated
            and before.definition.removesuffix(_NOT_VALID) == after.definition
        )

    def create(self, each: t.Constraint, world: World) -> Iterator[PlannedStatement]:
        if _comes_by_itself(each, world):
            return
        is_slow = table_is_slow(each.table, world)
        if is_slow and _can_use_index(each):
            yield from _with_index(each)
        elif is_slow and each.type in "cf" and _can_wait(each, world):
            yield create(
                each, f"{_add(each)}{_NOT_VALID}", after=(*_columns(each), *_attached(each, world))
            )
            yield _validate(each, world)
        else:
            note = _LOCKS if is_slow and each.is_validated and each.is_enforced else None
            first = (*_columns(each), *_validated_below(each, world), *_attached(each, world))
            yield create(each, _add(each), note=note, after=first)
        yield from mark_statements(None, each)

    def drop(self, each: t.Constraint, world: World) -> Iterator[PlannedStatement]:
        if world.carrier(each, world.before) is not None or _is_shadow(each, world):
            return
        yield drop(each, f"ALTER TABLE {each.table} DROP CONSTRAINT {each.constraint}")

    def alter(
        self, before: t.Constraint, after: t.Constraint, world: World
    ) -> Iterator[PlannedStatement]:
        if not before.is_validated and after.is_validated:
            yield _validate(after, world)
        yield from mark_statements(before, after)


def inline_clause(each: t.Constraint) -> str:
    """As CREATE TABLE has it."""
    return f"CONSTRAINT {each.constraint} {_definition(each)}"


def is_inline(each: t.Constraint, world: World) -> bool:
    """Whether CREATE TABLE can contain it: foreign keys follow when all tables exist."""
    if each.type == "f" or not each.is_validated:
        return False
    is_given = each.is_inherited and ObjectName("partition", each.table) not in (
        world.after.objects
    )
    whole = each.part_of
    return not is_given and whole is not None and not world.comes_back(each, whole, world.after)


def _definition(each: t.Constraint) -> str:
    """pg_get_constraintdef leaves out the options of the index."""
    words = [each.definition]
    if each.index_options or each.tablespace is not None:
        words += with_clause(each.index_options)
        if each.tablespace is not None:
            words.append(f"USING INDEX TABLESPACE {each.tablespace}")
        deferral = _deferral(each.definition)
        if deferral:
            words[0] = each.definition.removesuffix(deferral)
            words.append(deferral.strip())
    return " ".join(words)


def _deferral(definition: str) -> str:
    for words in (" DEFERRABLE INITIALLY DEFERRED", " DEFERRABLE"):
        if definition.endswith(words):
            return words
    return ""


def _add(each: t.Constraint) -> str:
    only = "ONLY " if each.is_on_partitioned and each.has_index else ""
    return f"ALTER TABLE {only}{each.table} ADD CONSTRAINT {each.constraint} {_definition(each)}"


def _comes_by_itself(each: t.Constraint, world: World) -> bool:
    """Whether the parent's statement, or the attachment, creates it."""
    if each.is_inherited and each.type == "f":
        return True
    return world.carrier(each, world.after) is not None


def _is_shadow(each: t.Constraint, world: World) -> bool:
    """Whether it belongs to the parent's: an inherited foreign key, or a part of a key's index."""
    return each.is_inherited and not world.is_moving(each.table)


def _can_use_index(each: t.Constraint) -> bool:
    return (
        each.type in "pu"
        and not each.is_on_partitioned
        and each.index_definition is not None
        and "WITHOUT OVERLAPS" not in each.definition
    )


def _can_wait(each: t.Constraint, world: World) -> bool:
    if not each.is_validated or not each.is_enforced:
        return False
    return each.type == "c" or world.version >= 18 or not each.is_on_partitioned


def _with_index(each: t.Constraint) -> Iterator[PlannedStatement]:
    definition = each.index_definition or ""
    tablespace = f" TABLESPACE {each.tablespace}" if each.tablespace is not None else ""
    yield create(each, concurrently(definition) + tablespace, mode=Mode.ALONE)
    word = "PRIMARY KEY" if each.type == "p" else "UNIQUE"
    yield create(
        each,
        f"ALTER TABLE {each.table} ADD CONSTRAINT {each.constraint} {word}"
        f" USING INDEX {each.constraint}{_deferral(each.definition)}",
        # A primary key makes its columns NOT NULL, by a scan if they are not yet.
        after=_columns(each),
    )


def _columns(each: t.Constraint) -> tuple[ObjectName, ...]:
    if each.type != "p":
        return ()
    return tuple(ObjectName("column", f"{each.table}.{column}") for column in each.columns)


def _attached(each: t.Constraint, world: World) -> Iterator[ObjectName]:
    """The parts of a partitioned index, without which no foreign key can lead to it."""
    if each.type == "f":
        for name in world.after.requires(each.name):
            if name.kind in ("constraint", "index"):
                yield from attachments_below(world.after, name)


def _validated_below(each: t.Constraint, world: World) -> Iterator[ObjectName]:
    """Checks of children, which must exist before one that would create them NOT VALID; PostgreSQL
    rejects one that is validated above one that is not."""
    if each.type == "c":
        for child in checks_below(world.after, each):
            if child.is_validated:
                yield child.name


def _validate(each: t.Constraint, world: World) -> PlannedStatement:
    sql = f"ALTER TABLE {each.table} VALIDATE CONSTRAINT {each.constraint}"
    return validate(each, sql, world)


def _but_for_marks(before: t.Constraint, after: t.Constraint) -> bool:
    """Whether nothing differs that would require building them again."""
    marked = replace(
        before,
        is_replica_identity=after.is_replica_identity,
        is_clustered=after.is_clustered,
        comment=after.comment,
        index_comment=after.index_comment,
    )
    return marked == after
