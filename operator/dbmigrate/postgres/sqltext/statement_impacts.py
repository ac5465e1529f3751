"""What each statement of a script does to everyone else, for `plan`.

Read from the text alone; the server is not asked. The locks are those of
PostgreSQL's manual (Explicit Locking, ALTER TABLE) and were compared with a
server's pg_locks by the tests. A table that the same script creates is nobody
else's yet and is left out. A statement of which nothing is said takes no lock
that blocks anyone beyond the rows it writes; what the text can't tell is said to
be unknown. A function that a query calls is not looked into.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from dbmigrate.postgres.sqltext.alter_table import LOCKS, REWRITES, read_action
from dbmigrate.postgres.sqltext.analysis import analyse
from dbmigrate.postgres.sqltext.impact import Impact
from dbmigrate.postgres.sqltext.splitter import split
from dbmigrate.postgres.sqltext.statement_words import StatementWords, fold_name


def read_impacts(sql: bytes, file: str) -> tuple[Impact, ...]:
    """The statements of a script that are not harmless, in their order.

    Raises MigrationError (SourceInvalid) for a script that can't be split.
    """
    created: set[str] = set()
    impacts = []
    for statement in split(sql, file=file):
        if not statement.words or statement.words[0] in _HARMLESS:
            continue
        words = StatementWords(sql, statement, file)
        impact = analyse(partial(_read, words, created), partial(_unknown, words))
        if impact is not None:
            impacts.append(impact)
    return tuple(impacts)


def _read(words: StatementWords, created: set[str]) -> Impact | None:
    if _creates_table(words):
        created.add(fold_name(words.name_after("TABLE", "VIEW", "EXISTS") or ""))
    reader = _READERS.get(words.texts[0])
    return _without(created, words.unknown() if reader is None else reader(words))


def _unknown(words: StatementWords, _: str) -> Impact:
    return words.unknown()


def _without(created: set[str], impact: Impact | None) -> Impact | None:
    """The impact on tables that the script did not create itself."""
    if impact is None:
        return None
    others = tuple(other for other in impact.others if fold_name(other[0]) not in created)
    if impact.table is None or fold_name(impact.table) not in created:
        return replace(impact, others=others)
    if not others:
        return None
    return Impact(impact.line, others[0][0], others[0][1], others=others[1:])


def _creates_table(words: StatementWords) -> bool:
    if words.texts[0] != "CREATE":
        return False
    head = words.texts[1:5]
    return "TABLE" in head or (head[:2] == ["MATERIALIZED", "VIEW"])


def _read_alter(words: StatementWords) -> Impact | None:
    what = words.texts[1] if len(words.texts) > 1 else ""
    if what == "TABLE":
        return _read_alter_table(words)
    if what == "INDEX":
        is_known = words.has("RENAME") or words.has("SET", "(") or words.has("RESET")
        index = words.name_after("INDEX")
        return words.impact("SHARE UPDATE EXCLUSIVE", index) if is_known else words.unknown()
    if what in ("POLICY", "TRIGGER", "RULE"):
        return words.impact("ACCESS EXCLUSIVE", words.name_after("ON"))
    if what in ("VIEW", "MATERIALIZED"):
        return words.impact("ACCESS EXCLUSIVE", words.name_after("VIEW"))
    if what == "SEQUENCE":
        is_whole = any(words.has(word) for word in ("RENAME", "OWNER", "SCHEMA", "LOGGED"))
        lock = "ACCESS EXCLUSIVE" if is_whole or words.has("UNLOGGED") else "SHARE ROW EXCLUSIVE"
        return words.impact(lock, words.name_after("SEQUENCE"))
    if what in _ALTERED_ALONE or (what == "TYPE" and not words.has("ATTRIBUTE")):
        return None
    return words.unknown()


_ALTERED_ALONE = frozenset(
    "AGGREGATE COLLATION CONVERSION DATABASE DEFAULT FUNCTION GROUP LANGUAGE LARGE OPERATOR"
    " PROCEDURE ROLE ROUTINE SCHEMA SERVER STATISTICS TEXT USER".split()
)
"""Altering these locks no table."""


def _read_alter_table(words: StatementWords) -> Impact:
    strongest = -1
    notes: list[str] = []
    is_destructive = False
    for action in words.actions():
        lock, more, loses = read_action(action)
        strongest = max(strongest, LOCKS.index(lock))
        notes += [note for note in more if note not in notes]
        is_destructive = is_destructive or loses
    return words.impact(
        LOCKS[strongest],
        words.name_after("TABLE"),
        *notes,
        is_destructive=is_destructive,
    )


def _read_create(words: StatementWords) -> Impact | None:
    head = words.texts[1:6]
    if "INDEX" in head[:2]:
        is_gentle = words.has("INDEX", "CONCURRENTLY")
        lock = "SHARE UPDATE EXCLUSIVE" if is_gentle else "SHARE"
        return words.impact(lock, words.name_after("ON"))
    if "TRIGGER" in head[:4]:
        return words.impact("SHARE ROW EXCLUSIVE", words.name_after("ON"))
    if head[:1] == ["POLICY"]:
        return words.impact("ACCESS EXCLUSIVE", words.name_after("ON"))
    if "RULE" in head[:3]:
        return words.impact("ACCESS EXCLUSIVE", words.name_after("TO"))
    if "TABLE" in head[:3] and words.has("PARTITION", "OF"):
        return words.impact("ACCESS EXCLUSIVE", words.name_after("OF"))
    if "TABLE" in head[:3] and words.has("REFERENCES"):
        return words.impact("SHARE ROW EXCLUSIVE", words.name_after("REFERENCES"))
    if "TABLE" in head[:4] and words.has("INHERITS"):
        return words.unknown()
    if head[:3] == ["OR", "REPLACE", "VIEW"]:
        return words.impact("ACCESS EXCLUSIVE", words.name_after("VIEW"))
    if head[:1] == ["STATISTICS"]:
        return words.impact("SHARE UPDATE EXCLUSIVE", words.name_after("FROM"))
    return None if any(word in _CREATED_ALONE for word in head[:4]) else words.unknown()


_CREATED_ALONE = frozenset(
    "ACCESS AGGREGATE CAST COLLATION CONVERSION DATABASE DOMAIN FUNCTION GROUP LANGUAGE OPERATOR"
    " PROCEDURE ROLE SCHEMA SEQUENCE SERVER TABLE TABLESPACE TEXT TYPE USER VIEW".split()
)
"""What is created is nobody else's yet, and these touch no table besides."""


