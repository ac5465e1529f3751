"""Which columns are known to hold no NULL: those of a validated CHECK (column IS NOT NULL).

After such a check SET NOT NULL scans no rows, which is the safer form that its rule
recommends, so it is no finding. The checks may come from earlier files.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.postgres.sqltext.impacts import named_object
from dbmigrate.postgres.sqltext.syntax_tree import (
    Node,
    Tree,
    name_of,
    same_name,
    table_of,
    texts,
    unwrap,
)
from dbmigrate.postgres.sqltext.table_actions import TableAction, read_actions


@dataclass(slots=True)
class _Check:
    column: str
    is_valid: bool


class CheckedColumns:
    """The checks, by table and name, after the statements so far."""

    def __init__(self) -> None:
        self._checks: dict[str, dict[str, _Check]] = {}
        self._names: dict[tuple[str, str], set[str]] = {}
        """The checks that a column has, or had, by the table and the column."""

    def follow(self, tree: Tree) -> None:
        """Record what is checked after this statement."""
        kind, node = tree
        if kind == "RenameStmt" and "relation" in node:
            # Under a new name nothing is known; the result may only be too cautious.
            self._forget(same_name(table_of(node["relation"])))
        elif kind == "DropStmt" and node["removeType"] == "OBJECT_TABLE":
            for each in node["objects"]:
                self._forget(same_name(name_of(named_object(each))))
        elif kind == "AlterTableStmt":
            table = same_name(table_of(node["relation"]))
            for action in read_actions(node):
                self._follow_action(table, action)

    def prove_not_null(self, tree: Tree) -> bool:
        """Whether all that the statement sets NOT NULL is checked before it, and remains so."""
        if tree.kind != "AlterTableStmt":
            return False
        table = same_name(table_of(tree.node["relation"]))
        actions = read_actions(tree.node)
        dropped = {each.name for each in actions if each.kind == "AT_DropConstraint"}
        columns = [each.name for each in actions if each.kind == "AT_SetNotNull"]
        return bool(columns) and all(self._is_checked(table, each, dropped) for each in columns)

    def _is_checked(self, table: str, column: str, dropped: set[str]) -> bool:
        checks = self._checks.get(table, {})
        names = self._names.get((table, column), set()) - dropped
        found = (checks[name] for name in names if name in checks)
        return any(check.is_valid and check.column == column for check in found)

    def _follow_action(self, table: str, action: TableAction) -> None:
        if action.kind == "AT_DropConstraint":
            self._checks.get(table, {}).pop(action.name, None)
        elif action.kind == "AT_ValidateConstraint":
            check = self._checks.get(table, {}).get(action.name)
            if check is not None:
                check.is_valid = True
        for constraint in action.constraints:
            column = _tested_column(constraint)
            if column is not None:
                name = constraint.get("conname", f"{table.rpartition('.')[2]}_{column}_check")
                is_valid = not constraint.get("skip_validation")
                self._checks.setdefault(table, {})[name] = _Check(column, is_valid)
                self._names.setdefault((table, column), set()).add(name)

    def _forget(self, table: str) -> None:
        self._checks.pop(table, None)


def _tested_column(constraint: Node) -> str | None:
    """The column of a CHECK that consists of `column IS NOT NULL`."""
    kind, test = unwrap(constraint.get("raw_expr"))
    if constraint["contype"] != "CONSTR_CHECK" or kind != "NullTest":
        return None
    column = unwrap(test.get("arg"))
    names = texts(column.node.get("fields", ())) if column.kind == "ColumnRef" else []
    is_plain = len(names) == 1 and test["nulltesttype"] == "IS_NOT_NULL"
    return names[0] if is_plain else None
