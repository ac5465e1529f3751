"""A column's definition, and the settings that do not fit into it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from dbmigrate.diff import tables as t
from dbmigrate.diff.kinds.column_type import changes_type
from dbmigrate.diff.kinds.identity import identity_clause
from dbmigrate.diff.kinds.kind import alter
from dbmigrate.diff.kinds.not_null import name_clause, not_null_clause, not_null_comment
from dbmigrate.diff.step import PlannedStatement, Slot
from dbmigrate.diff.world import World
from dbmigrate.postgres.schema.catalog import ObjectName

_STORAGES = {"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"}
_COMPRESSIONS = {"p": "pglz", "l": "lz4", "": "default"}


def clause(each: t.Column, default: t.Default | None, world: World) -> str:
    """The column as CREATE TABLE and ADD COLUMN have it."""
    words = [each.column, each.type]
    if each.collation is not None:
        words.append(f"COLLATE {each.collation}")
    if each.compression:
        words.append(f"COMPRESSION {_COMPRESSIONS[each.compression]}")
    if each.generated:
        stored = "STORED" if each.generated == "s" else "VIRTUAL"
        words.append(f"GENERATED ALWAYS AS ({each.expression}) {stored}")
    elif each.identity and not each.is_inherited:
        # A partition gets that of its parent when it is attached, and must not have its own.
        words.append(identity_clause(each))
    elif default is not None:
        words.append(f"DEFAULT {default.expression}")
    if each.not_null is not None and each.not_null.is_validated:
        words.append(not_null_clause(each, each.not_null, world))
    return " ".join(words)


def attribute(each: t.Column) -> str:
    """The attribute as CREATE TYPE has it."""
    collation = f" COLLATE {each.collation}" if each.collation is not None else ""
    return f"{each.column} {each.type}{collation}"


def inline_default(each: t.Column, world: World) -> t.Default | None:
    """The default, if it can be given where the column is created."""
    found = world.after.objects.get(ObjectName("default", each.name.name))
    if not isinstance(found, t.Default) or world.comes_back(found, each.name, world.after):
        return None
    return found


def settings(before: t.Column | None, after: t.Column, world: World) -> Iterator[PlannedStatement]:
    """What does not fit into the column's definition, or not in every server version."""
    later = partial(alter, after, slot=Slot.FINISH)
    prefix = f"ALTER TABLE ONLY {after.relation} ALTER COLUMN {after.column}"
    old_storage = before.storage if before is not None else after.default_storage
    if before is not None and changes_type(before, after, world):
        old_storage = after.default_storage
    if after.storage != old_storage:
        yield later(f"{prefix} SET STORAGE {_STORAGES[after.storage]}")
    if before is not None and after.compression != before.compression:
        yield later(f"{prefix} SET COMPRESSION {_COMPRESSIONS[after.compression]}")
    if after.statistics != (before.statistics if before is not None else None):
        target = -1 if after.statistics is None else after.statistics
        yield later(f"{prefix} SET STATISTICS {target}")
    old = set(before.options) if before is not None else set()
    gone = {each.partition("=")[0] for each in old} - {
        each.partition("=")[0] for each in after.options
    }
    if gone:
        yield later(f"{prefix} RESET ({', '.join(sorted(gone))})")
    new = [each for each in after.options if each not in old]
    if new:
        yield later(f"{prefix} SET ({', '.join(new)})")
    if before is None:
        yield from not_null_comment(after, None)
    missing = after.not_null is not None and not after.not_null.is_validated
    if before is None and missing and after.not_null is not None:
        name = name_clause(after, after.not_null, world)
        yield later(f"ALTER TABLE {after.relation} ADD {name}NOT NULL {after.column} NOT VALID")