def _read_drop(words: StatementWords) -> Impact | None:
    what = words.texts[1] if len(words.texts) > 1 else ""
    if what == "INDEX":
        is_gentle = words.has("CONCURRENTLY")
        lock = "SHARE UPDATE EXCLUSIVE" if is_gentle else "ACCESS EXCLUSIVE"
        return words.impact(lock, words.name_after("INDEX"), "the same lock on its table")
    if what in ("TABLE", "MATERIALIZED"):
        table = words.name_after("TABLE", "VIEW")
        return words.impact("ACCESS EXCLUSIVE", table, is_destructive=True)
    if what == "VIEW":
        return words.impact("ACCESS EXCLUSIVE", words.name_after("VIEW"))
    if what in ("TRIGGER", "POLICY", "RULE"):
        return words.impact("ACCESS EXCLUSIVE", words.name_after("ON"))
    if what == "SEQUENCE" and not words.has("CASCADE"):
        return words.impact("ACCESS EXCLUSIVE", words.name_after("SEQUENCE"))
    if what in ("DATABASE", "OWNED") or (
        what in ("SCHEMA", "TYPE", "DOMAIN", "EXTENSION", "SEQUENCE") and words.has("CASCADE")
    ):
        return words.impact(None, None, is_destructive=True)
    return None if what in _DROPPED_ALONE and not words.has("CASCADE") else words.unknown()


