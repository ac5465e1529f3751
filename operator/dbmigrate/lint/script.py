"""All that is to be said of one script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dbmigrate.lint import rules
from dbmigrate.lint.finding import Finding, Rule
from dbmigrate.lint.ignore import Ignore, read_ignores
from dbmigrate.lint.statements import judge_statement
from dbmigrate.postgres.classify import TransactionKind, transaction_mode
from dbmigrate.postgres.lexer import Statement, split
from dbmigrate.postgres.statement_impacts import read_impacts
from dbmigrate.postgres.statement_words import StatementWords

STRONG = "ACCESS EXCLUSIVE"
_CHANGES_ROWS = ("UPDATE", "DELETE", "INSERT", "MERGE")


def judge_script(sql: bytes, file: str, *, has_down: bool = True) -> tuple[Finding, ...]:
    """The findings of an up script, without those that it says to ignore.

    Raises MigrationError (SourceInvalid) for a script that can't be split.
    """
    statements = [each for each in split(sql, file=file) if each.words]
    found = [*_judge_statements(sql, file, statements), *_judge_whole(sql, file, statements)]
    if not has_down:
        found.append(make(rules.NO_DOWN_SCRIPT, file, 1))
    ignores = read_ignores(sql)
    starts = [statement.line for statement in statements]
    kept = [each for each in found if not _is_ignored(each, ignores, starts)]
    kept += _unused(ignores, file)
    return tuple(sorted(kept, key=lambda each: (each.line, each.rule.name)))


def make(rule: Rule, file: str, line: int, table: str | None = None) -> Finding:
    """A finding as the rule has it."""
    return Finding(rule, file, line, rule.severity, table)


def _judge_statements(sql: bytes, file: str, statements: list[Statement]) -> Iterator[Finding]:
    made: set[str] = set()
    for statement in statements:
        words = StatementWords(sql, statement, file)
        if words.starts("CREATE") and "TABLE" in words.texts[1:5]:
            made.add((words.name_after("TABLE", "EXISTS") or "").lower())
        elif words.starts("CREATE", "MATERIALIZED", "VIEW"):
            made.add((words.name_after("VIEW", "EXISTS") or "").lower())
        for rule, table in judge_statement(words):
            if table is None or table.lower() not in made:
                yield make(rule, file, statement.line, table)


def _judge_whole(sql: bytes, file: str, statements: list[Statement]) -> Iterator[Finding]:
    mode = transaction_mode(sql, file)
    if mode.kind is TransactionKind.BATCHED:
        return
    if mode.kind is TransactionKind.NONE:
        if len(statements) > 1:
            line = mode.causes[0].line if mode.causes else 1
            yield make(rules.NOT_ONE_TRANSACTION, file, line)
        return
    locked: list[str] = []
    lock_line = None
    for impact in read_impacts(sql, file):
        if impact.lock == STRONG and impact.table is not None:
            lock_line = lock_line or impact.line
            if impact.table.lower() not in locked:
                locked.append(impact.table.lower())
                if len(locked) == 2:
                    yield make(rules.MANY_LOCKS, file, impact.line, impact.table)
    for statement in statements:
        changes = statement.words[0] in _CHANGES_ROWS
        if changes and lock_line is not None and statement.line >= lock_line:
            yield make(rules.DATA_UNDER_LOCK, file, statement.line)
            return


def _is_ignored(finding: Finding, ignores: list[Ignore], starts: list[int]) -> bool:
    for ignore in ignores:
        if finding.rule.name not in ignore.names:
            continue
        following = next((line for line in starts if line >= ignore.line), None)
        if ignore.is_for_file or finding.line == following:
            ignore.used.add(finding.rule.name)
            return True
    return False


def _unused(ignores: Iterable[Ignore], file: str) -> Iterator[Finding]:
    for ignore in ignores:
        missing = [name for name in ignore.names if name not in ignore.used]
        if missing or not ignore.names:
            finding = make(rules.IGNORE_UNUSED, file, ignore.line)
            yield Finding(
                finding.rule, file, ignore.line, finding.severity, note=", ".join(missing)
            )
