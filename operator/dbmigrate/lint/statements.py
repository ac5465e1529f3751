"""The rules that a single statement answers to, by its words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dbmigrate.lint import rules
from dbmigrate.lint.finding import Rule
from dbmigrate.postgres.sqltext.alter_table import (
    REWRITES,
    SCANS,
    adds_column,
    has_phrase,
    read_action,
)
from dbmigrate.postgres.sqltext.statement_words import StatementWords
from dbmigrate.postgres.sqltext.tokens import outermost

BLOCKING = ("SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE")
"""The locks that keep others from writing, at least."""

Found = tuple[Rule, str | None]
"""A rule, and the table that it is about."""


def judge_statement(words: StatementWords) -> Iterator[Found]:
    """What is to be said of it. Tables that the script has made itself are for the caller."""
    judge = _JUDGES.get(words.texts[0])
    if judge is not None:
        yield from judge(words)
    if words.texts[0] in ("DROP", "TRUNCATE") and words.has("CASCADE"):
        yield rules.CASCADES, None


def _create(words: StatementWords) -> Iterator[Found]:
    if "INDEX" in words.texts[1:3]:
        yield from _create_index(words)
    elif "TABLE" in words.texts[1:4] and words.has("PARTITION", "OF"):
        yield rules.PARTITION_BLOCKS, words.name_after("OF")


def _create_index(words: StatementWords) -> Iterator[Found]:
    table = words.name_after("ON")
    is_gentle = words.has("INDEX", "CONCURRENTLY")
    if words.has("ON", "ONLY"):
        return  # that of a partitioned table alone, which has no rows
    if not is_gentle:
        yield rules.INDEX_BLOCKS_WRITES, table
    elif words.has("CONCURRENTLY", "IF", "NOT", "EXISTS"):
        yield rules.INDEX_IF_NOT_EXISTS, table
    if words.has("UNIQUE", "INDEX"):
        yield rules.UNIQUE_MAY_FAIL, table


def _drop(words: StatementWords) -> Iterator[Found]:
    what = words.texts[1:2]
    if what == ["INDEX"] and not words.has("CONCURRENTLY"):
        yield rules.DROP_INDEX_BLOCKS, None
    elif what == ["TABLE"]:
        for table in _tables(words, "TABLE"):
            yield rules.TABLE_DROPPED, table
    elif what in (["DATABASE"], ["OWNED"]) or (what == ["SCHEMA"] and words.has("CASCADE")):
        yield rules.DATA_DESTROYED, None
    elif what and what[0] in _USED_BY_NAME:
        yield rules.OBJECT_DROPPED, words.name_after(*_USED_BY_NAME)


def _tables(words: StatementWords, verb: str) -> Sequence[str | None]:
    """The tables of a list; a placeholder may stand where a name should, and is one."""
    return [*words.names_after(verb)] or [None]


def _alter(words: StatementWords) -> Iterator[Found]:
    what = words.texts[1:2]
    if what == ["DOMAIN"] and _checks_domain(words):
        yield rules.DOMAIN_SCANS, words.name_after("DOMAIN")
    if what != ["TABLE"]:
        is_renamed = words.has("RENAME") or words.has("SET", "SCHEMA")
        if is_renamed and what and what[0] in _USED_BY_NAME and not words.has("CONSTRAINT"):
            yield rules.RENAMED, words.name_after(*_USED_BY_NAME)
        return
    table = words.name_after("TABLE")
    if words.has("ATTACH", "PARTITION"):
        yield rules.ATTACH_SCANS, words.name_after("PARTITION")
    elif words.has("DETACH", "PARTITION") and not words.has("CONCURRENTLY"):
        if not words.has("FINALIZE"):
            yield rules.DETACH_BLOCKS, table
    elif words.has("ENABLE", "ROW", "LEVEL", "SECURITY"):
        yield rules.ROW_SECURITY, table
    actions = [*words.actions()]
    for action in actions:
        for rule in _judge_action(action):
            yield rule, table
    if words.has("VALIDATE", "CONSTRAINT") and any(read_action(a)[0] in BLOCKING for a in actions):
        yield rules.VALIDATED_AT_ONCE, table


def _checks_domain(words: StatementWords) -> bool:
    is_new = words.has("ADD") and not words.has("NOT", "VALID")
    return is_new or words.has("SET", "NOT", "NULL")


_USED_BY_NAME = (
    "SCHEMA VIEW MATERIALIZED SEQUENCE TYPE DOMAIN FUNCTION PROCEDURE ROUTINE AGGREGATE FOREIGN"
    " EXTENSION".split()
)
"""Kinds of objects that an application names."""


def _judge_action(action: Sequence[str]) -> Iterator[Rule]:
    _, notes, loses = read_action(action)
    if _is_renaming(action):
        yield rules.RENAMED
    elif loses:
        yield rules.COLUMN_DROPPED
    elif REWRITES in notes:
        yield _name_rewrite(action)
    elif SCANS in notes and not has_phrase(action, ("VALIDATE", "CONSTRAINT")):
        yield _name_scan(action)
    if _is_required_column(action):
        yield rules.REQUIRED_COLUMN
    if has_phrase(action, ("DROP", "CONSTRAINT")):
        yield rules.CONSTRAINT_DROPPED
    is_unnamed = any(has_phrase(action, ("ADD", *kind)) for kind in _CONSTRAINTS)
    takes_index = has_phrase(action, ("USING", "INDEX"))
    if is_unnamed and not takes_index:  # the constraint takes the index's name, too
        yield rules.CONSTRAINT_UNNAMED
    is_new = is_unnamed or has_phrase(action, ("ADD", "CONSTRAINT"))
    is_unique = has_phrase(action, ("PRIMARY", "KEY")) or "UNIQUE" in action
    if is_new and is_unique and not takes_index:
        yield rules.UNIQUE_MAY_FAIL


_CONSTRAINTS = (
    ("CHECK",),
    ("UNIQUE",),
    ("PRIMARY", "KEY"),
    ("FOREIGN", "KEY"),
    ("EXCLUDE",),
    ("NOT", "NULL"),
)


def _is_renaming(action: Sequence[str]) -> bool:
    if has_phrase(action, ("SET", "SCHEMA")):
        return True
    return "RENAME" in action and not has_phrase(action, ("RENAME", "CONSTRAINT"))


def _name_rewrite(action: Sequence[str]) -> Rule:
    if "ADD" in action:
        return rules.DEFAULT_REWRITES
    return rules.TYPE_REWRITES if "TYPE" in action else rules.TABLE_REWRITES


def _name_scan(action: Sequence[str]) -> Rule:
    if has_phrase(action, ("FOREIGN", "KEY")) or "REFERENCES" in action:
        return rules.FOREIGN_KEY_SCANS
    if "EXCLUDE" in action:
        return rules.EXCLUDE_BUILDS_INDEX
    if "CHECK" in action:
        return rules.CHECK_SCANS
    is_indexed = "UNIQUE" in action or has_phrase(action, ("PRIMARY", "KEY"))
    if has_phrase(action, ("NOT", "NULL")) and not is_indexed:
        return rules.NOT_NULL_SCANS
    return rules.UNIQUE_BUILDS_INDEX


def _is_required_column(action: Sequence[str]) -> bool:
    has_value = any(word in action for word in _VALUES)
    return adds_column(action) and has_phrase(action, ("NOT", "NULL")) and not has_value


_VALUES = ("DEFAULT", "GENERATED", "SERIAL", "BIGSERIAL", "SMALLSERIAL", "SERIAL4", "SERIAL8")


def _write(words: StatementWords) -> Iterator[Found]:
    """Each UPDATE and DELETE of the statement, those of its WITH, too."""
    for index, verb in enumerate(words.texts):
        before = words.texts[index - 1] if index else ""
        if verb not in ("UPDATE", "DELETE") or before not in ("", "(", ")"):
            continue
        if any(token.text == "WHERE" for token in outermost(words.tokens[index:])):
            continue
        table = words.name_at(index + (1 if verb == "UPDATE" else 2))
        if verb == "DELETE" and not words.starts("WITH"):
            yield rules.DATA_DESTROYED, table  # with a WITH the rows may be on their way
        yield rules.EVERY_ROW, table


def _whole(words: StatementWords) -> Iterator[Found]:
    first = words.texts[0]
    if first == "TRUNCATE":
        for table in _tables(words, "TRUNCATE"):
            yield rules.DATA_DESTROYED, table
    elif first == "CLUSTER":
        yield rules.TABLE_REWRITES, words.name_after("CLUSTER", "VERBOSE")
    elif first == "VACUUM":
        if words.has("FULL") and not words.has("FULL", "FALSE") and not words.has("FULL", "OFF"):
            yield rules.TABLE_REWRITES, words.name_after(*_BEFORE_VACUUMED)
    elif first == "LOCK" and not _is_gentle_lock(words):
        yield rules.LOCKS_TABLE, words.name_after("LOCK")
    elif not words.has("CONCURRENTLY"):
        if first == "REFRESH":
            yield rules.REFRESH_BLOCKS, words.name_after("VIEW")
        elif first == "REINDEX":
            yield rules.REINDEX_BLOCKS, words.name_after("TABLE")


_BEFORE_VACUUMED = (")", "FULL", "FREEZE", "VERBOSE", "ANALYZE")
_GENTLE = (("ACCESS", "SHARE"), ("ROW", "SHARE"), ("ROW", "EXCLUSIVE"), ("UPDATE", "EXCLUSIVE"))


def _is_gentle_lock(words: StatementWords) -> bool:
    """Whether others read and write on under the lock."""
    return any(words.has(*mode, "MODE") for mode in _GENTLE)


_JUDGES = {
    "ALTER": _alter,
    "CLUSTER": _whole,
    "CREATE": _create,
    "DELETE": _write,
    "DROP": _drop,
    "LOCK": _whole,
    "REFRESH": _whole,
    "REINDEX": _whole,
    "TRUNCATE": _whole,
    "UPDATE": _write,
    "VACUUM": _whole,
    "WITH": _write,
}
