"""pg_dump as the judge: two databases are the same if their dumps are.

What pg_dump can't say twice alike is put in one order: the columns of a table, which
PostgreSQL can't move, and the statements, whose order follows them.
"""

from __future__ import annotations

import re

from tests.database import Database

_STATEMENT = re.compile(r";$", re.MULTILINE)
_BODY = re.compile(r"^(CREATE (?:UNLOGGED )?(?:FOREIGN )?TABLE .*? \(|CREATE TYPE .*? AS \()\n")
_SETTING = re.compile(r"SET |SELECT pg_catalog\.set_config")
"""Of pg_dump's session, where they are needed first."""
_HISTORY = re.compile(r"\bschema_migrations(?:_log)?\b")


def dump(database: Database) -> list[str]:
    """The schema, statement by statement, in an order of its own."""
    statements = (each.strip() for each in _STATEMENT.split(database.dump_schema()))
    return sorted(
        _in_order(each)
        for each in statements
        if each and not _HISTORY.search(each) and not _SETTING.match(each)
    )


def _in_order(statement: str) -> str:
    match = _BODY.match(statement)
    if match is None:
        return statement
    body, end, rest = statement[match.end() :].partition("\n)")
    columns = sorted(line.strip().rstrip(",") for line in body.splitlines())
    return "\n".join([match[1], *columns, end.strip() + rest])
