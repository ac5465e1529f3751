"""Tables after the statements so far: their columns' types, NOT NULL, and their indexes.

Earlier files count. Of a table that no file has created nothing is known here; the catalog
can be asked for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from dbmigrate.lint.checked_columns import CheckedColumns
from dbmigrate.lint.column_type import ColumnType, read_type
from dbmigrate.lint.finding import Finding
from dbmigrate.lint.rules import FOREIGN_KEY_UNINDEXED
from dbmigrate.postgres.sqltext.impacts import named_object
from dbmigrate.postgres.sqltext.splitter import split
from dbmigrate.postgres.sqltext.syntax_tree import (
    Node,
    Tree,
    name_of,
    read_statement,
    same_name,
    table_of,
    texts,
)
from dbmigrate.postgres.sqltext.table_actions import TableAction, read_actions

_TELLING = frozenset(("CREATE", "ALTER", "DROP"))
_KEYS = ("CONSTR_PRIMARY", "CONSTR_UNIQUE")


@dataclass(frozen=True, slots=True)
class KnownColumn:
    """A column, as far as the files tell."""

    type: ColumnType
    is_not_null: bool = False


@dataclass(slots=True)
class _Table:
    columns: dict[str, KnownColumn] = field(default_factory=dict)
    indexes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The columns of each, the first ones first; up to the first expression."""
    is_whole: bool = False
    """Whether all of it is known, since a file has made it."""


