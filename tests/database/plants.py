"""Objects that a statement would run instead of the server's own, were it to look in `public`.

For each function, aggregate and operator of the server whose name occurs in the program's
text there is one of the same signature, and for operators and polymorphic functions there
are more, of types that fit better than what the server has. Domains bear the names of
types, and casts lie between types that have none. Each of them writes a line to the
server's log when it is run, in whichever database, and whether or not the statement fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path

import dbmigrate
from tests.database.server import Database, Server

MARK = "a planted object was run"
_NUMBERS = "bool int2 int4 int8 float8 numeric oid regclass".split()
_TEXTS = "text varchar name char".split()
_TYPES = [
    *_NUMBERS,
    *_TEXTS,
    *"timestamptz timestamp interval json jsonb pg_lsn xid tid aclitem regtype".split(),
    *"_text _name _oid _int2 _char _bool _aclitem int2vector oidvector".split(),
]
_PSEUDO = ("any", "anyelement", "anyarray", "anynonarray", "anycompatible", "anycompatiblearray")
_CAST_TO_TEXT = (
    "int4 int8 oid regclass regcollation regproc regtype jsonb json timestamptz aclitem tid xid"
    " _text _name _char _oid _aclitem"
).split()
_OWN_CASTS = tuple(product(_CAST_TO_TEXT, ("text",)))
_OWN_CASTS += tuple(product(("text",), ("int4", "int8", "numeric", "oid", "jsonb")))


def plants(server: Server, schema: str = "public", *, with_operators: bool = True) -> str:
    """The SQL that makes them, perhaps without operators and casts."""
    database = Database(server, "postgres")
    words = _words()
    parts = [
        "SET check_function_bodies = off",
        f"CREATE SCHEMA IF NOT EXISTS {schema}",
        *_functions(database, words, schema),
        *domains(schema),
    ]
    if with_operators:
        parts += [*_operators(database, schema), *_casts(database, schema)]
    return ";\n".join(parts)


def domains(schema: str) -> Iterator[str]:
    """Types by the names of the server's own, whose checks run code."""
    yield _function(schema, "planted_check", ["anyelement"], "bool")
    for name in _TYPES:
        if not name.startswith("_"):
            yield (
                f'CREATE DOMAIN {schema}."{name}" AS pg_catalog."{name}"'
                f" CHECK ({schema}.planted_check(VALUE))"
            )


def fired(server: Server, since: int) -> set[str]:
    """What was run of it since the log had that length, each with the statement's beginning."""
    found: dict[str, str] = {}
    for entry in server.log[since:].split(f"LOG:  {MARK}: ")[1:]:
        name, _, rest = entry.partition("\n")
        found.setdefault(name, rest.partition("STATEMENT:  ")[2][:400])
    return {f"{name}: {statement}" for name, statement in found.items()}


def _words() -> set[str]:
    package = Path(dbmigrate.__file__).parent
    text = "\n".join(path.read_text() for path in package.rglob("*.py"))
    return set(re.findall(r"[a-z_0-9]+", text))


def _functions(database: Database, words: set[str], schema: str) -> Iterator[str]:
    rows = database.query(
        "SELECT p.proname, p.prokind::text, ARRAY(SELECT t.typname::text FROM"
        " unnest(p.proargtypes) WITH ORDINALITY a (oid, n) JOIN pg_type t ON t.oid = a.oid"
        " ORDER BY n), r.typname FROM pg_proc p JOIN pg_type r ON r.oid = p.prorettype"
        " WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind IN ('f', 'a')"
    )
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for name, kind, args, result in rows:
        if name not in words:
            continue
        for types in _concrete(args):
            if (name, types) in seen:
                continue
            seen.add((name, types))
            if kind == "a":
                step = f"planted_{name}_step"
                if ("", (step, *types)) not in seen:
                    seen.add(("", (step, *types)))
                    yield _function(schema, step, ["int8", *types], "int8")
                yield (
                    f'CREATE AGGREGATE {schema}."{name}" ({_list(types) or "*"})'
                    f' (SFUNC = {schema}."{step}", STYPE = pg_catalog.int8, INITCOND = 0)'
                )
            else:
                yield _function(schema, name, types, _concrete_result(result, types))


def _concrete(args: list[str]) -> Iterable[tuple[str, ...]]:
    if any(arg in _PSEUDO for arg in args):
        if len(args) > 2:
            return []
        return [
            tuple(kind if arg in _PSEUDO else arg for arg in args)
            for kind in _TYPES
            if not kind.startswith("_") or any("array" in arg for arg in args)
        ]
    is_hidden = any(arg in ("internal", "cstring", "record", "trigger") for arg in args)
    return [] if is_hidden else [tuple(args)]


def _concrete_result(result: str, types: tuple[str, ...]) -> str:
    if result in _PSEUDO:
        return types[0]
    return "text" if result in ("cstring", "internal", "record", "trigger", "void") else result


def _operators(database: Database, schema: str) -> Iterator[str]:
    rows = database.query(
        "SELECT o.oprname, l.typname, r.typname, t.typname FROM pg_operator o"
        " LEFT JOIN pg_type l ON l.oid = o.oprleft JOIN pg_type r ON r.oid = o.oprright"
        " JOIN pg_type t ON t.oid = o.oprresult"
        " WHERE coalesce(l.typtype, 'b') <> 'p' AND r.typtype <> 'p'"
    )
    wanted = {(name, left, right): result for name, left, right, result in rows}
    names = {name: result for (name, left, _), result in wanted.items() if left}
    pairs = [*product(_NUMBERS, _NUMBERS), *product(_TEXTS, _TEXTS)]
    pairs += [(name, name) for name in _TYPES]
    for name in ("=", "<>", "<", "<=", ">", ">=", "+", "-", "*", "/", "||", "~", "!~", "&", "<<"):
        is_condition = names[name] == "bool"
        for left, right in pairs:
            wanted.setdefault((name, left, right), "bool" if is_condition else left)
    made: set[tuple[str | None, str, str]] = set()
    for (name, left, right), result in wanted.items():
        function = f"planted_op_{result}"
        if (left, right, result) not in made:
            made.add((left, right, result))
            yield _function(schema, function, [left, right] if left else [right], result)
        sides = f'LEFTARG = pg_catalog."{left}", ' if left else ""
        yield (
            f"CREATE OPERATOR {schema}.{name} ({sides}"
            f'RIGHTARG = pg_catalog."{right}", FUNCTION = {schema}."{function}")'
        )


def _casts(database: Database, schema: str) -> Iterator[str]:
    rows = database.query(
        "SELECT s.typname, t.typname FROM pg_cast c JOIN pg_type s ON s.oid = c.castsource"
        " JOIN pg_type t ON t.oid = c.casttarget"
    )
    there = {(source, target) for source, target in rows}
    for source, target in _OWN_CASTS:
        if (source, target) not in there:
            yield _function(schema, f"planted_cast_{target}", [source], target)
            yield (
                f'CREATE CAST (pg_catalog."{source}" AS pg_catalog."{target}")'
                f' WITH FUNCTION {schema}."planted_cast_{target}" (pg_catalog."{source}")'
                " AS ASSIGNMENT"
            )


def _function(schema: str, name: str, types: Iterable[str], result: str) -> str:
    return (
        f'CREATE FUNCTION {schema}."{name}" ({_list(types)}) RETURNS pg_catalog."{result}"'
        f" LANGUAGE plpgsql AS $$ BEGIN RAISE LOG '{MARK}: {name}'; RETURN NULL; END $$"
    )


def _list(types: Iterable[str]) -> str:
    return ", ".join(f'pg_catalog."{name}"' for name in types)
