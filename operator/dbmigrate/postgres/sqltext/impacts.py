"""The effect of each statement of a script on other sessions and on data.

Read from the text alone; the server is not asked. The locks are those of
PostgreSQL's manual (Explicit Locking, ALTER TABLE), and the tests compare them with
a server's pg_locks. A table that the same script creates is not used by others yet
and is left out. A statement without an impact takes no lock that blocks others
beyond the rows it writes; what the text does not show is reported as unknown.
Functions that a query calls are not examined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from dbmigrate.postgres.sqltext.analysis import analyse
from dbmigrate.postgres.sqltext.syntax_tree import (
    Node,
    ReadStatement,
    Tree,
    is_set,
    name_of,
    read_script,
    same_name,
    table_of,
    texts,
    unwrap,
    walk,
)
from dbmigrate.postgres.sqltext.table_actions import (
    FOREIGN,
    GENTLE,
    LOCKS,
    REWRITES,
    SCANS,
    STRONG,
    read_actions,
)

_BLOCKED = {
    "SHARE": "blocks writes",
    "SHARE ROW EXCLUSIVE": "blocks writes",
    "EXCLUSIVE": "blocks writes",
    "ACCESS EXCLUSIVE": "blocks reads and writes",
}
LOSES = "loses data"
UNKNOWN = "its locks and data loss are unknown"


@dataclass(frozen=True, slots=True)
class Impact:
    """What is known of one statement."""

    line: int
    """Of its start, counted from 1."""
    table: str | None = None
    """None where no one table is meant."""
    lock: str | None = None
    """One of LOCKS; None: no lock that blocks other sessions."""
    notes: tuple[str, ...] = ()
    is_destructive: bool = False
    others: tuple[tuple[str, str], ...] = ()
    """Further tables that the statement locks, each with its lock."""
    is_for_all: bool = False
    """Whether the notes and the loss of data are those of the further tables, too."""
    is_known: bool = True
    """False where the text alone can't tell: a block of code, a call, a rare statement."""

    def __str__(self) -> str:
        parts = [_describe_lock(self.lock, self.table)] if self.lock else []
        parts += [_describe_lock(lock, table) for table, lock in self.others]
        parts += self.notes
        return f"line {self.line}: {', '.join(parts)}"


def _describe_lock(lock: str, table: str | None) -> str:
    what = f" on {table}" if table else ""
    return f"{lock} lock{what}" + (f" ({_BLOCKED[lock]})" if lock in _BLOCKED else "")


def read_impacts(sql: bytes, file: str) -> tuple[Impact, ...]:
    """The statements of a script that have an impact, in their order.

    Raises MigrationError (SourceInvalid) for a script that can't be split.
    """
    created: set[str] = set()
    found = (read_impact(statement, created) for statement in read_script(sql, file))
    return tuple(impact for impact in found if impact is not None)


def read_impact(statement: ReadStatement, created: set[str]) -> Impact | None:
    """The impact of one statement; None: it has none.

    `created` are the tables that the script has created so far, to which this adds.
    """
    unknown = Impact(statement.line, notes=(f"{statement.verb}: {UNKNOWN}",), is_known=False)
    if statement.tree is None:
        return None if statement.problem is None else unknown
    return analyse(partial(_read, statement, unknown, created), lambda _: unknown)


def created_tables(tree: Tree) -> Iterator[str]:
    """The tables, materialized views and views that a statement creates."""
    kind, node = tree
    if kind == "CreateStmt":
        yield table_of(node["relation"])
    elif kind == "CreateForeignTableStmt":
        yield table_of(node["base"]["relation"])
    elif kind == "CreateTableAsStmt":
        yield table_of(node["into"]["rel"])
    elif kind == "SelectStmt" and "intoClause" in node:
        yield table_of(node["intoClause"]["rel"])
    elif kind == "ViewStmt":
        yield table_of(node["view"])


def named_object(value: Node) -> list[str]:
    """The parts of an object's name: of a table, type, function or schema."""
    kind, node = unwrap(value)
    items = {"List": "items", "TypeName": "names", "ObjectWithArgs": "objname"}.get(kind, "")
    return texts(node.get(items, ())) if items else [node["sval"]]


def _read(statement: ReadStatement, unknown: Impact, created: set[str]) -> Impact | None:
    tree = statement.tree
    if tree is None:
        return None
    if tree.kind != "ViewStmt":
        created.update(map(same_name, created_tables(tree)))
    if tree.kind == "ExplainStmt" and is_set(tree.node.get("options", ()), "analyze"):
        return _read(replace(statement, tree=unwrap(tree.node["query"])), unknown, created)
    if tree.kind in _HARMLESS:
        return None
    reader = _READERS.get(tree.kind)
    said = UNKNOWN if reader is None else reader(tree.node)
    if said == UNKNOWN:
        return unknown
    impact = None if said is None or isinstance(said, str) else replace(said, line=statement.line)
    if impact is None and any(map(_deletes, walk({tree.kind: tree.node}))):
        impact = _lost(None, None, line=statement.line)
    return _without(created, impact)


