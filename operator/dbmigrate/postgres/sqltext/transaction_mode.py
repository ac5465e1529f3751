"""Decides how a script can run: as one query in one transaction, if possible.

Nearly every script can, and a search for a few words is enough to know it; only a
script with such a word is split and examined. A script that is wrapped in its own
BEGIN and COMMIT can as well: they are replaced by spaces, because the transaction
around the script has the same effect. `-- dbmigrate:no-transaction` above the first
statement overrides this, and so does `-- dbmigrate:batched`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from dbmigrate.postgres.sqltext.enum_values import used_after_added
from dbmigrate.postgres.sqltext.splitter import Statement, split
from dbmigrate.postgres.sqltext.tokens import refusal, skip_space, tokens
from dbmigrate.postgres.sqltext.transaction_rules import (
    CANNOT,
    Control,
    control_of,
    forbidden_in_transaction,
)

_OF_OTHERS = ([b"ignore"], [b"ignore-file"], [b"replaces"], [b"replaced"])
"""Directives that do not affect the transaction."""


class TransactionKind(StrEnum):
    """How a script can run."""

    ONE_QUERY = "one query"
    """In one transaction, sent as a whole."""
    STATEMENTS = "statements"
    """In one transaction, but one by one: it holds rows for COPY ... FROM stdin."""
    NONE = "none"
    """Statement by statement, each for itself: the script can't be one transaction."""
    BATCHED = "batched"
    """Its one statement again and again, each time with the next rows."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a script is not simply one query."""

    line: int
    what: str
    """The statement in short, and what is the matter with it."""

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}"


@dataclass(frozen=True, slots=True)
class TransactionMode:
    """How a script can run, and why."""

    kind: TransactionKind
    causes: tuple[Cause, ...] = ()
    """Never empty if the kind is not ONE_QUERY."""
    blanks: tuple[tuple[int, int], ...] = ()
    """Spans the server must not see: BEGIN and COMMIT around the script, psql's \\restrict."""
    cuts: tuple[int, ...] = ()
    """Where a large script of one transaction may be cut to be sent in pieces, as bytes."""

    def prepare(self, sql: bytes) -> bytes:
        """The script to run, of the same length, so that every position stays the same."""
        if not self.blanks:
            return sql
        parts = []
        at = 0
        for start, end in self.blanks:
            parts += [sql[at:start], re.sub(rb"[^\r\n]", b" ", sql[start:end])]
            at = end
        return b"".join([*parts, sql[at:]])


_ORDINARY = TransactionMode(TransactionKind.ONE_QUERY)

_WORDS = (
    *(b"concurrently", b"vacuum", b"begin", b"transaction", b"commit", b"rollback", b"abort"),
    *(b"database", b"tablespace", b"subscription", b"system", b"reindex", b"cluster"),
    *(b"discard", b"stdin", b"\n\\", b"dbmigrate:"),
)
"""In lower case: a script without any of them is ordinary, but for END and ADD VALUE."""

_END = re.compile(rb"end(?![a-z0-9_$\x80-\xff])(?<![a-z0-9_$\x80-\xff]end)")
_ADD_VALUE = (b"alter", b"type", b"value")
_PLAIN = frozenset((word,) for word in ("INSERT", "UPDATE", "DELETE", "SELECT", "VALUES"))
_LARGE = 4 << 20
"""Bytes above which a script is not searched as a whole, and is sent in pieces."""
_PIECE = 1 << 20
_CHUNK = 4 << 20
_OVERLAP = 64

_DIRECTIVE = re.compile(rb"^[ \t]*--[ \t]*dbmigrate:([^\r\n]*)", re.MULTILINE)


_REMEMBERED = 1 << 14
"""Bytes of the scripts whose mode is kept: the same few run on each database of a fleet."""


def transaction_mode(sql: bytes, file: str) -> TransactionMode:
    """How a script, UTF-8 without a byte order mark, can run.

    Raises MigrationError (SourceInvalid) for what the lexer refuses, and for an unknown
    directive.
    """
    return _mode_of_small(sql, file) if len(sql) <= _REMEMBERED else _find_mode(sql, file)


def _find_mode(sql: bytes, file: str) -> TransactionMode:
    if len(sql) > _LARGE:
        cuts = _cut_plain(sql, file)
        if cuts is not None:
            return TransactionMode(TransactionKind.ONE_QUERY, cuts=cuts)
    elif _is_ordinary(sql):
        return _ORDINARY
    directive = _read_directive(sql, file)
    if isinstance(directive, TransactionMode):
        return directive
    left_out: list[tuple[int, int]] = []
    statements = [*split(sql, file=file, left_out=left_out)]
    causes = _causes(sql, statements, file)
    controls = [
        (index, control)
        for index, statement in enumerate(statements)
        if (control := control_of(sql, statement, file=file)) is not None
    ]
    left_open = _left_open(sql, statements, [index for index, _ in controls], file)
    if left_open is not None:
        raise refusal(
            sql,
            left_open.start,
            file,
            "the transaction that begins here has no end: add COMMIT, or remove the BEGIN",
        )
    if directive is not None:
        causes.insert(0, directive)
    elif not causes and _is_wrapped(controls, len(statements)):
        left_out += [(statements[i].start, statements[i].end) for i, _ in controls]
    else:
        causes += [
            Cause(statements[i].line, f"{statements[i].words[0]} is the script's own transaction")
            for i, _ in controls
        ]
    blanks = tuple(sorted(left_out))
    if causes:
        causes.sort(key=lambda cause: cause.line)
        return TransactionMode(TransactionKind.NONE, tuple(causes), blanks)
    copies = tuple(Cause(s.line, "COPY has its rows in the script") for s in statements if s.rows)
    kind = TransactionKind.STATEMENTS if copies else TransactionKind.ONE_QUERY
    cuts = () if copies else tuple(_cuts(sql, statements))
    return TransactionMode(kind, copies, blanks, cuts)


