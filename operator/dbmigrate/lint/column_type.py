"""Types of columns, and which changes of them rewrite no row.

The server keeps the rows where the new type holds every value of the old one in the same
form: a longer limit or none, text for varchar, more digits of the same scale.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.postgres.sqltext.syntax_tree import Node, Unreadable, parse, texts, unwrap

_LIMITED = frozenset(("varchar", "varbit"))
_PRECISE = frozenset(("timestamp", "timestamptz", "time", "timetz"))


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A type by the server's own name for it; empty: not known, or an array."""

    name: str
    limits: tuple[int, ...] = ()
    """What stands in its parentheses."""

    def widens_to(self, new: ColumnType) -> bool:
        """Whether a change to the new type neither rewrites nor scans rows."""
        if not self.name or not new.name:
            return False
        if self == new:
            return True
        if self.name == "varchar" and new.name == "text":
            return True
        if self.name == "text":
            return new == ColumnType("varchar")
        if self.name != new.name:
            return False
        if self.name in _LIMITED | _PRECISE:
            return bool(self.limits) and (not new.limits or self.limits <= new.limits)
        if self.name == "numeric":
            (old_digits, old_scale), digits = _digits(self), _digits(new)
            is_longer = bool(new.limits) and old_digits <= digits[0] and old_scale == digits[1]
            return bool(self.limits) and (not new.limits or is_longer)
        return False


def read_type(node: Node) -> ColumnType:
    """The type of a TypeName; one that is not known for an array or a qualified type."""
    names = texts(node.get("names", ()))
    if names[:1] == ["pg_catalog"]:
        names = names[1:]
    if len(names) != 1 or "arrayBounds" in node or "setof" in node:
        return ColumnType("")
    limits = []
    for each in node.get("typmods", ()):
        kind, constant = unwrap(each)
        if kind != "A_Const" or "ival" not in constant:
            return ColumnType("")
        limits.append(int(constant["ival"].get("ival", 0)))
    return ColumnType(names[0], tuple(limits))


def parse_type(text: str) -> ColumnType:
    """The type as the server's format_type writes it."""
    try:
        tree = parse(f"SELECT NULL::{text}".encode())
    except Unreadable:
        return ColumnType("")
    (target,) = tree.node["targetList"]
    return read_type(unwrap(target["ResTarget"]["val"]).node.get("typeName", {}))


def _digits(of: ColumnType) -> tuple[int, int]:
    return of.limits[0] if of.limits else 0, of.limits[1] if len(of.limits) > 1 else 0