_DROPPED_ALONE = frozenset(
    "AGGREGATE CAST COLLATION DOMAIN FUNCTION GROUP LANGUAGE OPERATOR PROCEDURE ROLE ROUTINE"
    " SCHEMA SERVER STATISTICS TYPE USER".split()
)
"""Without CASCADE these go only if nothing hangs on them."""


def _read_write(words: StatementWords) -> Impact | None:
    """What these lock is rows, which is what they are for; some of them lose data."""
    if words.texts[0] == "DELETE":
        return words.impact("ROW EXCLUSIVE", words.name_after("FROM"), is_destructive=True)
    if words.has("DELETE"):
        return words.impact(None, None, is_destructive=True)
    return None


def _read_note(words: StatementWords) -> Impact | None:
    """COMMENT ON: a table is locked for its own comment and for those of its parts."""
    what = words.texts[2] if len(words.texts) > 2 else ""
    name = words.name_after("TABLE", "VIEW", "COLUMN")
    if what in ("TABLE", "VIEW", "MATERIALIZED"):
        return words.impact("SHARE UPDATE EXCLUSIVE", name)
    if what == "COLUMN" and name is not None:
        return words.impact("SHARE UPDATE EXCLUSIVE", name.rpartition(".")[0] or None)
    return None


def _read_whole(words: StatementWords) -> Impact | None:
    """ANALYZE, TRUNCATE, CLUSTER, LOCK, REINDEX, REFRESH and VACUUM."""
    first = words.texts[0]
    if first == "TRUNCATE":
        return words.impact("ACCESS EXCLUSIVE", words.name_after("TRUNCATE"), is_destructive=True)
    if first == "CLUSTER":
        return words.impact("ACCESS EXCLUSIVE", words.name_after("CLUSTER"), REWRITES)
    if first == "LOCK":
        return words.impact(_named_lock(words), words.name_after("LOCK"))
    if first == "REFRESH":
        lock = "EXCLUSIVE" if words.has("CONCURRENTLY") else "ACCESS EXCLUSIVE"
        return words.impact(lock, words.name_after("VIEW"))
    if first == "REINDEX":
        lock = "SHARE UPDATE EXCLUSIVE" if words.has("CONCURRENTLY") else "SHARE"
        return words.impact(lock, words.name_after("TABLE") if words.starts(*_OF_TABLE) else None)
    if words.has("FULL"):
        return words.impact("ACCESS EXCLUSIVE", None, REWRITES)
    return words.impact("SHARE UPDATE EXCLUSIVE", words.name_after("ANALYZE", "VACUUM"))


_OF_TABLE = ("REINDEX", "TABLE")


def _named_lock(words: StatementWords) -> str | None:
    if not words.has("IN"):
        return "ACCESS EXCLUSIVE"
    mode = words.texts[words.texts.index("IN") + 1 :]
    named = " ".join(mode[: mode.index("MODE")]) if "MODE" in mode else ""
    return named if named in LOCKS else None


_READERS = {
    "ALTER": _read_alter,
    "ANALYZE": _read_whole,
    "CLUSTER": _read_whole,
    "COMMENT": _read_note,
    "CREATE": _read_create,
    "DELETE": _read_write,
    "DROP": _read_drop,
    "LOCK": _read_whole,
    "MERGE": _read_write,
    "REFRESH": _read_whole,
    "REINDEX": _read_whole,
    "TRUNCATE": _read_whole,
    "VACUUM": _read_whole,
    "WITH": _read_write,
}

_HARMLESS = frozenset(
    "ABORT BEGIN CHECKPOINT CLOSE COMMIT COPY DEALLOCATE DECLARE DISCARD END EXPLAIN FETCH GRANT"
    " INSERT LISTEN LOAD MOVE NOTIFY PREPARE RELEASE RESET REVOKE ROLLBACK SAVEPOINT SELECT SET"
    " SHOW START TABLE UNLISTEN UPDATE VALUES".split()
)
"""They lock no more than the rows that they write."""
