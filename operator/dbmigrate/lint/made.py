"""The names of the objects that a statement creates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dbmigrate.postgres.sqltext.impacts import created_tables
from dbmigrate.postgres.sqltext.syntax_tree import (
    Node,
    Tree,
    name_of,
    same_name,
    table_of,
    texts,
    walk,
)

_TYPES = {
    "CreateEnumStmt": "typeName",
    "CreateRangeStmt": "typeName",
    "CreateDomainStmt": "domainname",
}


def made_relations(tree: Tree) -> Iterator[str]:
    """Tables, views, sequences and types, which share one namespace."""
    kind, node = tree
    yield from created_tables(tree)
    if kind == "CreateSeqStmt":
        yield table_of(node["sequence"])
    elif kind == "CompositeTypeStmt":
        yield table_of(node["typevar"])
    elif kind in _TYPES:
        yield name_of(texts(node[_TYPES[kind]]))
    elif kind == "DefineStmt" and node["kind"] == "OBJECT_TYPE":
        yield name_of(texts(node["defnames"]))


def made_objects(tree: Tree) -> Iterator[str]:
    """Those, and functions, aggregates and schemas."""
    kind, node = tree
    yield from made_relations(tree)
    if kind == "CreateFunctionStmt":
        yield name_of(texts(node["funcname"]))
    elif kind == "DefineStmt" and node["kind"] == "OBJECT_AGGREGATE":
        yield name_of(texts(node["defnames"]))
    elif kind == "CreateSchemaStmt" and "schemaname" in node:
        yield name_of([node["schemaname"]])


@dataclass(frozen=True, slots=True)
class MadeView:
    """What a view reads and returns."""

    reads: frozenset[str]
    """Tables by their names."""
    gives: frozenset[str]
    """The names of its columns, as far as the text has them."""


def read_view(node: Node) -> MadeView:
    """The content of a ViewStmt."""
    query = node["query"]
    reads = {same_name(table_of(inner)) for kind, inner in walk(query) if kind == "RangeVar"}
    gives = set(texts(node.get("aliases", ())))
    for each in query.get("SelectStmt", {}).get("targetList", ()):
        target = each["ResTarget"]
        fields = texts(target.get("val", {}).get("ColumnRef", {}).get("fields", ()))
        gives.update([target["name"]] if "name" in target else fields[-1:])
    return MadeView(frozenset(reads), frozenset(gives))
