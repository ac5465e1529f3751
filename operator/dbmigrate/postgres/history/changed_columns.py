"""A version table whose columns have their names, and types that the tool does not give them.

It is the tool's table all the same, and was altered by hand. The statement that gives a column its
type back is part of the message.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.history.adapter import VersionTable
from dbmigrate.postgres.sqltext.quoting import identifier
from dbmigrate.report import Reason


class ColumnsChanged(MigrationError):
    """The table of a tool, with other types."""


def changed_columns(
    adapter: VersionTable,
    shape: Mapping[str, str],
    place: tuple[str, str],
    with_default: Collection[str],
) -> ColumnsChanged | None:
    """The error where a table of these columns is the tool's but for their types; None: it is not,
    or has the right ones."""
    wanted = adapter.types
    if not adapter.may_have_others and set(shape) != set(wanted):
        return None
    changed = [name for name, kind in wanted.items() if shape.get(name, kind) != kind]
    if not changed or not shape.keys() >= wanted.keys():
        return None
    table = ".".join(map(identifier, place))
    described = (f"{name} has the type {shape[name]}, not {wanted[name]}" for name in changed)
    actions = (_action(name, wanted[name], name in with_default) for name in changed)
    return ColumnsChanged(
        Reason.FOREIGN_HISTORY,
        f"{adapter.tool}'s table {'.'.join(place)} was changed by another hand: its column"
        f" {', and '.join(described)}",
        hint=f"give it its type back: ALTER TABLE {table} {', '.join(actions)}",
    )


def _action(column: str, kind: str, has_default: bool) -> str:
    name = identifier(column)
    # Numbers other than integer have no cast to boolean, and all have one to text.
    value = f"{name}::text::boolean" if kind == "boolean" else f"{name}::{kind}"
    drop = f"ALTER COLUMN {name} DROP DEFAULT, " if has_default else ""
    return f"{drop}ALTER COLUMN {name} TYPE {kind} USING {value}"