def _deletes(tree: Tree) -> bool:
    return tree.kind == "DeleteStmt" or tree.node.get("commandType") == "CMD_DELETE"


def _without(created: set[str], impact: Impact | None) -> Impact | None:
    """The impact on tables that the script did not create itself."""
    if impact is None:
        return None
    others = tuple(other for other in impact.others if same_name(other[0]) not in created)
    if impact.table is None or same_name(impact.table) not in created:
        return replace(impact, others=others)
    if not others:
        return None
    if impact.is_for_all:
        return replace(impact, table=others[0][0], others=others[1:])
    return Impact(impact.line, others[0][0], others[0][1], others=others[1:])


Said = Impact | str | None
"""UNKNOWN, or None for statements that block no session."""


def _lock(lock: str | None, tables: list[str], *notes: str) -> Impact:
    """The same lock on all of these tables."""
    first, *others = dict.fromkeys(tables or [""])
    further = tuple((other, lock) for other in others if lock)
    return Impact(0, first or None, lock, notes, others=further, is_for_all=True)


def _lost(lock: str | None, tables: list[str] | None, *notes: str, line: int = 0) -> Impact:
    impact = _lock(lock, tables or [], LOSES, *notes)
    return replace(impact, line=line, is_destructive=True)


def _relation(lock: str, *path: str, notes: tuple[str, ...] = ()) -> Callable[[Node], Said]:
    """A reader of a statement that takes one lock on its relation."""

    def read(node: Node) -> Said:
        for each in path or ("relation",):
            node = node[each]
        return _lock(lock, [table_of(node)], *notes)

    return read


def _alter_table(node: Node) -> Said:
    kind, table = node["objtype"], table_of(node["relation"])
    actions = read_actions(node)
    if kind == "OBJECT_TYPE":
        loses = any(action.loses for action in actions)
        return _lost(None, None) if loses else UNKNOWN
    if kind == "OBJECT_INDEX":
        is_known = all(action.kind in _OF_INDEX for action in actions)
        return _lock(GENTLE, [table]) if is_known else UNKNOWN
    if kind not in ("OBJECT_TABLE", "OBJECT_FOREIGN_TABLE"):
        return _lock(STRONG, [table])
    lock = LOCKS[max(LOCKS.index(action.lock) for action in actions)]
    notes = [
        note
        for action in actions
        for note, is_true in ((REWRITES, action.rewrites), (SCANS, action.scanned is not None))
        if is_true
    ]
    is_destructive = any(action.loses for action in actions)
    others = [other for action in actions for other in action.others if other[0] != table]
    return Impact(
        0,
        table,
        lock,
        (*((LOSES,) if is_destructive else ()), *dict.fromkeys(notes)),
        is_destructive,
        tuple(dict.fromkeys(others)),
    )


_OF_INDEX = ("AT_SetRelOptions", "AT_ResetRelOptions")


def _create_table(node: Node) -> Said:
    if "partbound" in node:
        return _lock(STRONG, [table_of(node["inhRelations"][0]["RangeVar"])])
    if "inhRelations" in node:
        return UNKNOWN
    keys = [
        table_of(inner["pktable"])
        for kind, inner in walk(node.get("tableElts", []))
        if kind == "Constraint" and "pktable" in inner
    ]
    return _lock(FOREIGN, keys) if keys else None


def _drop(node: Node) -> Said:
    what = node["removeType"].removeprefix("OBJECT_")
    is_cascade = node["behavior"] == "DROP_CASCADE"
    paths = [named_object(each) for each in node["objects"]]
    names = [name_of(path) for path in paths]
    if what == "INDEX":
        lock = GENTLE if node.get("concurrent") else STRONG
        return _lock(lock, names, "the same lock on its table")
    if what in ("TABLE", "MATVIEW"):
        return _lost(STRONG, names)
    if what in ("VIEW", "FOREIGN_TABLE") or (what == "SEQUENCE" and not is_cascade):
        return _lock(STRONG, names)
    if what in ("TRIGGER", "POLICY", "RULE"):
        return _lock(STRONG, [name_of(path[:-1]) for path in paths])
    if is_cascade and what in ("SCHEMA", "TYPE", "DOMAIN", "EXTENSION", "SEQUENCE"):
        return _lost(None, None)
    return UNKNOWN if is_cascade or what in ("EXTENSION", "PUBLICATION") else None


def _rename(node: Node) -> Said:
    what = node["renameType"].removeprefix("OBJECT_")
    if what == "ATTRIBUTE":
        return UNKNOWN
    if "relation" not in node:
        return None
    return _lock(GENTLE if what == "INDEX" else STRONG, [table_of(node["relation"])])


def _move(node: Node) -> Said:
    return _lock(STRONG, [table_of(node["relation"])]) if "relation" in node else None


def _comment(node: Node) -> Said:
    what = node["objtype"].removeprefix("OBJECT_")
    if what not in ("TABLE", "VIEW", "MATVIEW", "COLUMN"):
        return None
    path = named_object(node["object"])
    return _lock(GENTLE, [name_of(path[:-1] if what == "COLUMN" else path)])


