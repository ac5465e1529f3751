"""A file that runs in batches: its one statement, and the places of its parameters.

The statement is the file's own, with `:batch_size` where the rows are limited and,
if it follows a key, `:cursor` where the last batch ended (`:cursor_1`, `:cursor_2`
for a key of several columns). They are found among the tokens that the server would
see: never in a string, a comment or a cast.

Most of this module rejects files. A file that is wrong here would not fail on the
server: it would end too early and count as done, which is the worst result of a data
migration. So everything that is known to leave rows out is an error with its place.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from dbmigrate.postgres.sqltext.batched.directive import BatchOptions, read_options
from dbmigrate.postgres.sqltext.batched.limited_query import LimitedQuery, find_limited_query
from dbmigrate.postgres.sqltext.batched.order_check import (
    check_order,
    check_returned,
    shares_places,
)
from dbmigrate.postgres.sqltext.splitter import Statement, split
from dbmigrate.postgres.sqltext.tokens import Token, TokenKind, refusal, skip_space, tokens

BATCH_SIZE = "batch_size"
_CURSOR = re.compile(r"cursor(?:_([1-9]))?")
_DIRECTIVE = re.compile(rb"^[ \t]*--[ \t]*dbmigrate:batched\b", re.MULTILINE)
_WRITES = frozenset(("INSERT", "UPDATE", "DELETE", "MERGE"))
_NAMED_NEXT = frozenset(("WITH", "RECURSIVE", ",", "SET", "BY", "USING", "TO", "DEFAULT", "AS"))
"""After these comes a name or a value, and so not the main statement of a WITH."""


class Parameter(NamedTuple):
    """A place where a value is inserted."""

    start: int
    """The byte of its colon."""
    end: int
    name: str

    @property
    def key(self) -> int | None:
        """Which column of the cursor it is, counted from 1; None: it is the size."""
        match = _CURSOR.fullmatch(self.name)
        return None if match is None else int(match[1] or 1)


@dataclass(frozen=True, slots=True)
class BatchedScript:
    """The content of a batched file."""

    file: str
    sql: bytes
    start: int
    """Where its statement starts, as a byte of the file."""
    end: int
    main: int
    """Where the statement itself starts after its WITH; `start` if it has none."""
    parameters: tuple[Parameter, ...]
    has_returning: bool
    shares_places: bool
    """Whether several rows of a batch may share one position of the cursor."""
    table: str | None
    """The table that it writes to, as the file names it; None: the text does not show it."""
    options: BatchOptions
    is_update: bool
    """Whether each row that it changes stays in its table."""
    limited: LimitedQuery | None = None
    """The query whose rows are limited, where it is a statement by itself."""

    @property
    def keys(self) -> int:
        """How many columns the cursor has; 0: none, and it repeats until nothing is left."""
        return max((parameter.key or 0 for parameter in self.parameters), default=0)

    @property
    def size_at(self) -> int:
        """The byte of the first `:batch_size`."""
        return next(p.start for p in self.parameters if p.name == BATCH_SIZE)

    @property
    def line(self) -> int:
        """Of its statement, counted from 1."""
        return self.sql.count(b"\n", 0, self.start) + 1

    @property
    def checksum(self) -> str:
        """SHA-256 of the statement alone, which must not change while the step is unfinished."""
        return hashlib.sha256(self.sql[self.start : self.end]).hexdigest()

    @property
    def first_cursor(self) -> tuple[str, ...] | None:
        """Where the first batch starts; None: the parameters are NULL then."""
        return tuple(value for _, value in sorted(self.options.start)) or None


def read_batched(sql: bytes, file: str) -> BatchedScript:
    """Read a file that begins with the directive.

    Raises MigrationError (SourceInvalid), with the place, for what cannot run in batches.
    """
    directive = _DIRECTIVE.search(sql, 0, skip_space(sql, 0, file=file))
    if directive is None:
        raise refusal(sql, 0, file, "dbmigrate:batched must be above the statement")
    line_end = sql.find(b"\n", directive.end())
    options = read_options(sql, directive.end(), len(sql) if line_end < 0 else line_end, file)
    statement = _only_statement(sql, file, directive.start())
    found = [*tokens(sql, statement.start, statement.end, file=file)]
    parameters = (*find_parameters(found),)
    main = _find_main(sql, file, found)
    script = BatchedScript(
        file=file,
        sql=sql,
        start=statement.start,
        end=statement.end,
        main=found[main].start,
        parameters=parameters,
        has_returning=_has_returning(found[main:]),
        shares_places=_shares_places(found, main, parameters),
        table=_find_table(sql, found[main:]),
        options=options,
        is_update=found[main].text == "UPDATE",
    )
    _check_parameters(script, found)
    _check_shape(script, found, main)
    _check_start(script, found, directive.start())
    cursors = [(p.start, p.key) for p in parameters if p.key]
    limited = find_limited_query(sql, found, main, cursors, script.size_at)
    return replace(script, limited=limited)


def find_parameters(found: Sequence[Token]) -> Iterator[Parameter]:
    """A colon directly before a word: no cast, no `:=`, no slice of numbers.

    In any case, as all words of SQL that are not quoted.
    """
    colon: int | None = None
    for token in found:
        if token.text == ":":
            colon = None if colon == token.start - 1 else token.start
            continue
        if colon == token.start - 1 and token.kind is TokenKind.WORD:
            yield Parameter(token.start - 1, token.end, token.text.lower())
        colon = None


def _only_statement(sql: bytes, file: str, directive: int) -> Statement:
    statements = split(sql, file=file)
    first = next(statements, None)
    if first is None:
        raise refusal(sql, directive, file, "a batched file needs a statement")
    second = next(statements, None)
    if second is not None:
        raise refusal(
            sql,
            second.start,
            file,
            "a batched file has one statement: put this one into a separate file",
        )
    return first


def _find_main(sql: bytes, file: str, found: Sequence[Token]) -> int:
    """The index of the verb, after the WITH clause."""
    mains = _WRITES | {"SELECT"}
    if found[0].text in mains:
        return 0
    depth = 0
    if found[0].text == "WITH":
        for index, (before, token) in enumerate(pairwise(found), 1):
            depth += (token.text == "(") - (token.text == ")")
            if depth == 0 and token.text in mains and before.text not in _NAMED_NEXT:
                return index
    raise refusal(
        sql,
        found[0].start,
        file,
        "a batched file is one INSERT, UPDATE, DELETE, MERGE or SELECT, perhaps behind a WITH",
    )


def _has_returning(main: Sequence[Token]) -> bool:
    depth = 0
    for token in main:
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.text == "RETURNING":
            return True
    return False


def _shares_places(found: Sequence[Token], main: int, parameters: Sequence[Parameter]) -> bool:
    size = next((p.start for p in parameters if p.name == BATCH_SIZE), None)
    return size is None or shares_places(found, found[main], size)


def _find_table(sql: bytes, main: Sequence[Token]) -> str | None:
    texts = [token.text for token in main[:3]]
    at = {"UPDATE": 1, "DELETE": 2, "MERGE": 2}.get(texts[0])
    if at is None:
        return None
    if texts[at : at + 1] == ["ONLY"]:
        at += 1
    end = at
    while end < len(main) and main[end].kind in (TokenKind.WORD, TokenKind.IDENTIFIER):
        end += 1
        if main[end : end + 1] and main[end].text == ".":
            end += 1
        else:
            break
    if end == at:
        return None
    return sql[main[at].start : main[end - 1].end].decode("utf-8", "replace")


def _check_parameters(script: BatchedScript, found: Sequence[Token]) -> None:
    sql, file = script.sql, script.file
    for parameter in script.parameters:
        if parameter.name != BATCH_SIZE and parameter.key is None:
            name = sql[parameter.start : parameter.end].decode("utf-8", "replace")
            raise refusal(
                sql,
                parameter.start,
                file,
                f"{name} is no parameter: there are :batch_size, :cursor, :cursor_1, :cursor_2 ..."
                " (an array's slice is written with a space behind its colon)",
            )
    if not any(parameter.name == BATCH_SIZE for parameter in script.parameters):
        raise refusal(sql, script.start, file, "a batched file must limit its rows by :batch_size")
    known = {parameter.key for parameter in script.parameters}
    missing = next((key for key in range(1, script.keys) if key not in known), None)
    if missing is not None:
        raise refusal(sql, script.start, file, f":cursor_{missing} is not used, a later one is")
    for first, second in pairwise(found):
        if (first.text, second.text) == ("SKIP", "LOCKED"):
            raise refusal(
                sql,
                first.start,
                file,
                "SKIP LOCKED would skip rows that others lock, and they would never be"
                " processed: remove it; a batch waits for them",
            )


def _check_shape(script: BatchedScript, found: Sequence[Token], main: int) -> None:
    sql, file, verb = script.sql, script.file, found[main]
    if not script.keys:
        if verb.text == "SELECT":
            raise refusal(
                sql,
                verb.start,
                file,
                "a SELECT has rows whether anything is left to do or not: write it with :cursor",
            )
        return
    if verb.text != "SELECT" and not script.has_returning:
        raise refusal(
            sql,
            verb.start,
            file,
            "RETURNING must return the columns that :cursor is compared with",
        )
    check_order(
        sql,
        file,
        found,
        [(p.start, p.key) for p in script.parameters if p.key],
        script.size_at,
        is_descending=script.options.is_descending,
    )
    check_returned(sql, file, found[main:], script.keys)


def _check_start(script: BatchedScript, found: Sequence[Token], directive: int) -> None:
    sql, file = script.sql, script.file
    given = sorted(key for key, _ in script.options.start)
    if given and given != [*range(1, script.keys + 1)]:
        wanted = ", ".join(f"start_{key}" for key in range(2, script.keys + 1))
        problem = f"start goes with {wanted}" if wanted else "each :cursor needs one start"
        raise refusal(sql, directive, file, problem)
    first = next((p for p in script.parameters if p.key == 1), None)
    if first is None or given or _tests_for_null(script, found):
        return
    raise refusal(
        sql,
        first.start,
        file,
        ":cursor is NULL in the first batch, and a comparison with NULL finds no row: set the"
        " start (`start=0` after dbmigrate:batched), or write (:cursor IS NULL OR id > :cursor)",
    )


def _tests_for_null(script: BatchedScript, found: Sequence[Token]) -> bool:
    """Whether some `:cursor` is compared with NULL, or has a value in its place."""
    places = {p.start for p in script.parameters if p.key == 1}
    for index, token in enumerate(found):
        if token.start not in places:
            continue
        after = index + 2
        while [each.text for each in found[after : after + 2]] == [":", ":"]:
            after += 3
        behind = [each.text for each in found[after : after + 2]]
        before = [each.text for each in found[max(index - 2, 0) : index]]
        if behind == ["IS", "NULL"] or before == ["COALESCE", "("]:
            return True
    return False
