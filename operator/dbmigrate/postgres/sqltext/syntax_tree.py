"""Statements as PostgreSQL's own grammar reads them: libpg_query, by postgast.

The splitter comes first, so that a statement that the grammar cannot read hides no
other. A tree is libpg_query's JSON: `{"DropStmt": {"objects": [...]}}`. postgast is imported
only where a statement is parsed; it is the extra `sql`, and a run does not need it.

libpg_query ends the process when a tree is too deep for the stack, so the depth of a
statement is estimated before it is parsed; its number of tokens bounds the memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, NamedTuple

from dbmigrate.bare_packages import bare_packages
from dbmigrate.errors import MigrationError
from dbmigrate.postgres.sqltext.splitter import Statement, split
from dbmigrate.postgres.sqltext.tokens import TokenKind, outermost, tokens

Node = Mapping[str, Any]
NOT_INSTALLED = "the SQL parser is not installed (pip install 'dbmigrate[sql]')"

_DEEPEST = 500
"""Operators in a row. The process would end at 10,000 to 30,000 with a stack of 8 MB."""
_LONGEST = 20_000
"""Tokens of one statement."""
_SHORT = 1000
"""Bytes: what is shorter is neither too deep nor too long."""
_OPERATORS = frozenset("+-*/<>=~!@#%^&|`?:")
_CHAINED = frozenset("UNION EXCEPT INTERSECT JOIN COLLATE AT OPERATOR".split())
_BREAKS = frozenset((",", ";", "AND", "OR"))
_PARAMETER = re.compile(rb"(?i):(?:batch_size|cursor(?:_[1-9])?)\b")

_PLACEHOLDER = re.compile(rb"(?<!\$)\$\{[^{}\s]+\}")
"""`${name}` of Flyway or goose whose value is not known: it stands for a name or a value."""
_NOT_IN_NAME = re.compile(rb"[^A-Za-z0-9]")


class Unreadable(Exception):
    """The grammar cannot read a statement; the message says why."""


class Tree(NamedTuple):
    """One node with its kind, as the grammar calls it: DropStmt."""

    kind: str
    node: Node


@dataclass(frozen=True, slots=True)
class ReadStatement:
    """One statement of a script."""

    line: int
    """Of its start, counted from 1."""
    verb: str
    """Its first word, in upper case."""
    tree: Tree | None = None
    """None: it only inserts rows that are written down, or it can't be read."""
    problem: str | None = None
    """Why it can't be read."""


def is_installed() -> bool:
    """Whether there is a parser, without importing it."""
    return find_spec("postgast") is not None


def read_script(sql: bytes, file: str) -> Iterator[ReadStatement]:
    """The statements of a script, one at a time: the trees of all would fill the memory.

    Raises MigrationError (SourceInvalid) for a script that can't be split.
    """
    for statement in split(sql, file=file):
        if statement.words:
            yield read_statement(sql, statement)


def read_statement(sql: bytes, statement: Statement) -> ReadStatement:
    """One statement of a script with its tree, or the problem."""
    verb, line = statement.words[0], statement.line
    text = sql[statement.start : statement.end]
    try:
        if verb == "INSERT" and _has_rows(text):
            return ReadStatement(line, verb)
        return ReadStatement(line, verb, parse(text))
    except Unreadable as problem:
        return ReadStatement(line, verb, problem=str(problem))


def parse(sql: bytes) -> Tree:
    """The tree of one statement; parameters of a batched file and placeholders stand for values.

    Raises Unreadable.
    """
    try:
        (tree,) = _parse_again(sql) if len(sql) < _SHORT else _parse(sql)
    except ValueError:
        raise Unreadable("this is more than one statement") from None
    return tree


def parse_all(sql: str) -> Iterator[tuple[int, Tree]]:
    """The statements of a text that is SQL as a whole, each with the line it starts on.

    Raises Unreadable.
    """
    data = sql.encode()
    try:
        statements = [*split(data, file="")]
    except MigrationError as refused:
        raise Unreadable(refused.message) from None
    for each in statements:
        yield each.line, parse(data[each.start : each.end])


def parse_body(body: str) -> list[Mapping[str, Any]]:
    """The functions of a PL/pgSQL body as libpg_query's JSON. Raises Unreadable."""
    # The body is put into a block: libpg_query aborts the process on a DO without one.
    mark = "$dbmigrate$"
    if mark in body or "\0" in body:
        raise Unreadable("this body can't be quoted")
    text = f"DO {mark}{body}{mark}".encode()
    return _parse_block_again(text) if len(text) < _SHORT else _parse_block(text)


