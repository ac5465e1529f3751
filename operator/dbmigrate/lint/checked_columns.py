"""Which columns are known to hold no NULL: those of a validated CHECK (column IS NOT NULL).

Behind such a check SET NOT NULL looks at no row, which is the safer form that its rule
names, so nothing is to be said of it. The checks may come from earlier files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dbmigrate.postgres.sqltext.splitter import split
from dbmigrate.postgres.sqltext.statement_words import StatementWords, fold_name

_SETS_NOT_NULL = re.compile(rb"\bSET\s+NOT\s+NULL\b", re.IGNORECASE)
_IS_NOT_NULL = re.compile(rb"\bIS\s+NOT\s+NULL\b", re.IGNORECASE)
_CONSTRAINT = re.compile(rb"\bCONSTRAINT\b|\bRENAME\b|\bDROP\b", re.IGNORECASE)


@dataclass(slots=True)
class _Check:
    column: str
    is_valid: bool


class CheckedColumns:
    """The checks, by table and name, as they are behind the statements that were followed."""

    def __init__(self) -> None:
        self._checks: dict[tuple[str, str], _Check] = {}

    def follow_script(self, sql: bytes, file: str) -> None:
        """Follow a whole script. Raises MigrationError (SourceInvalid) if it can't be split."""
        if not _IS_NOT_NULL.search(sql) and not (self._checks and _CONSTRAINT.search(sql)):
            return  # most scripts have nothing to do with this
        for statement in split(sql, file=file):
            if statement.words:
                self.follow(StatementWords(sql, statement, file))

    def follow(self, words: StatementWords) -> None:
        """Know what is checked behind this statement."""
        table = _table_of(words)
        if table is None:
            return
        if words.starts("DROP") or words.has("RENAME"):
            # Under a new name nothing is known, which can only be too careful.
            self._forget(table)
            return
        for index in _names_dropped(words):
            self._checks.pop((table, _name(words, index)), None)
        for index, text in enumerate(words.texts):
            if text == "CHECK" and words.starts("ALTER"):
                self._add(words, table, index)
            elif text == "CONSTRAINT" and words.texts[index - 1] == "VALIDATE":
                check = self._checks.get((table, _name(words, index + 1)))
                if check is not None:
                    check.is_valid = True

    def prove_not_null(self, words: StatementWords) -> bool:
        """Whether all that the statement sets NOT NULL is checked before it, and stays so."""
        table = _table_of(words)
        if table is None or not words.starts("ALTER"):
            return False
        dropped = {_name(words, index) for index in _names_dropped(words)}
        proven = {
            check.column
            for (where, name), check in self._checks.items()
            if where == table and check.is_valid and name not in dropped
        }
        places = [
            index
            for index in range(3, len(words.texts))
            if words.texts[index : index + 3] == ["SET", "NOT", "NULL"]
        ]
        return bool(places) and all(_name(words, index - 1) in proven for index in places)

    def _add(self, words: StatementWords, table: str, index: int) -> None:
        """Take a CHECK that says nothing but `column IS NOT NULL`."""
        at = index + 1
        while words.texts[at : at + 1] == ["("]:
            at += 1
        column = _name(words, at)
        depth = at - index - 1
        said = words.texts[at + 1 : at + 4 + depth]
        if not column or not depth or said != ["IS", "NOT", "NULL", *")" * depth]:
            return
        name = f"{table.rpartition('.')[2]}_{column}_check"
        if words.texts[index - 2] == "CONSTRAINT":
            name = _name(words, index - 1)
        is_valid = not words.has("NOT", "VALID") and not words.has("NOT", "ENFORCED")
        self._checks[table, name] = _Check(column, is_valid)

    def _forget(self, table: str) -> None:
        self._checks = {key: check for key, check in self._checks.items() if key[0] != table}


def sets_not_null(sql: bytes) -> bool:
    """Whether a script may have use for what is known here."""
    return _SETS_NOT_NULL.search(sql) is not None


def _table_of(words: StatementWords) -> str | None:
    if words.texts[1:2] != ["TABLE"]:
        return None
    name = words.name_after("TABLE")
    return None if name is None else fold_name(name)


def _names_dropped(words: StatementWords) -> list[int]:
    """Where the names of dropped constraints stand."""
    return [
        index + (3 if words.texts[index + 1 : index + 3] == ["IF", "EXISTS"] else 1)
        for index, text in enumerate(words.texts)
        if text == "CONSTRAINT" and words.texts[index - 1] == "DROP"
    ]


def _name(words: StatementWords, index: int) -> str:
    name = words.name_at(index)
    return "" if name is None else fold_name(name)
