"""All findings about one script."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from dbmigrate.lint import rules
from dbmigrate.lint.code_block import read_block
from dbmigrate.lint.finding import Finding, Rule
from dbmigrate.lint.ignore import Ignore, read_ignores, without_ignored
from dbmigrate.lint.known import Known
from dbmigrate.lint.made import MadeView, made_objects, made_relations, read_view
from dbmigrate.lint.statements import BLOCKING, FoundTable, judge_statement
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
from dbmigrate.postgres.sqltext.tokens import TokenKind, tokens
from dbmigrate.postgres.sqltext.transaction_mode import TransactionKind, transaction_mode


@dataclass(frozen=True, slots=True)
class Judged:
    """The findings about a script."""

    findings: tuple[Finding, ...]
    made: frozenset[str]
    """The tables and views that it makes."""


def judge_script(
    sql: bytes,
    file: str,
    *,
    has_down: bool = True,
    others: Sequence[Finding] | None = None,
    known: Known | None = None,
) -> tuple[Finding, ...]:
    """The findings of an up script; see `judge`."""
    return judge(sql, file, has_down=has_down, others=others, known=known).findings


def judge(
    sql: bytes,
    file: str,
    *,
    has_down: bool = True,
    others: Sequence[Finding] | None = None,
    known: Known | None = None,
) -> Judged:
    """The findings of an up script, without those that it suppresses.

    `others` are another linter's; None: it was not asked. `known` is what the scripts before
    it say of tables, and is updated by this one.
    Raises MigrationError (SourceInvalid) for a script that can't be split.
    """
    reading = _Reading(file, known or Known())
    blocks = []
    with _without_collection():
        for statement in split(sql, file=file):
            if statement.words:
                text = sql[statement.start : statement.end]
                if statement.words[0] == "DO":
                    blocks.append((statement.start, statement.end))
                reading.take(read_statement(sql, statement), text)
                if has_long_name(text):
                    reading.say(rules.NAME_TRUNCATED, statement.line)
    found = [*reading.findings(), *_judge_whole(sql, file, reading)]
    if not has_down:
        found.append(make(rules.NO_DOWN_SCRIPT, file, 1))
    found += others or ()
    ignores = read_ignores(sql, blocks)
    kept = [*without_ignored(found, ignores, reading.starts)]
    kept += _unused(ignores, file, asked_others=others is not None)
    kept.sort(key=lambda each: (each.line, each.rule.name))
    return Judged(tuple(kept), frozenset(reading.tables))


@contextmanager
def _without_collection() -> Iterator[None]:
    """No search for garbage in cycles meanwhile: it would go through the trees of a large DO
    block again and again, and they have none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def make(rule: Rule, file: str, line: int, table: str | None = None, note: str = "") -> Finding:
    """A finding in the words of its rule."""
    return Finding(rule, file, line, rule.severity, table, note)