def walk(value: object) -> Iterator[Tree]:
    """All nodes in this one, each with its kind."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += reversed(each)
        elif isinstance(each, dict):
            for key, inner in each.items():
                if key[:1].isupper() and isinstance(inner, dict):
                    yield Tree(key, inner)
            waiting += reversed(each.values())


def unwrap(value: Node | None) -> Tree:
    """The one node that a wrapper holds; one without a kind for None."""
    return next((Tree(key, node) for key, node in (value or {}).items()), Tree("", {}))


def texts(items: Sequence[Node]) -> list[str]:
    """The texts of a list of String nodes."""
    return [str(each["String"].get("sval", "")) for each in items if "String" in each]


def is_set(options: Sequence[Node], name: str) -> bool:
    """Whether an option such as `(FULL)`, `(FULL on)` or `(FULL 1)` is given and true."""
    for option in options:
        given = option["DefElem"]
        if given.get("defname") == name:
            kind, value = unwrap(given.get("arg"))
            if kind == "String":
                return value.get("sval", "").lower() not in ("off", "false", "no", "0")
            return not kind or bool(value.get("ival") or value.get("boolval"))
    return False


def table_of(relation: Node) -> str:
    """A table's name as SQL writes it, with quotes where it needs them."""
    return name_of(
        [relation["schemaname"]] if "schemaname" in relation else [], relation["relname"]
    )


def name_of(path: Sequence[str], *more: str) -> str:
    """A qualified name as SQL writes it, with quotes where it needs them."""
    return ".".join(
        part if _PLAIN_NAME.fullmatch(part) else '"' + part.replace('"', '""') + '"'
        for part in (*path, *more)
    )


_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_$]*")


def same_name(name: str) -> str:
    """What two names of one relation have in common, with `public` on the search path."""
    return name.removeprefix("public.")


def _parse(sql: bytes) -> list[Tree]:
    if b":" in sql:
        sql = _PARAMETER.sub(lambda found: b"$1".ljust(len(found[0])), sql)
    if b"${" in sql:
        sql = _PLACEHOLDER.sub(lambda found: _NOT_IN_NAME.sub(b"_", found[0]), sql)
    _check_size(sql)
    found = _load(_result("parse", sql, "parse_tree"))
    return [unwrap(each.get("stmt")) for each in found["stmts"]]


def _parse_block(sql: bytes) -> list[Mapping[str, Any]]:
    functions: list[Mapping[str, Any]] = _load(_result("parse_plpgsql", sql, "plpgsql_funcs"))
    return functions


# Scripts repeat themselves: the same guard before each table, the same ALTER in each branch.
_parse_again = lru_cache(maxsize=256)(_parse)
_parse_block_again = lru_cache(maxsize=256)(_parse_block)


def _result(work: str, sql: bytes, field: str) -> bytes:
    """A field of what one of libpg_query's functions gives. Raises Unreadable."""
    if b"\0" in sql:
        raise Unreadable("it holds a NUL character")
    lib = _load_parser()
    result = getattr(lib, f"pg_query_{work}")(sql)
    try:
        if result.error:
            message = result.error.contents.message or b"unknown error"
            raise Unreadable(message.decode(errors="replace"))
        return bytes(getattr(result, field))
    finally:
        free = {"parse": "parse", "parse_plpgsql": "plpgsql_parse"}[work]
        getattr(lib, f"pg_query_free_{free}_result")(result)


@lru_cache(maxsize=1)
def _load_parser() -> Any:
    """libpg_query, without the rest of postgast: that would be two thirds of a short run's time.

    Raises Unreadable where it is not installed.
    """
    try:
        with bare_packages("postgast"):
            from postgast.native import lib
    except (ImportError, OSError):
        raise Unreadable(NOT_INSTALLED) from None
    return lib


def _load(found: bytes) -> Any:
    try:
        return json.loads(found)
    except RecursionError:
        raise Unreadable("it is nested too deeply") from None
    except ValueError:
        raise Unreadable("its tree can't be read") from None


def _has_rows(insert: bytes) -> bool:
    """Whether an INSERT has its rows written down, and no query. Raises Unreadable."""
    try:
        words = outermost(tokens(insert, 0, len(insert), file=""))
        found = next((each.text for each in words if each.text in _SOURCES), "")
    except MigrationError as refused:
        raise Unreadable(refused.message) from None
    return found in ("VALUES", "DEFAULT")


_SOURCES = frozenset(("VALUES", "DEFAULT", "SELECT", "WITH", "TABLE"))


def _check_size(sql: bytes) -> None:
    """Refuse what could be too deep for the parser, or too large. Raises Unreadable."""
    if len(sql) < _SHORT:
        return
    levels = [0]
    count = total = 0
    try:
        for token in tokens(sql, 0, len(sql), file=""):
            count += 1
            text = token.text
            if text in _BREAKS:
                total -= levels[-1]
                levels[-1] = 0
            elif text in ("(", "["):
                levels.append(1)
                total += 1
            elif text in (")", "]"):
                total -= levels.pop() if len(levels) > 1 else 0
            elif text in (_OPERATORS if token.kind is TokenKind.SYMBOL else _CHAINED):
                levels[-1] += 1
                total += 1
            if total > _DEEPEST:
                raise Unreadable("it is nested too deeply")
            if count > _LONGEST:
                raise Unreadable("it is too long")
    except MigrationError as refused:
        raise Unreadable(refused.message) from None
