"""What a statement does to everyone else: the lock it takes, and whether it loses data.

Read from the text alone, for `plan`; the server is not asked. The locks are
those of PostgreSQL's manual (Explicit Locking, ALTER TABLE); a table that the
same script creates is nobody else's yet and is left out. What is not known here
is not mentioned: no word of a statement means that nothing is known against it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from dbmigrate.postgres.alter_table import LOCKS, REWRITES, has_phrase, read_action
from dbmigrate.postgres.lexer import Statement, split
from dbmigrate.postgres.tokens import Kind, Token, tokens

_BLOCKED = {
    "SHARE": "blocks writes",
    "SHARE ROW EXCLUSIVE": "blocks writes",
    "EXCLUSIVE": "blocks writes",
    "ACCESS EXCLUSIVE": "blocks reads and writes",
}

LOSES = "loses data"

_MOST_TOKENS = 2000
"""Longer statements are looked at up to here: what decides stands at the start."""


@dataclass(frozen=True, slots=True)
class Impact:
    """What is known of one statement."""

    line: int
    """Of its start, counted from 1."""
    table: str | None
    """As it is written; None where no one table is meant."""
    lock: str | None
    """One of LOCKS; None: no lock that gets in anyone's way, or not known."""
    notes: tuple[str, ...] = ()
    is_destructive: bool = False
    others: tuple[tuple[str, str], ...] = ()
    """Further tables that the statement locks, each with its lock."""

    def __str__(self) -> str:
        parts = [_describe_lock(self.lock, self.table)] if self.lock else []
        parts += [_describe_lock(lock, table) for table, lock in self.others]
        parts += self.notes
        return f"line {self.line}: {', '.join(parts)}"


def _describe_lock(lock: str, table: str | None) -> str:
    what = f" on {table}" if table else ""
    return f"{lock} lock{what}" + (f" ({_BLOCKED[lock]})" if lock in _BLOCKED else "")


def read_impacts(sql: bytes, file: str) -> tuple[Impact, ...]:
    """The statements of a script of which something is known.

    Raises MigrationError (SourceInvalid) for a script that can't be split.
    """
    created: set[str] = set()
    impacts = []
    for statement in split(sql, file=file):
        if not statement.words or statement.words[0] not in _READERS:
            continue
        words = _Words(sql, statement, file)
        if _creates_table(words):
            created.add((words.name_after("TABLE", "VIEW", "EXISTS") or "").lower())
        impact = _READERS[statement.words[0]](words)
        impact = _without(created, impact)
        if impact is not None:
            impacts.append(impact)
    return tuple(impacts)


def _without(created: set[str], impact: Impact | None) -> Impact | None:
    """The impact on tables that the script did not create itself."""
    if impact is None:
        return None
    others = tuple(other for other in impact.others if other[0].lower() not in created)
    if impact.table is None or impact.table.lower() not in created:
        return replace(impact, others=others)
    if not others:
        return None
    return Impact(impact.line, others[0][0], others[0][1], others=others[1:])


class _Words:
    """A statement as its tokens, and questions about them."""

    def __init__(self, sql: bytes, statement: Statement, file: str) -> None:
        self._sql = sql
        self.line = statement.line
        self.tokens: list[Token] = []
        for token in tokens(sql, statement.start, statement.end, file=file):
            if len(self.tokens) == _MOST_TOKENS:
                break
            self.tokens.append(token)
        self.texts = [token.text for token in self.tokens]

    def has(self, *phrase: str) -> bool:
        """Whether these words stand somewhere, one after the other."""
        return has_phrase(self.texts, phrase)

    def starts(self, *phrase: str) -> bool:
        """Whether the statement begins with these words."""
        return tuple(self.texts[: len(phrase)]) == phrase

    def name_after(self, *words: str) -> str | None:
        """The name behind the first run of these words and of the usual fillers."""
        index = next((i for i, text in enumerate(self.texts) if text in words), None)
        if index is None:
            return None
        while index < len(self.texts) and self.texts[index] in {*words, *_FILLERS}:
            index += 1
        return self._name_at(index)

    def _name_at(self, index: int) -> str | None:
        start = index
        while index < len(self.tokens) and self.tokens[index].kind in (Kind.WORD, Kind.IDENTIFIER):
            index += 1
            if self.texts[index : index + 1] != ["."]:
                break
            index += 1
        if index == start:
            return None
        span = slice(self.tokens[start].start, self.tokens[index - 1].end)
        return self._sql[span].decode("utf-8", "replace")

    def actions(self) -> Iterator[list[str]]:
        """The parts of an ALTER TABLE behind the table's name, without their commas."""
        depth = 0
        action: list[str] = []
        for text in self.texts:
            depth += (text == "(") - (text == ")")
            if text == "," and depth == 0:
                yield action
                action = []
            else:
                action.append(text)
        yield action

    def impact(
        self, lock: str | None, table: str | None, *notes: str, is_destructive: bool = False
    ) -> Impact:
        """The impact of this statement."""
        if is_destructive:
            notes = (LOSES, *notes)
        others = [other for other in self._further_tables(lock) if other[0] != table]
        return Impact(self.line, table, lock, notes, is_destructive, tuple(dict.fromkeys(others)))

    def _further_tables(self, lock: str | None) -> Iterator[tuple[str, str]]:
        """Tables that are named behind the first one, with their locks."""
        first = self.texts[0]
        is_list = first in ("TRUNCATE", "LOCK") or self.texts[:2] in _LISTS
        for index, text in enumerate(self.texts):
            table = other = None
            if text == "REFERENCES":
                table, other = self._name_at(index + 1), "SHARE ROW EXCLUSIVE"
            elif text == "PARTITION" and self.texts[index - 1] in ("ATTACH", "DETACH"):
                table, other = self._name_at(index + 1), "ACCESS EXCLUSIVE"
            elif text == "," and is_list:
                skipped = self.texts[index + 1 : index + 2] == ["ONLY"]
                table, other = self._name_at(index + (2 if skipped else 1)), lock
            if table is not None and other is not None:
                yield table, other


