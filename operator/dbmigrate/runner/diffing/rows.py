"""One row in every table, made from types and constraints, so that a plan meets rows.

A value is the same for its type everywhere, so that a foreign key finds its row. Where a check or
the bound of a partition refuses it, the constants in their texts are tried. Triggers and foreign
keys are disabled meanwhile if the role may do that. A table that takes no row stays empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dbmigrate.diff import objects as o
from dbmigrate.diff import tables as t
from dbmigrate.diff.schema import Schema
from dbmigrate.diff.world import parts
from dbmigrate.postgres.connection.errors import ServerFailure
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.schema.catalog import ObjectName
from dbmigrate.postgres.sqltext.quoting import literal

_AT_ONCE = 100
"""Statements of one message. If one fails, they are run one by one."""
_TRIES = 8
"""For each table."""
_NO_TRIGGERS = "SET LOCAL session_replication_role = replica"
_CONSTANT = re.compile(r"'((?:[^']|'')*)'|(?<![\w.])(-?\d+(?:\.\d+)?)")
_SAMPLES = {
    "boolean": "true",
    "date": "2020-01-01",
    "timestamp": "2020-01-01 00:00:00",
    "time": "10:00:00",
    "interval": "1 day",
    "uuid": "00000000-0000-0000-0000-000000000001",
    "json": "{}",
    "jsonb": "{}",
    "bytea": "\\x01",
    "inet": "10.0.0.1",
    "cidr": "10.0.0.0/24",
    "macaddr": "08:00:2b:01:02:03",
    "point": "(1,1)",
    "box": "((0,0),(1,1))",
    "circle": "<(0,0),1>",
    "tsvector": "a",
    "tsquery": "a",
    "xml": "<a/>",
    "pg_lsn": "0/1",
}
_NUMBERS = frozenset(
    "smallint integer bigint numeric real double oid money character text name".split()
)


def insert_rows(session: Session, schema: Schema) -> tuple[str, ...]:
    """The tables that have none. Raises ServerFailure, ConnectionBroken."""
    tables = [
        each
        for each in schema.objects.values()
        if isinstance(each, t.Table) and not each.is_partitioned
    ]
    may_skip = _is_done(session, [_NO_TRIGGERS])
    tries = {each.name.name: list(_statements(each, schema)) for each in tables}
    left: list[str] = []
    names = sorted(tries)
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        if not _is_done(session, [tries[name][0] for name in some], may_skip):
            left += [name for name in some if not _has_taken(session, tries[name], may_skip)]
    # Without that right a foreign key waits for the row that it leads to.
    return tuple(name for name in left if may_skip or not _has_taken(session, tries[name], False))


def _has_taken(session: Session, statements: list[str], may_skip: bool) -> bool:
    return any(_is_done(session, [statement], may_skip) for statement in statements)


def _is_done(session: Session, statements: list[str], may_skip: bool = False) -> bool:
    first = [_NO_TRIGGERS] if may_skip else []
    try:
        session.query("; ".join(("BEGIN", *first, *statements, "COMMIT")))
    except ServerFailure:
        session.roll_back()
        return False
    return True


def _statements(table: t.Table, schema: Schema) -> Iterator[str]:
    """The same row with other values, best first."""
    found = [part for part in parts(schema, table.name) if isinstance(part, t.Column)]
    columns = [column for column in found if not column.generated]
    if not columns:
        yield f"INSERT INTO {table.name.name} DEFAULT VALUES"
        return
    constants = _constants(table, schema)
    names = ", ".join(column.column for column in columns)
    for number in range(_TRIES):
        values = ", ".join(_value(column, schema, constants, number) for column in columns)
        yield (f"INSERT INTO {table.name.name} ({names}) OVERRIDING SYSTEM VALUE VALUES ({values})")


def _value(column: t.Column, schema: Schema, constants: dict[str, list[str]], number: int) -> str:
    tried = constants.get(column.column, [])
    if tried and number:
        return f"{literal(tried[(number - 1) % len(tried)]).strip()}::{column.type}"
    made = _sample(column.type, schema)
    return "NULL" if made is None else f"{literal(made).strip()}::{column.type}"


def _sample(type_name: str, schema: Schema) -> str | None:
    if type_name.endswith("[]"):
        inner = _sample(type_name[:-2], schema)
        return None if inner is None else "{" + '"' + inner.replace('"', '\\"') + '"' + "}"
    word = type_name.partition("(")[0].partition(" ")[0].strip('"')
    if word in _SAMPLES:
        return _SAMPLES[word]
    if word in _NUMBERS:
        return "1"
    if word.startswith("bit"):
        size = type_name.partition("(")[2].partition(")")[0]
        return "1" * (1 if "varying" in type_name else int(size or 1))
    for kind in ("enum", "domain"):
        found = schema.objects.get(ObjectName(kind, type_name))
        if isinstance(found, o.EnumType):
            return found.labels[0] if found.labels else None
        if isinstance(found, o.Domain):
            return _sample(found.base, schema)
    if word.endswith(("range", "multirange")):
        return "{}" if word.endswith("multirange") else "empty"
    return None


def _constants(table: t.Table, schema: Schema) -> dict[str, list[str]]:
    """Values that checks and bounds name, for the columns that they are about."""
    texts: list[tuple[str, tuple[str, ...]]] = []
    for part in parts(schema, table.name):
        if isinstance(part, t.Constraint) and part.type == "c":
            texts.append((part.definition, part.columns))
        elif isinstance(part, t.Column):
            texts += [(text, (part.column,)) for text in _domain_checks(part.type, schema)]
    child = table.name.name
    while (attachment := schema.objects.get(ObjectName("partition", child))) is not None:
        if not isinstance(attachment, t.Attachment):
            break
        above = schema.objects.get(ObjectName("table", attachment.parent))
        key = above.partition_key if isinstance(above, t.Table) else None
        texts.insert(0, (attachment.bound, tuple(re.findall(r'"[^"]+"|\w+', key or ""))))
        child = attachment.parent
    found: dict[str, list[str]] = {}
    for text, columns in texts:
        for match in _CONSTANT.finditer(text):
            for column in columns:
                found.setdefault(column, []).extend(_near(match))
    return found


def _near(match: re.Match[str]) -> list[str]:
    text, number = match.groups()
    if number is None:
        return [text.replace("''", "'")]
    if "." in number:
        return [number]
    return [number, str(int(number) + 1), str(int(number) - 1)]


def _domain_checks(type_name: str, schema: Schema) -> Iterator[str]:
    domain = schema.objects.get(ObjectName("domain", type_name))
    while isinstance(domain, o.Domain):
        for part in parts(schema, domain.name):
            if isinstance(part, o.DomainConstraint):
                yield part.definition
        domain = schema.objects.get(ObjectName("domain", domain.base))
