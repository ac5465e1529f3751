"""A statement as its words, and the questions that are asked of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dbmigrate.postgres.sqltext.alter_table import has_phrase, without_names
from dbmigrate.postgres.sqltext.impact import LOSES, UNKNOWN, Impact
from dbmigrate.postgres.sqltext.splitter import Statement
from dbmigrate.postgres.sqltext.tokens import Token, TokenKind, tokens

_MOST_TOKENS = 2000
"""Longer statements are looked at up to here: what decides stands at the start."""


class StatementWords:
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
        return self.name_at(index)

    def names_after(self, *words: str) -> Iterator[str]:
        """All names of the list behind these words."""
        first = self.name_after(*words)
        if first is not None:
            yield first
        depth = 0
        for index, text in enumerate(self.texts):
            depth += (text == "(") - (text == ")")
            name = self.name_at(index + 1) if text == "," and depth == 0 else None
            if name is not None:
                yield name

    def name_at(self, index: int) -> str | None:
        """The name that starts at this token, as it is written; a filler may stand before it."""
        while self.texts[index : index + 1] and self.texts[index] in _FILLERS:
            index += 1
        end = self._end_of_name(index)
        if end == index:
            return None
        span = slice(self.tokens[index].start, self.tokens[end - 1].end)
        return self._sql[span].decode("utf-8", "replace")

    def _end_of_name(self, index: int) -> int:
        """Where the name ends that starts at this token; the same: there is none."""
        while index < len(self.tokens) and self.tokens[index].kind in (
            TokenKind.WORD,
            TokenKind.IDENTIFIER,
        ):
            index += 1
            if self.texts[index : index + 1] != ["."]:
                break
            index += 1
        return index

    def actions(self) -> Iterator[list[str]]:
        """The parts of an ALTER TABLE behind the table's name, without their commas.

        The names of columns are left out of them: any of PostgreSQL's words may be one.
        """
        index = 2
        while self.texts[index : index + 1] and self.texts[index] in ("IF", "EXISTS", "ONLY"):
            index += 1
        index = self._end_of_name(index)
        depth = 0
        action: list[str] = []
        for text in self.texts[index + (self.texts[index : index + 1] == ["*"]) :]:
            depth += (text == "(") - (text == ")")
            if text == "," and depth == 0:
                yield without_names(action)
                action = []
            else:
                action.append(text)
        yield without_names(action)

    def impact(
        self, lock: str | None, table: str | None, *notes: str, is_destructive: bool = False
    ) -> Impact:
        """The impact of this statement."""
        if is_destructive:
            notes = (LOSES, *notes)
        others = [other for other in self._further_tables(lock) if other[0] != table]
        return Impact(self.line, table, lock, notes, is_destructive, tuple(dict.fromkeys(others)))

    def unknown(self) -> Impact:
        """This statement may do what its text does not tell."""
        return Impact(self.line, None, None, (f"{self.texts[0]}: {UNKNOWN}",), is_known=False)

    def _further_tables(self, lock: str | None) -> Iterator[tuple[str, str]]:
        """Tables that are named behind the first one, with their locks."""
        first = self.texts[0]
        is_list = first in ("TRUNCATE", "LOCK") or self.texts[:2] in _LISTS
        for index, text in enumerate(self.texts):
            table = other = None
            if text == "REFERENCES":
                table, other = self.name_at(index + 1), "SHARE ROW EXCLUSIVE"
            elif text == "PARTITION" and self.texts[index - 1] in ("ATTACH", "DETACH"):
                table, other = self.name_at(index + 1), "ACCESS EXCLUSIVE"
            elif text == "," and is_list:
                skipped = self.texts[index + 1 : index + 2] == ["ONLY"]
                table, other = self.name_at(index + (2 if skipped else 1)), lock
            if table is not None and other is not None:
                yield table, other


def fold_name(name: str) -> str:
    """A name as the server understands it: two that are equal here are one relation.

    That is, with `public` on the search path.
    """
    folded = "".join(
        part[1:-1].replace('""', '"') if part.startswith('"') else part.lower()
        for part in _PARTS.findall(name)
    )
    return folded.removeprefix("public.")


_PARTS = re.compile(r'"(?:[^"]|"")*"|[^"]+')
_LISTS = (["DROP", "TABLE"], ["DROP", "VIEW"], ["DROP", "MATERIALIZED"], ["DROP", "INDEX"])
_FILLERS = frozenset(("IF", "NOT", "EXISTS", "ONLY", "CONCURRENTLY", "TABLE"))
