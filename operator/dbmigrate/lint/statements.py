"""The rules for single statements, on their trees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from dbmigrate.lint import rules
from dbmigrate.lint.column_type import read_type
from dbmigrate.lint.finding import Rule, TypeChange
from dbmigrate.postgres.sqltext.impacts import named_object
from dbmigrate.postgres.sqltext.syntax_tree import (
    Node,
    Tree,
    is_set,
    name_of,
    table_of,
    texts,
    unwrap,
    walk,
)
from dbmigrate.postgres.sqltext.table_actions import CHECKED, TableAction, is_serial, read_actions

BLOCKING = ("SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE")
"""The locks that block at least writes."""


class FoundTable(NamedTuple):
    """A rule, and what it is about."""

    rule: Rule
    table: str | None = None
    change: TypeChange | None = None
    columns: tuple[str, ...] = ()
    """Those of a foreign key, or the one that is dropped or renamed."""
    key_index: str = ""
    """What a primary key uses."""
    is_own: bool = False
    """Whether it also applies to a table that the script creates itself."""


def judge_statement(tree: Tree) -> Iterator[FoundTable]:
    """The findings. Tables that the script has created itself are the caller's concern."""
    kind, node = tree
    if kind == "ExplainStmt" and is_set(node.get("options", ()), "analyze"):
        yield from judge_statement(unwrap(node["query"]))
        return
    judge = _JUDGES.get(kind)
    if judge is not None:
        yield from judge(node)
    if kind in _WITH_QUERIES:
        yield from _writes(tree)
    if kind in _CASCADING and node.get("behavior") == "DROP_CASCADE":
        yield FoundTable(rules.CASCADES, None)


_CASCADING = ("DropStmt", "TruncateStmt", "DropOwnedStmt")


def _create_index(node: Node) -> Iterator[FoundTable]:
    table = table_of(node["relation"])
    if not node["relation"].get("inh"):
        return  # that of a partitioned table alone, which has no rows
    if not node.get("concurrent"):
        yield FoundTable(rules.INDEX_BLOCKS_WRITES, table)
    elif node.get("if_not_exists"):
        yield FoundTable(rules.INDEX_IF_NOT_EXISTS, table)
    if node.get("unique"):
        yield FoundTable(rules.UNIQUE_MAY_FAIL, table)


def _create_table(node: Node) -> Iterator[FoundTable]:
    if "partbound" in node:
        yield FoundTable(rules.PARTITION_BLOCKS, table_of(node["inhRelations"][0]["RangeVar"]))
    table = table_of(node["relation"])
    for element in node.get("tableElts", ()):
        kind, part = unwrap(element)
        for found in _judge_column(part) if kind == "ColumnDef" else ():
            yield found._replace(table=table, is_own=True)
        keys = (
            [part]
            if kind == "Constraint"
            else [c["Constraint"] for c in part.get("constraints", ())]
        )
        for key in keys:
            if key["contype"] == "CONSTR_FOREIGN":
                columns = tuple(texts(key.get("fk_attrs", ()))) or (part["colname"],)
                yield FoundTable(rules.FOREIGN_KEY_UNINDEXED, table, columns=columns, is_own=True)


def _drop(node: Node) -> Iterator[FoundTable]:
    what = node["removeType"].removeprefix("OBJECT_")
    names = [name_of(named_object(each)) for each in node["objects"]]
    if what == "INDEX":
        if not node.get("concurrent"):
            yield FoundTable(rules.DROP_INDEX_BLOCKS, None)
    elif what == "TABLE":
        for table in names:
            yield FoundTable(rules.TABLE_DROPPED, table)
    elif what == "SCHEMA" and node["behavior"] == "DROP_CASCADE":
        yield FoundTable(rules.DATA_DESTROYED, None)
    elif what in _USED_BY_NAME:
        for name in names:
            yield FoundTable(rules.OBJECT_DROPPED, name)


def _rename(node: Node) -> Iterator[FoundTable]:
    what = node["renameType"].removeprefix("OBJECT_")
    if what in ("TABLE", "COLUMN", "ATTRIBUTE") or what in _USED_BY_NAME:
        columns = (node["subname"],) if what == "COLUMN" else ()
        yield FoundTable(rules.RENAMED, _name_of_object(node), columns=columns)


def _move(node: Node) -> Iterator[FoundTable]:
    what = node["objectType"].removeprefix("OBJECT_")
    if what == "TABLE" or what in _USED_BY_NAME:
        yield FoundTable(rules.RENAMED, _name_of_object(node))