_LISTS = (["DROP", "TABLE"], ["DROP", "VIEW"], ["DROP", "MATERIALIZED"], ["DROP", "INDEX"])
_FILLERS = frozenset(("IF", "NOT", "EXISTS", "ONLY", "CONCURRENTLY", "TABLE"))


def _creates_table(words: _Words) -> bool:
    if words.texts[0] != "CREATE":
        return False
    head = words.texts[1:5]
    return "TABLE" in head or (head[:2] == ["MATERIALIZED", "VIEW"])


def _read_alter(words: _Words) -> Impact | None:
    what = words.texts[1] if len(words.texts) > 1 else ""
    if what == "TABLE":
        return _read_alter_table(words)
    if what == "INDEX":
        return words.impact("SHARE UPDATE EXCLUSIVE", words.name_after("INDEX"))
    if what in ("POLICY", "TRIGGER", "RULE"):
        return words.impact("ACCESS EXCLUSIVE", words.name_after("ON"))
    return None


def _read_alter_table(words: _Words) -> Impact:
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


def _read_create(words: _Words) -> Impact | None:
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
    return None


def _read_drop(words: _Words) -> Impact | None:
    what = words.texts[1] if len(words.texts) > 1 else ""
    if what == "INDEX":
        is_gentle = words.has("CONCURRENTLY")
        lock = "SHARE UPDATE EXCLUSIVE" if is_gentle else "ACCESS EXCLUSIVE"
        return words.impact(lock, words.name_after("INDEX"))
    if what in ("TABLE", "MATERIALIZED"):
        table = words.name_after("TABLE", "VIEW")
        return words.impact("ACCESS EXCLUSIVE", table, is_destructive=True)
    if what == "VIEW":
        return words.impact("ACCESS EXCLUSIVE", words.name_after("VIEW"))
    if what in ("TRIGGER", "POLICY", "RULE"):
        return words.impact("ACCESS EXCLUSIVE", words.name_after("ON"))
    if what in ("DATABASE", "OWNED") or (
        what in ("SCHEMA", "TYPE", "DOMAIN", "EXTENSION", "SEQUENCE") and words.has("CASCADE")
    ):
        return words.impact(None, None, is_destructive=True)
    return None


def _read_write(words: _Words) -> Impact | None:
    """DELETE loses data; what it and the others lock is rows, which is what they are for."""
    if words.texts[0] == "DELETE":
        return words.impact("ROW EXCLUSIVE", words.name_after("FROM"), is_destructive=True)
    return None


def _read_whole(words: _Words) -> Impact | None:
    """TRUNCATE, CLUSTER, LOCK, REINDEX, REFRESH and VACUUM."""
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
    return None


_OF_TABLE = ("REINDEX", "TABLE")


def _named_lock(words: _Words) -> str | None:
    if not words.has("IN"):
        return "ACCESS EXCLUSIVE"
    mode = words.texts[words.texts.index("IN") + 1 :]
    named = " ".join(mode[: mode.index("MODE")]) if "MODE" in mode else ""
    return named if named in LOCKS else None


_READERS = {
    "ALTER": _read_alter,
    "CREATE": _read_create,
    "DROP": _read_drop,
    "DELETE": _read_write,
    "TRUNCATE": _read_whole,
    "CLUSTER": _read_whole,
    "LOCK": _read_whole,
    "REINDEX": _read_whole,
    "REFRESH": _read_whole,
    "VACUUM": _read_whole,
}
