"""The rules that a single statement answers to, by its words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dbmigrate.lint import rules
from dbmigrate.lint.finding import Rule
from dbmigrate.postgres.alter_table import REWRITES, SCANS, has_phrase, read_action
from dbmigrate.postgres.statement_words import StatementWords

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
        yield rules.TABLE_DROPPED, words.name_after("TABLE")
    elif what in (["SCHEMA"], ["DATABASE"], ["OWNED"]):
        yield rules.DATA_DESTROYED, None
    elif what and what[0] in _USED_BY_NAME:
        yield rules.OBJECT_DROPPED, words.name_after(*_USED_BY_NAME)


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
    if is_unnamed:
        yield rules.CONSTRAINT_UNNAMED
    is_new = is_unnamed or has_phrase(action, ("ADD", "CONSTRAINT"))
    is_unique = has_phrase(action, ("PRIMARY", "KEY")) or "UNIQUE" in action
    if is_new and is_unique and not has_phrase(action, ("USING", "INDEX")):
        yield rules.UNIQUE_MAY_FAIL


_CONSTRAINTS = (("CHECK",), ("UNIQUE",), ("PRIMARY", "KEY"), ("FOREIGN", "KEY"), ("EXCLUDE",))


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
    if has_phrase(action, ("SET", "NOT", "NULL")):
        return rules.NOT_NULL_SCANS
    return rules.UNIQUE_BUILDS_INDEX


def _is_required_column(action: Sequence[str]) -> bool:
    is_column = "ADD" in action and not any(word in action for word in _NO_COLUMN)
    has_value = any(word in action for word in _VALUES)
    return is_column and has_phrase(action, ("NOT", "NULL")) and not has_value


_NO_COLUMN = ("CONSTRAINT", "CHECK", "FOREIGN", "UNIQUE", "PRIMARY", "EXCLUDE", "PARTITION")
_VALUES = ("DEFAULT", "GENERATED", "SERIAL", "BIGSERIAL", "SMALLSERIAL", "SERIAL4", "SERIAL8")


def _write(words: StatementWords) -> Iterator[Found]:
    if words.has("WHERE"):
        return
    table = words.name_after("UPDATE") if words.starts("UPDATE") else words.name_after("FROM")
    if words.starts("DELETE"):
        yield rules.DATA_DESTROYED, table
    yield rules.EVERY_ROW, table


def _whole(words: StatementWords) -> Iterator[Found]:
    first = words.texts[0]
    if first == "TRUNCATE":
        yield rules.DATA_DESTROYED, words.name_after("TRUNCATE")
    elif first == "CLUSTER" or (first == "VACUUM" and words.has("FULL")):
        yield rules.TABLE_REWRITES, words.name_after("CLUSTER", "FULL")
    elif first == "LOCK":
        yield rules.LOCKS_TABLE, words.name_after("LOCK")
    elif not words.has("CONCURRENTLY"):
        if first == "REFRESH":
            yield rules.REFRESH_BLOCKS, words.name_after("VIEW")
        elif first == "REINDEX":
            yield rules.REINDEX_BLOCKS, words.name_after("TABLE")


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
}