def _name_of_object(node: Node) -> str | None:
    if "relation" in node:
        return table_of(node["relation"])
    if "object" in node:
        return name_of(named_object(node["object"]))
    return name_of([node["subname"]]) if "subname" in node else None


def _alter_enum(node: Node) -> Iterator[FoundTable]:
    if "oldVal" in node:
        yield FoundTable(rules.RENAMED, name_of(texts(node["typeName"])))


def _alter_domain(node: Node) -> Iterator[FoundTable]:
    constraint = unwrap(node.get("def")).node
    is_checked = node["subtype"] == "C" and not constraint.get("skip_validation")
    if is_checked or node["subtype"] == "O":
        yield FoundTable(rules.DOMAIN_SCANS, name_of(texts(node["typeName"])))


_USED_BY_NAME = frozenset(
    "SCHEMA VIEW MATVIEW SEQUENCE TYPE DOMAIN FUNCTION PROCEDURE ROUTINE AGGREGATE FOREIGN_TABLE"
    " EXTENSION".split()
)
"""Kinds of objects that an application names."""


def _alter_table(node: Node) -> Iterator[FoundTable]:
    table = table_of(node["relation"])
    actions = read_actions(node)
    if node["objtype"] == "OBJECT_TYPE":
        for action in actions:
            if action.loses:
                yield FoundTable(rules.ATTRIBUTE_DROPPED, table)
            if action.is_cascade:
                yield FoundTable(rules.CASCADES)
    if node["objtype"] not in ("OBJECT_TABLE", "OBJECT_FOREIGN_TABLE"):
        return
    for action in actions:
        if action.kind == "AT_AttachPartition":
            yield FoundTable(rules.ATTACH_SCANS, table_of(action.definition["name"]))
        for found in _judge_action(action):
            yield found._replace(table=table)
        if action.is_cascade:
            yield FoundTable(rules.CASCADES)
    is_validated = any(action.kind == "AT_ValidateConstraint" for action in actions)
    if is_validated and any(action.lock in BLOCKING for action in actions):
        yield FoundTable(rules.VALIDATED_AT_ONCE, table)


def _judge_action(action: TableAction) -> Iterator[FoundTable]:
    if action.kind == "AT_AlterColumnType":
        is_plain = "raw_default" not in action.definition
        new = read_type(action.definition.get("typeName", {}))
        yield FoundTable(rules.TYPE_REWRITES, change=TypeChange(action.name, new, is_plain))
    elif action.kind in _BY_KIND:
        yield FoundTable(_BY_KIND[action.kind], columns=(action.name,))
    elif action.kind == "AT_DetachPartition" and not action.definition.get("concurrent"):
        yield FoundTable(rules.DETACH_BLOCKS)
    elif action.rewrites:
        yield FoundTable(rules.DEFAULT_REWRITES if action.fills_column else rules.TABLE_REWRITES)
    elif action.scanned in _SCANS:
        yield FoundTable(_SCANS[action.scanned])
    if action.kind == "AT_AddColumn":
        if _is_required(action):
            yield FoundTable(rules.REQUIRED_COLUMN)
        yield from _judge_column(action.definition)
    for constraint in action.constraints:
        yield from _judge_constraint(action, constraint)


def _judge_constraint(action: TableAction, constraint: Node) -> Iterator[FoundTable]:
    takes_index = "indexname" in constraint  # and the index's name, too
    is_new = action.kind == "AT_AddConstraint" and constraint["contype"] in CHECKED
    if is_new and "conname" not in constraint and not takes_index:
        yield FoundTable(rules.CONSTRAINT_UNNAMED)
    is_unique = constraint["contype"] in ("CONSTR_UNIQUE", "CONSTR_PRIMARY")
    if is_new and is_unique and not takes_index:
        yield FoundTable(rules.UNIQUE_MAY_FAIL)
    if takes_index and constraint["contype"] == "CONSTR_PRIMARY":
        yield FoundTable(rules.PRIMARY_KEY_SCANS, key_index=constraint["indexname"])
    if constraint["contype"] == "CONSTR_FOREIGN":
        columns = tuple(texts(constraint.get("fk_attrs", ()))) or (action.definition["colname"],)
        yield FoundTable(rules.FOREIGN_KEY_UNINDEXED, columns=columns)


def _judge_column(column: Node) -> Iterator[FoundTable]:
    if read_type(column.get("typeName", {})).name == "json":
        yield FoundTable(rules.JSON_COLUMN)


