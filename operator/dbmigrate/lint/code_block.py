"""The statements in a DO block, as far as its text contains them: PL/pgSQL around SQL.

A statement after IF ... THEN may run or not; lint assumes that it does. A statement that the
block assembles itself is not seen, one in a string constant is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dbmigrate.postgres.sqltext.syntax_tree import (
    ReadStatement,
    Unreadable,
    parse,
    parse_all,
    parse_body,
    unwrap,
)


def read_block(statement: ReadStatement, sql: bytes) -> list[ReadStatement]:
    """The statements of a DO block; none for any other statement, or another language.

    `sql` is the text of the statement, for the lines of its body.
    """
    if statement.tree is None or statement.tree.kind != "DoStmt":
        return []
    said = {each["DefElem"]["defname"]: each["DefElem"] for each in statement.tree.node["args"]}
    texts = {name: unwrap(each.get("arg")).node.get("sval", "") for name, each in said.items()}
    if texts.get("language", "plpgsql") != "plpgsql" or "as" not in texts:
        return []
    first = statement.line + sql.count(b"\n", 0, said["as"].get("location", 0)) - 1
    try:
        return [*_statements(parse_body(texts["as"]), first)]
    except Unreadable as problem:
        return [ReadStatement(statement.line, "DO", problem=str(problem))]


def _statements(functions: object, first: int) -> Iterator[ReadStatement]:
    """`first` is the line before that of the body's start."""
    waiting = [(functions, 1, "")]
    while waiting:
        value, line, key = waiting.pop()
        if isinstance(value, list):
            waiting += [(each, line, key) for each in reversed(value)]
        elif isinstance(value, dict) and "PLpgSQL_expr" in value:
            expression = value["PLpgSQL_expr"]
            if expression.get("parseMode", 0) == _IS_STATEMENT:
                yield from _read(expression["query"], first + line)
            elif key in ("query", "dynquery"):
                yield from _read_dynamic(expression["query"], first + line)
        elif isinstance(value, dict):
            line = value.get("lineno", line)
            waiting += [(each, line, name) for name, each in reversed(value.items())]


def _constant(text: str) -> str:
    tree = parse(f"SELECT {text}".encode())
    (target,) = tree.node["targetList"]
    constant = unwrap(target["ResTarget"].get("val")).node
    return str(constant["sval"]["sval"])


_PLAIN = re.compile(r"\s*'((?:[^'\\]|'')*)'\s*")
"""A string without escapes, which needs no parser."""
_IS_STATEMENT = 0
"""PostgreSQL's RAW_PARSE_DEFAULT: the text is a statement, and no mere expression."""


def _read(text: str, line: int) -> Iterator[ReadStatement]:
    verb = text.split(maxsplit=1)[0].upper() if text.strip() else ""
    try:
        yield ReadStatement(line, verb, parse(text.encode()))
    except Unreadable as problem:
        yield ReadStatement(line, verb, problem=str(problem))


def _read_dynamic(text: str, line: int) -> Iterator[ReadStatement]:
    """EXECUTE of a constant; an assembled text is not examined."""
    try:
        plain = _PLAIN.fullmatch(text)
        said = _constant(text) if plain is None else plain[1].replace("''", "'")
        for behind, inner in parse_all(said):
            yield ReadStatement(line + behind - 1, inner.kind, inner)
    except (Unreadable, KeyError, ValueError):
        return  # an expression, which is no statement in the text