class _Reading:
    """The known effects of the statements of a script, one after the other.

    Their trees are not kept: together they would fill the memory.
    """

    def __init__(self, file: str, known: Known) -> None:
        self._file = file
        self._known = known
        self._found: list[Finding] = []
        self._made: set[str] = set()
        """What this script has made so far, and is its own."""
        self._excused: dict[Rule, set[str]] = {
            rules.OBJECT_DROPPED: set(),
            rules.ROW_SECURITY: set(),
        }
        self._views: dict[str, MadeView] = {}
        self._is_open = False
        """Whether the script has begun its own transaction."""
        self._created: set[str] = set()
        self.tables: set[str] = set()
        self.impacts: list[Impact] = []
        self.former: dict[str, str] = {}
        """The names of tables before this script."""
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

    def say(self, rule: Rule, line: int) -> None:
        """Add what the tree does not show."""
        self._found.append(make(rule, self._file, line))

    def findings(self) -> Iterator[Finding]:
        """The findings about the statements, except for what the rest of the script makes harmless.

        What is dropped and created again is not lost, row security with a policy lets rows
        through, and a view replaces what is gone or renamed.
        """
        for finding in self._known.without_indexed(self._found):
            name = None if finding.table is None else same_name(finding.table)
            if name not in self._excused.get(finding.rule, ()) and not self._has_view(finding):
                yield finding

    def _has_view(self, finding: Finding) -> bool:
        """Whether a view of this script replaces a table or column."""
        if finding.rule not in _BY_VIEW or finding.table is None:
            return False
        name = same_name(finding.table)
        if not finding.columns:
            return name in self._views
        return any(
            name in view.reads and view.gives.issuperset(finding.columns)
            for view in self._views.values()
        )

    def _judge(self, read: ReadStatement) -> list[Finding]:
        if read.problem is not None:
            return self._unknown(read.line, read.problem)
        if read.tree is None:
            return []
        tree = read.tree
        self._note_made(tree)
        found = []
        for each in judge_statement(tree):
            is_ours = each.table is not None and same_name(each.table) in self._made
            if (each.is_own or not is_ours) and not self._is_excused(tree, each):
                found.append(self._make(each, read.line))
        self._follow_new_name(tree)
        self._known.follow(tree)
        found += self._nested(tree, read.line)
        return found

    def _is_excused(self, tree: Tree, found: FoundTable) -> bool:
        """Whether what the files say of the table makes it harmless."""
        table = found.table or ""
        if found.rule is rules.NOT_NULL_SCANS:
            return self._known.checked.prove_not_null(tree)
        if found.rule is rules.PRIMARY_KEY_SCANS:
            columns = [
                self._known.column(table, c) for c in self._known.index(table, found.key_index)
            ]
            return all(column is None or column.is_not_null for column in columns)
        if found.change is not None and found.change.is_plain:
            column = self._known.column(table, found.change.column)
            return column is not None and column.type.widens_to(found.change.type)
        return False

    def _make(self, found: FoundTable, line: int) -> Finding:
        change = found.change
        if change is not None:
            column = self._known.column(found.table or "", change.column)
            is_told = column is not None and bool(column.type.name)
            change = change if change.is_plain and not is_told else None
        finding = make(found.rule, self._file, line, found.table)
        return replace(finding, change=change, columns=found.columns)

    def _nested(self, tree: Tree, line: int) -> list[Finding]:
        """A BEGIN in a transaction that the script has begun."""
        kind = tree.node.get("kind", "") if tree.kind == "TransactionStmt" else ""
        was_open = self._is_open
        if kind in _BEGINS:
            self._is_open = True
            return [make(rules.TRANSACTION_NESTED, self._file, line)] if was_open else []
        if kind in _ENDS:
            self._is_open = bool(tree.node.get("chain"))
        return []

    def _note_made(self, tree: Tree) -> None:
        self._made.update(map(same_name, made_relations(tree)))
        self.tables.update(map(same_name, created_tables(tree)))
        self._excused[rules.OBJECT_DROPPED].update(map(same_name, made_objects(tree)))
        if tree.kind == "ViewStmt":
            self._views[same_name(table_of(tree.node["view"]))] = read_view(tree.node)
        if tree.kind == "CreatePolicyStmt":
            self._excused[rules.ROW_SECURITY].add(same_name(table_of(tree.node["table"])))

    def _follow_new_name(self, tree: Tree) -> None:
        """An object that the script has created remains its own under another name."""
        kind, node = tree
        if kind == "RenameStmt" and node["renameType"] == "OBJECT_TABLE":
            name, new = same_name(table_of(node["relation"])), name_of([node["newname"]])
            self.former[new] = self.former.get(name, name)
            if name in self._made:
                self._made.remove(name)
                self._made.add(new)

    def _unknown(self, line: int, problem: str) -> list[Finding]:
        return [make(rules.NOT_ANALYSED, self._file, line, note=problem)]


_BY_VIEW = (rules.TABLE_DROPPED, rules.COLUMN_DROPPED, rules.RENAMED)
_BEGINS = ("TRANS_STMT_BEGIN", "TRANS_STMT_START")
_ENDS = ("TRANS_STMT_COMMIT", "TRANS_STMT_ROLLBACK", "TRANS_STMT_PREPARE")


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
        name = None if impact.table is None else same_name(impact.table)
        table = None if name is None else reading.former.get(name, name)
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


_LONG = re.compile(rb'[A-Za-z_\x80-\xff][\w$\x80-\xff]{63}|"[^"]{64}')
_LONGEST_NAME = 63


def has_long_name(text: bytes) -> bool:
    """Whether a name in the statement has more than 63 bytes, which the grammar truncates."""
    if _LONG.search(text) is None:
        return False
    return any(
        token.kind in (TokenKind.WORD, TokenKind.IDENTIFIER)
        and len(text[token.start : token.end].strip(b'"').replace(b'""', b'"')) > _LONGEST_NAME
        for token in tokens(text, 0, len(text), file="")
    )


def _changes_rows(read: ReadStatement) -> bool:
    """Whether there may be many rows: a few literal ones are quick."""
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
