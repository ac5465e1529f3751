"""All that is to be said of one script."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial

from dbmigrate.lint import rules
from dbmigrate.lint.checked_columns import CheckedColumns
from dbmigrate.lint.code_block import read_block
from dbmigrate.lint.finding import Finding, Rule
from dbmigrate.lint.ignore import Ignore, read_ignores
from dbmigrate.lint.statements import BLOCKING, judge_statement
from dbmigrate.postgres.sqltext.alter_table import SCANS
from dbmigrate.postgres.sqltext.analysis import analyse
from dbmigrate.postgres.sqltext.splitter import Statement, split
from dbmigrate.postgres.sqltext.statement_impacts import read_impacts
from dbmigrate.postgres.sqltext.statement_words import StatementWords, fold_name
from dbmigrate.postgres.sqltext.transaction_mode import TransactionKind, transaction_mode

STRONG = "ACCESS EXCLUSIVE"
GENTLE = "SHARE UPDATE EXCLUSIVE"
"""That of VALIDATE CONSTRAINT."""
_CHANGES_ROWS = ("UPDATE", "DELETE", "INSERT", "MERGE")


def judge_script(
    sql: bytes,
    file: str,
    *,
    has_down: bool = True,
    others: Sequence[Finding] | None = None,
    checked: CheckedColumns | None = None,
) -> tuple[Finding, ...]:
    """The findings of an up script, without those that it says to ignore.

    `others` are another linter's; None: it was not asked. `checked` is what the scripts
    before it have checked, and then what this one has as well.
    Raises MigrationError (SourceInvalid) for a script that can't be split.
    """
    statements = _read_statements(sql, file)
    found = [
        *_judge_statements(file, statements, checked or CheckedColumns()),
        *analyse(
            lambda: [*_judge_whole(sql, file, [words for words, _ in statements])],
            partial(_unknown, file, 1),
        ),
    ]
    if not has_down:
        found.append(make(rules.NO_DOWN_SCRIPT, file, 1))
    found += others or ()
    ignores = read_ignores(sql)
    starts = [(words.line, [inner.line for inner in block]) for words, block in statements]
    kept = [each for each in found if not _is_ignored(each, ignores, starts)]
    kept += _unused(ignores, file, asked_others=others is not None)
    return tuple(sorted(kept, key=lambda each: (each.line, each.rule.name)))


def _unknown(file: str, line: int, problem: str) -> list[Finding]:
    severity = rules.NOT_ANALYSED.severity
    return [Finding(rules.NOT_ANALYSED, file, line, severity, note=problem)]


def make(rule: Rule, file: str, line: int, table: str | None = None) -> Finding:
    """A finding as the rule has it."""
    return Finding(rule, file, line, rule.severity, table)


Read = list[tuple[StatementWords, list[StatementWords]]]
"""Each statement, and those in it where it is a DO block."""


def _read_statements(sql: bytes, file: str) -> Read:
    read: Read = []
    for statement in split(sql, file=file):
        if statement.words:
            inner: Callable[[], list[StatementWords]] = partial(_read_block, sql, statement, file)
            read.append((StatementWords(sql, statement, file), analyse(inner, lambda _: [])))
    return read


def _read_block(sql: bytes, statement: Statement, file: str) -> list[StatementWords]:
    return [*read_block(sql, statement, file)]


def _judge_statements(file: str, statements: Read, checked: CheckedColumns) -> Iterator[Finding]:
    """What is said of the statements, but for what the script has made itself by then.

    What is dropped and made anew is not gone, and row security with a policy lets rows through.
    """
    all_words = [each for words, block in statements for each in (words, *block)]
    excused: dict[Rule, set[str | None]] = {
        rules.OBJECT_DROPPED: {_name_made(words, _MADE) for words in all_words},
        rules.ROW_SECURITY: {_fold(w.name_after("ON")) for w in all_words if _is_policy(w)},
    }
    made: set[str | None] = set()

    def judge(words: StatementWords) -> list[Finding]:
        made.add(_name_made(words, _RELATIONS))
        found = []
        for rule, table in judge_statement(words):
            name = _fold(table)
            if rule is rules.NOT_NULL_SCANS and checked.prove_not_null(words):
                continue
            if name is None or (name not in made and name not in excused.get(rule, ())):
                found.append(make(rule, file, words.line, table))
        _follow_new_name(words, made)
        checked.follow(words)
        return found

    for words in all_words:
        yield from analyse(partial(judge, words), partial(_unknown, file, words.line))


def _follow_new_name(words: StatementWords, made: set[str | None]) -> None:
    """What the script has made goes on to be its own by another name."""
    name = _fold(words.name_after("TABLE")) if words.starts("ALTER", "TABLE") else None
    if name is not None and name in made and words.has("RENAME", "TO"):
        made.remove(name)
        made.add(_fold(words.name_after("TO")))


def _name_made(words: StatementWords, kinds: Collection[str]) -> str | None:
    """What a CREATE of one of these kinds makes."""
    if words.starts("SELECT") and "TABLE" in kinds:
        return _fold(words.name_after("INTO", "TEMP", "TEMPORARY", "UNLOGGED"))
    rest = iter(words.texts[1:])
    kind = next((text for text in rest if text not in _MODIFIERS), "")
    if not words.starts("CREATE") or kind not in kinds:
        return None
    return _fold(words.name_after(kind))


def _is_policy(words: StatementWords) -> bool:
    return words.starts("CREATE", "POLICY")


def _fold(name: str | None) -> str | None:
    return None if name is None else fold_name(name)


_MODIFIERS = frozenset(
    "OR REPLACE GLOBAL LOCAL TEMP TEMPORARY UNLOGGED FOREIGN MATERIALIZED RECURSIVE".split()
)
_RELATIONS = ("TABLE", "VIEW", "SEQUENCE", "TYPE", "DOMAIN")
"""They share their names: what one of them makes is no other's."""
_MADE = (*_RELATIONS, "FUNCTION", "PROCEDURE", "AGGREGATE", "SCHEMA")


