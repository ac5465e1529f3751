"""All that is to be said of one script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from dbmigrate.lint import rules
from dbmigrate.lint.checked_columns import CheckedColumns
from dbmigrate.lint.code_block import read_block
from dbmigrate.lint.finding import Finding, Rule
from dbmigrate.lint.ignore import Ignore, read_ignores, without_ignored
from dbmigrate.lint.made import made_objects, made_relations
from dbmigrate.lint.statements import BLOCKING, judge_statement
from dbmigrate.postgres.sqltext.analysis import analyse
from dbmigrate.postgres.sqltext.impacts import Impact, created_tables, read_impact
from dbmigrate.postgres.sqltext.splitter import split
from dbmigrate.postgres.sqltext.syntax_tree import (
    ReadStatement,
    Tree,
    name_of,
    read_statement,
    same_name,
    table_of,
)
from dbmigrate.postgres.sqltext.table_actions import GENTLE, SCANS, STRONG
from dbmigrate.postgres.sqltext.transaction_mode import TransactionKind, transaction_mode


@dataclass(frozen=True, slots=True)
class Judged:
    """What there is to say of a script."""

    findings: tuple[Finding, ...]
    made: frozenset[str]
    """The tables and views that it makes."""


def judge_script(
    sql: bytes,
    file: str,
    *,
    has_down: bool = True,
    others: Sequence[Finding] | None = None,
    checked: CheckedColumns | None = None,
) -> tuple[Finding, ...]:
    """The findings of an up script; see `judge`."""
    return judge(sql, file, has_down=has_down, others=others, checked=checked).findings


def judge(
    sql: bytes,
    file: str,
    *,
    has_down: bool = True,
    others: Sequence[Finding] | None = None,
    checked: CheckedColumns | None = None,
) -> Judged:
    """The findings of an up script, without those that it says to ignore.

    `others` are another linter's; None: it was not asked. `checked` is what the scripts
    before it have checked, and then what this one has as well.
    Raises MigrationError (SourceInvalid) for a script that can't be split.
    """
    reading = _Reading(file, checked or CheckedColumns())
    for statement in split(sql, file=file):
        if statement.words:
            read = read_statement(sql, statement)
            reading.take(read, sql[statement.start : statement.end])
    found = [*reading.findings(), *_judge_whole(sql, file, reading)]
    if not has_down:
        found.append(make(rules.NO_DOWN_SCRIPT, file, 1))
    found += others or ()
    ignores = read_ignores(sql)
    kept = [*without_ignored(found, ignores, reading.starts)]
    kept += _unused(ignores, file, asked_others=others is not None)
    kept.sort(key=lambda each: (each.line, each.rule.name))
    return Judged(tuple(kept), frozenset(reading.tables))


def make(rule: Rule, file: str, line: int, table: str | None = None, note: str = "") -> Finding:
    """A finding as the rule has it."""
    return Finding(rule, file, line, rule.severity, table, note)


class _Reading:
    """What the statements of a script are known to do, one after the other.

    Their trees are not kept: those of all would fill memory.
    """

    def __init__(self, file: str, checked: CheckedColumns) -> None:
        self._file = file
        self._checked = checked
        self._found: list[Finding] = []
        self._made: set[str] = set()
        """What this script has made so far, and is its own."""
        self._excused: dict[Rule, set[str]] = {
            rules.OBJECT_DROPPED: set(),
            rules.ROW_SECURITY: set(),
        }
        self._created: set[str] = set()
        self.tables: set[str] = set()
        self.impacts: list[Impact] = []
        self.starts: dict[int, list[int]] = {}
        """The first line of each statement, with those of the statements in it."""
        self.writes: list[int] = []
        """The lines of statements that may change many rows."""
        self.count = 0

    def take(self, read: ReadStatement, text: bytes) -> None:
        """The next statement of the script."""
        self.count += 1
        none: list[ReadStatement] = []
        block = analyse(partial(read_block, read, text), lambda _: none)
        self.starts.setdefault(read.line, []).extend(each.line for each in block)
        for each in (read, *block):
            self._found += analyse(partial(self._judge, each), partial(self._unknown, each.line))
        impact = read_impact(read, self._created)
        if impact is not None:
            self.impacts.append(impact)
        if _changes_rows(read):
            self.writes.append(read.line)

    def findings(self) -> Iterator[Finding]:
        """What is said of the statements, but for what the whole of the script makes harmless.

        What is dropped and made anew is not gone, and row security with a policy lets rows
        through.
        """
        for finding in self._found:
            excused = self._excused.get(finding.rule, ())
            if finding.table is None or same_name(finding.table) not in excused:
                yield finding

    def _judge(self, read: ReadStatement) -> list[Finding]:
        if read.problem is not None:
            return self._unknown(read.line, read.problem)
        if read.tree is None:
            return []
        tree = read.tree
        self._note_made(tree)
        found = []
        for rule, table in judge_statement(tree):
            if rule is rules.NOT_NULL_SCANS and self._checked.prove_not_null(tree):
                continue
            if table is None or same_name(table) not in self._made:
                found.append(make(rule, self._file, read.line, table))
        self._follow_new_name(tree)
        self._checked.follow(tree)
        return found

    def _note_made(self, tree: Tree) -> None:
        self._made.update(map(same_name, made_relations(tree)))
        self.tables.update(map(same_name, created_tables(tree)))
        self._excused[rules.OBJECT_DROPPED].update(map(same_name, made_objects(tree)))
        if tree.kind == "CreatePolicyStmt":
            self._excused[rules.ROW_SECURITY].add(same_name(table_of(tree.node["table"])))

    def _follow_new_name(self, tree: Tree) -> None:
        """What the script has made goes on to be its own by another name."""
        kind, node = tree
        if kind == "RenameStmt" and node["renameType"] == "OBJECT_TABLE":
            name = same_name(table_of(node["relation"]))
            if name in self._made:
                self._made.remove(name)
                self._made.add(name_of([node["newname"]]))

    def _unknown(self, line: int, problem: str) -> list[Finding]:
        return [make(rules.NOT_ANALYSED, self._file, line, note=problem)]


def _judge_whole(sql: bytes, file: str, reading: _Reading) -> Iterator[Finding]:
    mode = transaction_mode(sql, file)
    if mode.kind is TransactionKind.BATCHED:
        return
    if mode.kind is TransactionKind.NONE:
        if reading.count > 1:
            line = mode.causes[0].line if mode.causes else 1
            yield make(rules.NOT_ONE_TRANSACTION, file, line)
        return
    locked: list[str] = []
    held: set[str | None] = set()
    lock_line = None
    for impact in reading.impacts:
        table = None if impact.table is None else same_name(impact.table)
        if SCANS in impact.notes and impact.lock == GENTLE and table in held:
            yield make(rules.VALIDATED_AT_ONCE, file, impact.line, impact.table)
        if impact.lock in BLOCKING:
            held.add(table)
        if impact.lock == STRONG and table is not None:
            lock_line = lock_line or impact.line
            if table not in locked:
                locked.append(table)
                if len(locked) == 2:
                    yield make(rules.MANY_LOCKS, file, impact.line, impact.table)
    for line in reading.writes:
        if lock_line is not None and line >= lock_line:
            only = locked[0] if len(locked) == 1 else None
            yield make(rules.DATA_UNDER_LOCK, file, line, only)
            return


def _changes_rows(read: ReadStatement) -> bool:
    """Whether these may be many: a few that are written down are quick."""
    if read.tree is None:
        return False
    kind, node = read.tree
    if kind == "InsertStmt":
        query = node.get("selectStmt", {}).get("SelectStmt", {})
        return bool(query) and "valuesLists" not in query
    return kind in ("UpdateStmt", "DeleteStmt", "MergeStmt")


def _unused(ignores: Iterable[Ignore], file: str, *, asked_others: bool) -> Iterator[Finding]:
    for ignore in ignores:
        if ignore.is_atlas:
            continue
        missing = [
            name
            for name in ignore.names
            if name not in ignore.used and (asked_others or ":" not in name)
        ]
        if missing or not ignore.names:
            yield make(rules.IGNORE_UNUSED, file, ignore.line, note=", ".join(missing))
