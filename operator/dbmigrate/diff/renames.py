"""Renames: candidates are found and shown, and executed only when they are confirmed.

Two schemas do not show a rename; it can only be guessed: the same columns under another
name. So `find_renames` gives candidates, and `read_schema(renames=...)` takes those that
were chosen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dbmigrate.diff import objects as o
from dbmigrate.diff import tables as t
from dbmigrate.diff.kinds.kind import without_attributes
from dbmigrate.diff.names import last_part, unquoted, without_last
from dbmigrate.diff.schema import Schema
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.schema.catalog import ObjectName
from dbmigrate.postgres.sqltext.quoting import literal
from dbmigrate.report import Reason


@dataclass(frozen=True, slots=True, order=True)
class Rename:
    """An object that gets another name, perhaps in another schema."""

    before: ObjectName
    """`column public.users.name`: names as SQL writes them, in quotes where they need them. An
    enum's value is `enum value public.mood.'sad'`."""
    after: ObjectName
    """Of the same kind. A column's table by the name that it has at the end."""

    def __str__(self) -> str:
        return f"{self.before} to {self.after.name}"


@dataclass(frozen=True, slots=True)
class RenameCandidate:
    """Two objects that may be one."""

    rename: Rename
    why: str
    """What is the same, for people."""


def find_renames(before: Schema, after: Schema) -> tuple[RenameCandidate, ...]:
    """What may be one renamed object: tables, columns, enum values, types, routines, ...

    An object is in one candidate at most. Nothing is done with them automatically.
    """
    gone = [each for name, each in before.objects.items() if name not in after.objects]
    come = [each for name, each in after.objects.items() if name not in before.objects]
    found = list(_same_but_for_name(gone, come, before, after))
    found += _columns(before, after)
    found += _enum_values(before, after)
    return tuple(sorted(found, key=lambda each: each.rename))


def rename_statements(renames: Sequence[Rename]) -> Iterator[tuple[Rename, str]]:
    """The statements: schemas first, then tables, then their contents, then parts.

    The names of parts are those at that point: `column public.people.name` for a table that has
    just become `people`. Raises MigrationError (SourceInvalid) for what cannot be renamed.
    """
    for rename in sorted(renames, key=lambda each: (_depth(each), each)):
        if rename.before.kind != rename.after.kind or rename.before.kind not in _STATEMENTS:
            raise MigrationError(
                Reason.SOURCE_INVALID,
                f"can't rename {rename}: {rename.before.kind} is not among what can be",
                hint=f"these can: {', '.join(sorted(_STATEMENTS))}",
            )
        for sql in _STATEMENTS[rename.before.kind](rename):
            yield rename, sql


def _depth(rename: Rename) -> int:
    kind = rename.before.kind
    if kind in ("schema", "table"):
        return 0 if kind == "schema" else 1  # a sequence moves with the table that owns it
    return 3 if kind in _PARTS or kind == "enum value" else 2


def _whole(rename: Rename) -> Iterator[str]:
    """An object with its own schema and name."""
    kind, old, new = rename.before.kind, rename.before.name, rename.after.name
    word = _WORDS.get(kind, kind.upper())
    call = f"({old.partition('(')[2]}" if "(" in old else ""
    old, new = old.partition("(")[0], new.partition("(")[0]
    if without_last(old) != without_last(new):
        yield f"ALTER {word} {old}{call} SET SCHEMA {without_last(new)}"
        old = f"{without_last(new)}.{last_part(old)}"
    if last_part(old) != last_part(new):
        yield f"ALTER {word} {old}{call} RENAME TO {last_part(new)}"


def _schema(rename: Rename) -> Iterator[str]:
    yield f"ALTER SCHEMA {rename.before.name} RENAME TO {rename.after.name}"


def _part(rename: Rename) -> Iterator[str]:
    """A part of a table, under the table's name at that point."""
    kind, table = rename.before.kind, without_last(rename.after.name)
    old, new = last_part(rename.before.name), last_part(rename.after.name)
    if kind in ("trigger", "policy", "rule"):
        yield f"ALTER {kind.upper()} {old} ON {table} RENAME TO {new}"
    elif kind == "domain constraint":
        yield f"ALTER DOMAIN {table} RENAME CONSTRAINT {old} TO {new}"
    else:
        yield f"ALTER TABLE {table} RENAME {kind.upper()} {old} TO {new}"