def find_made_tables(sql: bytes, file: str) -> frozenset[str]:
    """The tables and views that a script makes, in lowercase as they are written.

    Raises MigrationError (SourceInvalid) for a script that can't be split.
    """
    statements = (StatementWords(sql, each, file) for each in split(sql, file=file) if each.words)
    names = (_name_made(words, ("TABLE", "VIEW")) for words in statements)
    return analyse(lambda: frozenset(filter(None, names)), lambda _: frozenset())


def _judge_whole(sql: bytes, file: str, statements: list[StatementWords]) -> Iterator[Finding]:
    mode = transaction_mode(sql, file)
    if mode.kind is TransactionKind.BATCHED:
        return
    if mode.kind is TransactionKind.NONE:
        if len(statements) > 1:
            line = mode.causes[0].line if mode.causes else 1
            yield make(rules.NOT_ONE_TRANSACTION, file, line)
        return
    locked: list[str] = []
    held: set[str | None] = set()
    lock_line = None
    for impact in read_impacts(sql, file):
        if SCANS in impact.notes and impact.lock == GENTLE and _fold(impact.table) in held:
            yield make(rules.VALIDATED_AT_ONCE, file, impact.line, impact.table)
        if impact.lock in BLOCKING:
            held.add(_fold(impact.table))
        if impact.lock == STRONG and impact.table is not None:
            lock_line = lock_line or impact.line
            if fold_name(impact.table) not in locked:
                locked.append(fold_name(impact.table))
                if len(locked) == 2:
                    yield make(rules.MANY_LOCKS, file, impact.line, impact.table)
    for words in statements:
        if lock_line is not None and words.line >= lock_line and _changes_rows(words):
            only = locked[0] if len(locked) == 1 else None
            yield make(rules.DATA_UNDER_LOCK, file, words.line, only)
            return


def _changes_rows(words: StatementWords) -> bool:
    """Whether these may be many: a few that are written down are quick."""
    first = words.texts[0]
    return first in _CHANGES_ROWS and (first != "INSERT" or words.has("SELECT"))


Starts = list[tuple[int, list[int]]]
"""The first line of each statement, and in a DO block the lines of those in it."""


def _starts_behind(line: int, starts: Starts) -> list[int]:
    """Where the statements begin behind a comment: those of the block that it stands in."""
    for first, inner in starts:
        if inner and first < line <= inner[-1]:
            return [each for each in inner if each >= line]
    return [first for first, _ in starts if first >= line]


def _is_ignored(finding: Finding, ignores: list[Ignore], starts: Starts) -> bool:
    for ignore in ignores:
        if finding.rule.name not in ignore.names:
            continue
        following = _starts_behind(ignore.line, starts)
        if ignore.is_for_file or _lies_in_first(finding.line, following):
            ignore.used.add(finding.rule.name)
            return True
    return False


def _lies_in_first(line: int, starts: list[int]) -> bool:
    """Whether a line belongs to the first of the statements that start on these lines."""
    if not starts:
        return False
    return line == starts[0] or starts[0] < line < min(starts[1:], default=line + 1)


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
            finding = make(rules.IGNORE_UNUSED, file, ignore.line)
            yield Finding(
                finding.rule, file, ignore.line, finding.severity, note=", ".join(missing)
            )
