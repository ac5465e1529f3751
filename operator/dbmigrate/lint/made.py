"""The names of what a statement makes."""

from __future__ import annotations

from collections.abc import Iterator

from dbmigrate.postgres.sqltext.impacts import created_tables
from dbmigrate.postgres.sqltext.syntax_tree import Tree, name_of, table_of, texts

_TYPES = {
    "CreateEnumStmt": "typeName",
    "CreateRangeStmt": "typeName",
    "CreateDomainStmt": "domainname",
}


def made_relations(tree: Tree) -> Iterator[str]:
    """Tables, views, sequences and types: what one of them makes is no other's name."""
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