def _enum_value(rename: Rename) -> Iterator[str]:
    enum = without_last(rename.after.name)
    old, new = last_part(rename.before.name), last_part(rename.after.name)
    yield f"ALTER TYPE {enum} RENAME VALUE {old} TO {new}"


_PARTS = ("column", "constraint", "trigger", "policy", "rule", "domain constraint")
_WORDS = {"enum": "TYPE", "composite type": "TYPE", "range": "TYPE"}
_WHOLES = (
    "table sequence index view statistics enum domain range function procedure aggregate"
).split()
_STATEMENTS = {
    "schema": _schema,
    "enum value": _enum_value,
    "materialized view": _whole,
    "composite type": _whole,
    **dict.fromkeys(_WHOLES, _whole),
    **dict.fromkeys(_PARTS, _part),
}


def _same_but_for_name(
    gone: list[o.SchemaObject], come: list[o.SchemaObject], before: Schema, after: Schema
) -> Iterator[RenameCandidate]:
    """Objects and parts with the same content; a table's content is its columns."""
    new: dict[object, list[o.SchemaObject]] = defaultdict(list)
    for each in come:
        if each.name.kind in _STATEMENTS and each.name.kind != "column":
            new[_content(each, after)].append(each)
    for each in sorted(gone, key=lambda each: each.name):
        if each.name.kind not in _STATEMENTS or each.name.kind == "column":
            continue
        matches = new.get(_content(each, before))
        if matches:
            match = matches.pop(0)
            why = "the same columns" if isinstance(each, t.Table) else "the same definition"
            yield RenameCandidate(Rename(each.name, match.name), why)


def _content(each: o.SchemaObject, schema: Schema) -> object:
    """What stays the same when the name changes."""
    bare = each.name.name.partition("(")[0]
    own = {bare, last_part(bare), unquoted(last_part(bare))}
    if isinstance(each, t.Table):
        return each.name.kind, frozenset(_columns_of(each.name, schema))
    fields = tuple(_without(value, own) for value in without_attributes(each)[2:])
    return each.name.kind, each.part_of, fields, frozenset(_columns_of(each.name, schema))


def _without(value: object, names: set[str]) -> object:
    if not isinstance(value, str):
        return value
    for name in sorted(names, key=len, reverse=True):
        value = value.replace(name, "")
    return value


def _columns_of(name: ObjectName, schema: Schema) -> Iterator[tuple[object, ...]]:
    for part in schema.dependents.get(name, ()):
        column = schema.objects[part]
        if isinstance(column, t.Column) and column.part_of == name:
            yield column.column, column.type, column.not_null is not None


def _columns(before: Schema, after: Schema) -> Iterator[RenameCandidate]:
    """A missing column and a new one, in one table, of the same type."""
    new: dict[tuple[object, ...], list[t.Column]] = defaultdict(list)
    for each in after.objects.values():
        if isinstance(each, t.Column) and _is_alone(each, before):
            new[_likeness(each)].append(each)
    for name in sorted(before.objects):
        each = before.objects[name]
        if isinstance(each, t.Column) and _is_alone(each, after):
            matches = new.get(_likeness(each))
            if matches:
                match = min(matches, key=lambda other: abs(other.position - each.position))
                matches.remove(match)
                yield RenameCandidate(Rename(each.name, match.name), f"both {each.type}")


def _is_alone(column: t.Column, other: Schema) -> bool:
    """Whether the other schema has the table, but not the column."""
    has_table = column.part_of is not None and column.part_of in other.objects
    is_own = column.relation_kind in "rpc" and not column.is_inherited
    return has_table and is_own and column.name not in other.objects


def _likeness(column: t.Column) -> tuple[object, ...]:
    return column.relation, column.type, column.generated, column.identity


def _enum_values(before: Schema, after: Schema) -> Iterator[RenameCandidate]:
    """A missing value and a new one, in the same position."""
    for name, old in before.objects.items():
        new = after.objects.get(name)
        if not isinstance(old, o.EnumType) or not isinstance(new, o.EnumType):
            continue
        if len(old.labels) != len(new.labels):
            continue
        for one, other in zip(old.labels, new.labels, strict=True):
            if one != other and one not in new.labels and other not in old.labels:
                yield RenameCandidate(
                    Rename(_value(name.name, one), _value(name.name, other)),
                    "in the same place among the values",
                )


def _value(enum: str, label: str) -> ObjectName:
    return ObjectName("enum value", f"{enum}.{literal(label).strip()}")
