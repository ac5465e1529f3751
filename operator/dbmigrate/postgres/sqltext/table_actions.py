"""The actions of an ALTER TABLE: the lock of each, and whether it scans, rewrites or loses data.

From PostgreSQL's manual of ALTER TABLE: ACCESS EXCLUSIVE unless a lesser lock is named
there. The tests compare it with a server.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from dbmigrate.postgres.sqltext.syntax_tree import Node, table_of, texts, unwrap, walk

LOCKS = (
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
"""The table locks that block other sessions, the weakest first."""
STRONG = "ACCESS EXCLUSIVE"
GENTLE = "SHARE UPDATE EXCLUSIVE"
FOREIGN = "SHARE ROW EXCLUSIVE"

SCANS = "scans the whole table"
REWRITES = "may rewrite the whole table"

CHECKED = {
    "CONSTR_CHECK": "check",
    "CONSTR_FOREIGN": "foreign key",
    "CONSTR_UNIQUE": "unique",
    "CONSTR_PRIMARY": "primary key",
    "CONSTR_EXCLUSION": "exclusion",
    "CONSTR_NOTNULL": "not null",
}
"""Kinds of constraints that the rows of a table may break."""


@dataclass(frozen=True, slots=True)
class TableAction:
    """One action of an ALTER TABLE."""

    kind: str
    """As the grammar has it: AT_AddColumn."""
    name: str
    """Of the column or constraint; empty where it has none."""
    definition: Node = field(default_factory=dict)
    """A ColumnDef, Constraint or PartitionCmd."""
    is_cascade: bool = False

    @property
    def constraints(self) -> list[Node]:
        """The constraints that it adds, those of a new column included."""
        if self.kind == "AT_AddConstraint":
            return [self.definition]
        if self.kind == "AT_AddColumn":
            return [each["Constraint"] for each in self.definition.get("constraints", ())]
        return []

    @property
    def lock(self) -> str:
        """The lock that it takes on the table."""
        if self.kind == "AT_AddConstraint" and self.definition["contype"] == "CONSTR_FOREIGN":
            return FOREIGN
        if self.kind == "AT_DetachPartition":
            return GENTLE if self.definition.get("concurrent") else STRONG
        return _LOCKS.get(self.kind, STRONG)

    @property
    def others(self) -> Iterator[tuple[str, str]]:
        """Further tables that it locks, each with its lock."""
        for constraint in self.constraints:
            if "pktable" in constraint:
                yield table_of(constraint["pktable"]), FOREIGN
        if self.kind in ("AT_AttachPartition", "AT_DetachPartition"):
            yield table_of(self.definition["name"]), STRONG

    @property
    def rewrites(self) -> bool:
        """Whether it may rewrite all rows."""
        return self.kind in _REWRITING or self.fills_column

    @property
    def scanned(self) -> str | None:
        """What it checks all rows for, by CHECKED's words; None: nothing, as far as is known."""
        if self.rewrites:
            return None
        if self.kind == "AT_ValidateConstraint":
            return "validation"
        if self.kind == "AT_SetNotNull":
            return "not null"
        has_default = any(each["contype"] == "CONSTR_DEFAULT" for each in self.constraints)
        for constraint in self.constraints:
            what = CHECKED.get(constraint["contype"])
            is_new_column = self.kind == "AT_AddColumn"
            if is_new_column and (
                what == "not null" or (what == "foreign key" and not has_default)
            ):
                continue  # the value is the same in all rows, or NULL
            if what and not constraint.get("skip_validation") and "indexname" not in constraint:
                return what
        return None

    @property
    def loses(self) -> bool:
        """Whether it loses data."""
        return self.kind == "AT_DropColumn"

    @property
    def fills_column(self) -> bool:
        """Whether a new column has a different value in each row, which has to be written.

        A default that is the same for all rows is kept in the catalog; whether a function gives
        the same value for all rows is only known for those of the transaction's time.
        """
        if self.kind != "AT_AddColumn":
            return False
        kinds = {each["contype"]: each for each in self.constraints}
        if is_serial(self.definition) or "CONSTR_IDENTITY" in kinds:
            return True
        if "CONSTR_GENERATED" in kinds:
            return bool(kinds["CONSTR_GENERATED"].get("generated_kind") == "s")
        return "CONSTR_DEFAULT" in kinds and _is_volatile(kinds["CONSTR_DEFAULT"].get("raw_expr"))


def read_actions(alter: Node) -> list[TableAction]:
    """The actions of an AlterTableStmt, in their order."""
    commands = (each["AlterTableCmd"] for each in alter.get("cmds", ()))
    return [
        TableAction(
            each["subtype"],
            each.get("name", ""),
            unwrap(each.get("def")).node,
            each.get("behavior") == "DROP_CASCADE",
        )
        for each in commands
    ]


def is_serial(column: Node) -> bool:
    """Whether a column's type creates its own sequence."""
    names = texts(column.get("typeName", {}).get("names", ()))
    return len(names) == 1 and names[0] in _SERIAL


def _is_volatile(expression: Node | None) -> bool:
    """Whether a function is called whose value may differ from row to row."""
    return any(
        kind == "FuncCall" and texts(node.get("funcname", ()))[-1:] not in _SAME_FOR_ALL
        for kind, node in walk(expression)
    )


_LOCKS = dict.fromkeys(
    "AT_SetStatistics AT_SetOptions AT_ResetOptions AT_SetRelOptions AT_ResetRelOptions"
    " AT_ClusterOn AT_DropCluster AT_ValidateConstraint AT_AttachPartition"
    " AT_DetachPartitionFinalize".split(),
    GENTLE,
) | dict.fromkeys(
    "AT_EnableTrig AT_EnableAlwaysTrig AT_EnableReplicaTrig AT_DisableTrig AT_EnableTrigAll"
    " AT_DisableTrigAll AT_EnableTrigUser AT_DisableTrigUser".split(),
    FOREIGN,
)
_REWRITING = frozenset(
    "AT_AlterColumnType AT_SetExpression AT_SetLogged AT_SetUnLogged AT_SetTableSpace"
    " AT_SetAccessMethod".split()
)
_SERIAL = frozenset("serial bigserial smallserial serial2 serial4 serial8".split())
STABLE = frozenset(
    "abs age array_fill array_to_string btrim ceil ceiling concat concat_ws current_schema"
    " current_setting date_part date_trunc decode encode extract floor format json_build_array"
    " json_build_object jsonb_build_array jsonb_build_object left length lower lpad ltrim make_date"
    " make_interval make_timestamp make_timestamptz md5 now overlay position repeat replace right"
    " round rpad rtrim statement_timestamp string_to_array substr substring timezone to_char"
    " to_date to_json to_jsonb to_number to_timestamp to_tsvector transaction_timestamp translate"
    " trunc upper".split()
)
"""Functions of PostgreSQL's own, none of which is volatile. A test compares it with a server."""
_SAME_FOR_ALL = tuple([name] for name in STABLE)