_BY_KIND = {
    "AT_DropColumn": rules.COLUMN_DROPPED,
    "AT_DropConstraint": rules.CONSTRAINT_DROPPED,
    "AT_DropNotNull": rules.NOT_NULL_DROPPED,
    "AT_EnableRowSecurity": rules.ROW_SECURITY,
}
_SCANS: dict[str | None, Rule] = {
    "check": rules.CHECK_SCANS,
    "exclusion": rules.EXCLUDE_BUILDS_INDEX,
    "foreign key": rules.FOREIGN_KEY_SCANS,
    "not null": rules.NOT_NULL_SCANS,
    "primary key": rules.UNIQUE_BUILDS_INDEX,
    "unique": rules.UNIQUE_BUILDS_INDEX,
}


def _is_required(action: TableAction) -> bool:
    kinds = {each["contype"] for each in action.constraints}
    has_value = kinds & {"CONSTR_DEFAULT", "CONSTR_GENERATED", "CONSTR_IDENTITY"}
    must_have_one = kinds & {"CONSTR_NOTNULL", "CONSTR_PRIMARY"}
    return bool(must_have_one) and not has_value and not is_serial(action.definition)


def _writes(tree: Tree) -> Iterator[FoundTable]:
    """Each UPDATE and DELETE of the statement, those of its WITH, too."""
    # Only a WITH of the statement as a whole may hold another one that writes.
    is_alone = tree.kind in ("UpdateStmt", "DeleteStmt") and "withClause" not in tree.node
    for kind, node in [tree] if is_alone else walk({tree.kind: tree.node}):
        if kind not in ("UpdateStmt", "DeleteStmt") or "whereClause" in node:
            continue
        table = table_of(node["relation"])
        if kind == "DeleteStmt" and is_alone:
            yield FoundTable(
                rules.DATA_DESTROYED, table
            )  # with a WITH the rows may be on their way
        yield FoundTable(rules.EVERY_ROW, table)


_WITH_QUERIES = ("CopyStmt", "DeleteStmt", "InsertStmt", "MergeStmt", "SelectStmt", "UpdateStmt")


def _truncate(node: Node) -> Iterator[FoundTable]:
    for each in node["relations"]:
        yield FoundTable(rules.DATA_DESTROYED, table_of(each["RangeVar"]))


def _destroy(_: Node) -> Iterator[FoundTable]:
    yield FoundTable(rules.DATA_DESTROYED, None)


def _cluster(node: Node) -> Iterator[FoundTable]:
    yield FoundTable(
        rules.TABLE_REWRITES, table_of(node["relation"]) if "relation" in node else None
    )


def _vacuum(node: Node) -> Iterator[FoundTable]:
    if node.get("is_vacuumcmd") and is_set(node.get("options", ()), "full"):
        for each in node.get("rels", ()):
            yield FoundTable(rules.TABLE_REWRITES, table_of(each["VacuumRelation"]["relation"]))
        if not node.get("rels"):
            yield FoundTable(rules.TABLE_REWRITES, None)


def _lock(node: Node) -> Iterator[FoundTable]:
    if node["mode"] > _GENTLE:
        for each in node["relations"]:
            yield FoundTable(rules.LOCKS_TABLE, table_of(each["RangeVar"]))


_GENTLE = 4
"""The server's number of SHARE UPDATE EXCLUSIVE: under that others read and write."""


def _refresh(node: Node) -> Iterator[FoundTable]:
    if not node.get("concurrent"):
        yield FoundTable(rules.REFRESH_BLOCKS, table_of(node["relation"]))


def _reindex(node: Node) -> Iterator[FoundTable]:
    if not is_set(node.get("params", ()), "concurrently"):
        is_table = node["kind"] == "REINDEX_OBJECT_TABLE"
        yield FoundTable(rules.REINDEX_BLOCKS, table_of(node["relation"]) if is_table else None)


_JUDGES: dict[str, Callable[[Node], Iterator[FoundTable]]] = {
    "AlterDomainStmt": _alter_domain,
    "AlterEnumStmt": _alter_enum,
    "AlterObjectSchemaStmt": _move,
    "AlterTableStmt": _alter_table,
    "ClusterStmt": _cluster,
    "CreateStmt": _create_table,
    "DropOwnedStmt": _destroy,
    "DropStmt": _drop,
    "DropdbStmt": _destroy,
    "IndexStmt": _create_index,
    "LockStmt": _lock,
    "RefreshMatViewStmt": _refresh,
    "ReindexStmt": _reindex,
    "RenameStmt": _rename,
    "TruncateStmt": _truncate,
    "VacuumStmt": _vacuum,
}