class Known:
    """The tables after the statements so far."""

    def __init__(self) -> None:
        self.checked = CheckedColumns()
        self._tables: dict[str, _Table] = {}
        self._with_index: dict[str, list[_Table]] = {}
        """The tables that have, or had, an index of that name."""

    def follow_script(self, sql: bytes, file: str) -> None:
        """Process a whole script. Raises MigrationError (SourceInvalid) if it cannot be split."""
        for statement in split(sql, file=file):
            if statement.words[:1] and statement.words[0] in _TELLING:
                read = read_statement(sql, statement)
                if read.tree is not None:
                    self.follow(read.tree)

    def follow(self, tree: Tree) -> None:
        """Record what exists after this statement."""
        self.checked.follow(tree)
        kind, node = tree
        if kind == "CreateStmt" and "inhRelations" not in node:
            self._create(node)
        elif kind == "IndexStmt" and "whereClause" not in node:
            table = self._tables.setdefault(same_name(table_of(node["relation"])), _Table())
            self._add_index(table, node.get("idxname"), _plain(node))
        elif kind == "AlterTableStmt" and node["objtype"] == "OBJECT_TABLE":
            name = same_name(table_of(node["relation"]))
            for action in read_actions(node):
                self._alter(self._tables.setdefault(name, _Table()), action)
        elif kind == "RenameStmt" and "relation" in node:
            self._rename(node)
        elif kind == "DropStmt" and node["removeType"] in ("OBJECT_TABLE", "OBJECT_INDEX"):
            for each in node["objects"]:
                path = named_object(each)
                self._drop(node["removeType"], same_name(name_of(path)), path[-1])

    def column(self, table: str, name: str) -> KnownColumn | None:
        """A column; None: unknown."""
        found = self._tables.get(same_name(table))
        return found.columns.get(name) if found else None

    def index(self, table: str, name: str) -> tuple[str, ...]:
        """The columns of an index; none where they are unknown."""
        found = self._tables.get(same_name(table))
        return found.indexes.get(name, ()) if found else ()

    def lacks_index(self, table: str, columns: Sequence[str]) -> bool:
        """Whether a file has created the table, but no index that begins with these columns."""
        found = self._tables.get(same_name(table))
        if found is None or not found.is_whole:
            return False
        size = len(columns)
        return all(set(index[:size]) != set(columns) for index in found.indexes.values())

    def without_indexed(self, found: Iterable[Finding]) -> Iterator[Finding]:
        """The findings without those of foreign keys that have an index by now."""
        for each in found:
            is_open = each.rule is not FOREIGN_KEY_UNINDEXED
            if is_open or self.lacks_index(each.table or "", each.columns):
                yield each

    def _create(self, node: Node) -> None:
        name = same_name(table_of(node["relation"]))
        if name in self._tables and node.get("if_not_exists"):
            return
        table = self._tables[name] = _Table(is_whole=True)
        for element in node.get("tableElts", ()):
            if "ColumnDef" in element:
                self._add_column(table, element["ColumnDef"])
            elif "Constraint" in element:
                self._add_constraint(table, element["Constraint"])

    def _add_column(self, table: _Table, definition: Node) -> None:
        name = definition["colname"]
        table.columns[name] = KnownColumn(read_type(definition.get("typeName", {})))
        for each in definition.get("constraints", ()):
            self._add_constraint(table, each["Constraint"], name)

    def _add_constraint(self, table: _Table, constraint: Node, column: str = "") -> None:
        kind = constraint["contype"]
        keys = tuple(texts(constraint.get("keys", ()))) or ((column,) if column else ())
        if kind in ("CONSTR_PRIMARY", "CONSTR_NOTNULL", "CONSTR_IDENTITY"):
            for each in keys:
                self._set_not_null(table, each, True)
        if kind in _KEYS and "indexname" not in constraint:
            self._add_index(table, constraint.get("conname"), keys)

    def _add_index(self, table: _Table, name: str | None, columns: tuple[str, ...]) -> None:
        name = name or f"#{len(table.indexes)}"
        table.indexes[name] = columns
        self._with_index.setdefault(name, []).append(table)

    def _alter(self, table: _Table, action: TableAction) -> None:
        if action.kind == "AT_AddColumn":
            self._add_column(table, action.definition)
        elif action.kind == "AT_DropColumn":
            table.columns.pop(action.name, None)
        elif action.kind == "AT_AddConstraint":
            self._add_constraint(table, action.definition)
        elif action.kind == "AT_DropConstraint":
            table.indexes.pop(action.name, None)
        elif action.kind in ("AT_SetNotNull", "AT_DropNotNull"):
            self._set_not_null(table, action.name, action.kind == "AT_SetNotNull")
        elif action.kind == "AT_AlterColumnType":
            column = table.columns.get(action.name, KnownColumn(ColumnType("")))
            new = read_type(action.definition.get("typeName", {}))
            table.columns[action.name] = replace(column, type=new)

    def _set_not_null(self, table: _Table, name: str, value: bool) -> None:
        if name in table.columns:
            table.columns[name] = replace(table.columns[name], is_not_null=value)

    def _rename(self, node: Node) -> None:
        name, new = same_name(table_of(node["relation"])), node["newname"]
        if node["renameType"] == "OBJECT_INDEX":
            for table in self._with_index.pop(name, ()):
                if name in table.indexes:
                    self._add_index(table, new, table.indexes.pop(name))
            return
        found = self._tables.pop(name, None)
        if found is None:
            return
        if node["renameType"] == "OBJECT_TABLE":
            name = name_of([*name.split(".")[:-1], new])
        elif node["renameType"] == "OBJECT_COLUMN" and node["subname"] in found.columns:
            found.columns[new] = found.columns.pop(node["subname"])
            for index, columns in found.indexes.items():
                found.indexes[index] = tuple(new if c == node["subname"] else c for c in columns)
        self._tables[name] = found

    def _drop(self, kind: str, name: str, last: str) -> None:
        if kind == "OBJECT_TABLE":
            self._tables.pop(name, None)
        elif kind == "OBJECT_INDEX":
            for table in self._with_index.pop(last, ()):
                table.indexes.pop(last, None)


def _plain(index: Node) -> tuple[str, ...]:
    names: list[str] = []
    for each in index["indexParams"]:
        if "name" not in each["IndexElem"]:
            break
        names.append(each["IndexElem"]["name"])
    return tuple(names)