def _lock_table(node: Node) -> Said:
    mode = LOCKS[_MODES[node["mode"]]] if node["mode"] in _MODES else None
    return _lock(mode, [table_of(each["RangeVar"]) for each in node["relations"]]) if mode else None


_MODES = {3: 0, 4: 1, 5: 2, 6: 3, 7: 4, 8: 5}
"""The server's numbers of the modes, and their places in LOCKS; lower modes block no other
session."""


def _vacuum(node: Node) -> Said:
    tables = [each["VacuumRelation"].get("relation") for each in node.get("rels", ())]
    names = [table_of(each) for each in tables if each]
    if node.get("is_vacuumcmd") and is_set(node.get("options", ()), "full"):
        return _lock(STRONG, names, REWRITES)
    return _lock(GENTLE, names)


def _cluster(node: Node) -> Said:
    return _lock(STRONG, [table_of(node["relation"])] if "relation" in node else [], REWRITES)


def _reindex(node: Node) -> Said:
    lock = GENTLE if is_set(node.get("params", ()), "concurrently") else "SHARE"
    is_table = node["kind"] == "REINDEX_OBJECT_TABLE"
    return _lock(lock, [table_of(node["relation"])] if is_table else [])


def _index(node: Node) -> Said:
    return _lock(GENTLE if node.get("concurrent") else "SHARE", [table_of(node["relation"])])


def _refresh(node: Node) -> Said:
    lock = "EXCLUSIVE" if node.get("concurrent") else STRONG
    return _lock(lock, [table_of(node["relation"])])


def _view(node: Node) -> Said:
    return _lock(STRONG, [table_of(node["view"])]) if node.get("replace") else None


def _query(_: Node) -> Said:
    """They lock rows alone, as intended; some of them lose data."""
    return None


_READERS: dict[str, Callable[[Node], Said]] = {
    "AlterObjectSchemaStmt": _move,
    "AlterPolicyStmt": _relation(STRONG, "table"),
    "AlterSeqStmt": _relation(FOREIGN, "sequence"),
    "AlterTableStmt": _alter_table,
    "ClusterStmt": _cluster,
    "CommentStmt": _comment,
    "CopyStmt": _query,
    "CreatePolicyStmt": _relation(STRONG, "table"),
    "CreateStatsStmt": lambda node: _lock(
        GENTLE, [table_of(each["RangeVar"]) for each in node["relations"]]
    ),
    "CreateStmt": _create_table,
    "CreateTableAsStmt": _query,
    "CreateTrigStmt": _relation(FOREIGN),
    "DeleteStmt": lambda node: _lost("ROW EXCLUSIVE", [table_of(node["relation"])]),
    "DropOwnedStmt": lambda _: _lost(None, None),
    "DropStmt": _drop,
    "DropdbStmt": lambda _: _lost(None, None),
    "IndexStmt": _index,
    "InsertStmt": _query,
    "LockStmt": _lock_table,
    "MergeStmt": _query,
    "RefreshMatViewStmt": _refresh,
    "ReindexStmt": _reindex,
    "RenameStmt": _rename,
    "RuleStmt": _relation(STRONG),
    "SelectStmt": _query,
    "TruncateStmt": lambda node: _lost(
        STRONG, [table_of(each["RangeVar"]) for each in node["relations"]]
    ),
    "UpdateStmt": _query,
    "VacuumStmt": _vacuum,
    "ViewStmt": _view,
}

_HARMLESS = frozenset(
    "AlterCollationStmt AlterDatabaseRefreshCollStmt AlterDatabaseSetStmt AlterDatabaseStmt"
    " AlterDefaultPrivilegesStmt AlterEnumStmt AlterEventTrigStmt AlterFdwStmt"
    " AlterForeignServerStmt AlterFunctionStmt AlterObjectDependsStmt AlterOpFamilyStmt"
    " AlterOperatorStmt AlterOwnerStmt AlterRoleSetStmt AlterRoleStmt AlterStatsStmt"
    " AlterSystemStmt AlterTSConfigurationStmt AlterTSDictionaryStmt AlterTableSpaceOptionsStmt"
    " AlterTypeStmt AlterUserMappingStmt CheckPointStmt ClosePortalStmt CompositeTypeStmt"
    " ConstraintsSetStmt CreateAmStmt CreateCastStmt CreateConversionStmt CreateDomainStmt"
    " CreateEnumStmt CreateEventTrigStmt CreateFdwStmt CreateForeignServerStmt"
    " CreateForeignTableStmt CreateFunctionStmt CreateOpClassStmt CreateOpFamilyStmt"
    " CreatePLangStmt CreateRangeStmt CreateRoleStmt CreateSchemaStmt CreateSeqStmt"
    " CreateTableSpaceStmt CreateTransformStmt CreateUserMappingStmt CreatedbStmt DeallocateStmt"
    " DeclareCursorStmt DefineStmt DiscardStmt DropRoleStmt DropUserMappingStmt ExplainStmt"
    " FetchStmt GrantRoleStmt GrantStmt ListenStmt LoadStmt NotifyStmt PrepareStmt"
    " TransactionStmt UnlistenStmt VariableSetStmt VariableShowStmt".split()
)
"""They lock only the rows that they write, or objects that no other session uses yet."""