def _cut_plain(sql: bytes, file: str) -> tuple[int, ...] | None:
    """Where a large script may be cut, all of whose statements may be in one transaction by
    their first words; None: a closer look is needed.

    Cheaper than a search for words, and data does not look like a statement to it.
    """
    if sql.startswith(b"\\") or b"dbmigrate:" in sql[: skip_space(sql, 0, file=file)]:
        return None
    try:
        return tuple(_cuts(sql, _require_plain(sql, file)))
    except _NotPlain:
        return None


class _NotPlain(Exception):
    """A statement that its first words do not explain."""


def _require_plain(sql: bytes, file: str) -> Iterator[Statement]:
    left_out: list[tuple[int, int]] = []
    for statement in split(sql, file=file, left_out=left_out):
        if statement.words[:1] not in _PLAIN and (
            statement.rows is not None
            or statement.words[:2] == ("ALTER", "TYPE")
            or control_of(sql, statement, file=file) is not None
            or forbidden_in_transaction(sql, statement, file=file) is not None
        ):
            raise _NotPlain
        yield statement
    if left_out:
        raise _NotPlain


def _cuts(sql: bytes, statements: Iterable[Statement]) -> Iterator[int]:
    """The ends of statements that leave pieces of some size."""
    last = 0
    for statement in statements:
        if statement.end + 1 - last >= _PIECE and len(sql) > _LARGE:
            last = min(statement.end + 1, len(sql))
            yield last


_mode_of_small = lru_cache(maxsize=256)(_find_mode)


def _is_ordinary(sql: bytes) -> bool:
    if sql.startswith(b"\\"):
        return False
    seen: set[bytes] = set()
    for start in range(0, len(sql), _CHUNK):
        chunk = sql[start : start + _CHUNK + _OVERLAP].lower()
        if any(word in chunk for word in _WORDS) or _END.search(chunk):
            return False
        seen.update(word for word in _ADD_VALUE if word in chunk)
    return len(seen) < len(_ADD_VALUE)


def _read_directive(sql: bytes, file: str) -> Cause | TransactionMode | None:
    """The directive in the comments above the first statement; one for batches decides all."""
    cause = None
    for match in _DIRECTIVE.finditer(sql, 0, skip_space(sql, 0, file=file)):
        word = match[1].strip()
        if word.split()[:1] in _OF_OTHERS:
            continue  # for `lint`, and for the plan
        if word.split()[:1] == [b"batched"]:
            return _batched_mode(sql, file)
        if word != b"no-transaction":
            raise refusal(
                sql,
                match.start(1),
                file,
                f"unknown directive dbmigrate:{word.decode('utf-8', 'replace')};"
                " there are dbmigrate:no-transaction and dbmigrate:batched",
            )
        line = sql.count(b"\n", 0, match.start(1)) + 1
        cause = cause or Cause(line, "dbmigrate:no-transaction")
    return cause


def _batched_mode(sql: bytes, file: str) -> TransactionMode:
    from dbmigrate.postgres.sqltext.batched.script import read_batched

    script = read_batched(sql, file)
    way = "a transaction of its own"
    cause = Cause(script.line, f"in batches of at most {script.options.size} rows, each {way}")
    return TransactionMode(TransactionKind.BATCHED, (cause,))


def _causes(sql: bytes, statements: Sequence[Statement], file: str) -> list[Cause]:
    causes = [
        Cause(statement.line, f"{what} {CANNOT}")
        for statement in statements
        if (what := forbidden_in_transaction(sql, statement, file=file)) is not None
    ]
    added = used_after_added(sql, statements, file=file)
    if added is not None:
        causes.append(
            Cause(
                added.statement.line,
                f"ALTER TYPE ADD VALUE {added.value} has to be committed"
                f" before line {added.used_in.line} can use the value",
            )
        )
    return causes


def _is_wrapped(controls: Sequence[tuple[int, Control]], size: int) -> bool:
    """Whether all of the script is one transaction, by the server's own rules.

    Sent as one query, all statements up to a COMMIT are one transaction, whether
    there is a BEGIN before, between or none at all.
    """
    return all(
        control is Control.BEGIN or (control is Control.COMMIT and index == size - 1)
        for index, control in controls
    )


def _left_open(
    sql: bytes, statements: Sequence[Statement], controls: Sequence[int], file: str
) -> Statement | None:
    """The statement that began the transaction which the script leaves open; None: there is
    none."""
    begun: Statement | None = None
    for statement in (statements[index] for index in controls):
        verb = statement.words[0]
        if verb in {"BEGIN", "START"}:
            begun = begun or statement
        else:
            words = [t.text for t in tokens(sql, statement.start, statement.end, file=file)]
            begun = statement if words[-2:] == ["AND", "CHAIN"] else None
    return begun
