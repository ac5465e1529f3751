"""The catalog database: the query that gives the targets.

Its text may come from a resource, whose author has no other access to the database. It can
change nothing: it stands behind CURSOR FOR, where the server's grammar takes a query alone; the
extended protocol takes one statement; and the transaction is read-only, has a snapshot, after
which it can't be made writable, and is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from psycopg import pq

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.connect import connect
from dbmigrate.postgres.connection.errors import ConnectionBroken, ServerFailure, connection_lost
from dbmigrate.postgres.connection.session import Session, Tick
from dbmigrate.postgres.connection.target import ConnectionTarget, find_fault
from dbmigrate.postgres.sqltext.tokens import Token, TokenKind, outermost, tokens
from dbmigrate.report import Reason
from dbmigrate.runner.fleet.list_file import PlacedRow
from dbmigrate.runner.fleet.target import Value, refused
from dbmigrate.runner.stop import Stop

SOURCE = "-targets-query"
ROWS_LIMIT = 1_000_000
_REMEDY = "write one SELECT, VALUES, TABLE or WITH that changes nothing"
_BEGIN = b"BEGIN READ ONLY; SELECT 1"
"""The SELECT takes a snapshot: after it the server refuses to make the transaction writable."""
_DECLARE = b"DECLARE dbmigrate_targets NO SCROLL CURSOR FOR "
_FETCH = b"FETCH FORWARD %d FROM dbmigrate_targets" % (ROWS_LIMIT + 1)
_WRITES = frozenset(("INSERT", "UPDATE", "DELETE", "MERGE"))
_QUERIES = frozenset(("SELECT", "VALUES", "TABLE", "WITH"))
_BEFORE_NAMES = frozenset(("", ",", "RECURSIVE", "BY", "SET", "TO", "DEFAULT", "USING"))
"""What stands in a WITH before a name, which may be one of the words above."""


def query_rows(catalog: ConnectionTarget, sql: str, stop: Stop) -> Iterator[PlacedRow]:
    """The rows of the query. Raises MigrationError."""
    require_query(sql)
    session = connect(catalog, role="catalog")
    session.on_silence = _until(stop)
    try:
        result = _run(session, sql.encode())
    except ConnectionBroken as broken:
        raise connection_lost(broken, "reading the list of targets") from None
    finally:
        session.close()
    names = [(result.fname(index) or b"").decode() for index in range(result.nfields)]
    if "name" not in (name.lower() for name in names):
        remedy = "SELECT ... AS name, and any of the other columns"
        raise refused(SOURCE, "its result has no column name", remedy)
    if result.ntuples > ROWS_LIMIT:
        problem = f"it gives more than {ROWS_LIMIT} rows"
        raise refused(SOURCE, problem, "let it give fewer, for example by a condition")
    for number in range(result.ntuples):
        row: dict[str, Value] = {}
        for index, name in enumerate(names):
            value = result.get_value(number, index)
            row[name] = None if value is None else value.decode()
        yield PlacedRow(f"{SOURCE}: row {number + 1}", row)


def require_query(sql: str) -> None:
    """Refuse by its name what is not one query; what is left the server refuses.

    Raises MigrationError (SourceInvalid).
    """
    if problem := find_fault(sql):
        raise refused(SOURCE, f"it {problem}", _REMEDY)
    text = sql.encode()
    found = list(tokens(text, 0, len(text), file=SOURCE))
    while found and found[-1].text == ";":
        found.pop()
    if any(token.text == ";" for token in found):
        raise refused(SOURCE, "it holds more than one statement", _REMEDY)
    at = next((at for at, token in enumerate(found) if token.text != "("), None)
    if at is None:
        raise refused(SOURCE, "it is empty", _REMEDY)
    first = found[at]
    if first.text not in _QUERIES:
        what = first.text if first.kind is TokenKind.WORD and len(first.text) < 20 else "no word"
        raise refused(SOURCE, f"it is no query: it begins with {what}", _REMEDY)
    if first.text == "WITH" and (verb := _find_write(found[at + 1 :])):
        raise refused(SOURCE, f"it changes data: its WITH holds {verb}", _REMEDY)


def _find_write(found: Sequence[Token]) -> str | None:
    """The first statement behind WITH, or in it, that writes."""
    for at, token in enumerate(found):
        before = [each.text for each in found[max(0, at - 2) : at]]
        is_body = before[1:] == ["("] and before[0] in ("AS", "MATERIALIZED")
        if is_body and token.text in _WRITES and _is_statement(found[at:]):
            return token.text
    before_it = ""
    for token in outermost(found):
        if token.text in _WRITES | _QUERIES and before_it not in _BEFORE_NAMES:
            return token.text if token.text in _WRITES else None
        before_it = token.text
    return None


def _is_statement(found: Sequence[Token]) -> bool:
    """Not so `AS (delete text)`, which names a column."""
    if found[0].text == "UPDATE":
        return any(token.text == "SET" for token in outermost(found))
    return len(found) > 1 and found[1].text in ("INTO", "FROM")


def _run(session: Session, sql: bytes) -> pq.abc.PGresult:
    results: list[pq.abc.PGresult] = []
    try:
        session.execute(_BEGIN)
        session.execute(_DECLARE + sql, is_single=True)
        session.execute(_FETCH, on_result=results.append)
        session.roll_back()
    except ServerFailure as failure:
        raise MigrationError(
            Reason.STATEMENT_FAILED,
            f"the query for the targets failed: {failure.error.message}",
            sqlstate=failure.sqlstate,
            detail=failure.error.detail,
            hint=failure.error.hint or f"it is run on the catalog database: {_REMEDY}",
        ) from None
    return results[0]


def _until(stop: Stop) -> Tick:
    def look(_: float) -> None:
        if stop.is_requested:
            raise MigrationError(Reason.INTERRUPTED, "stopped while the list of targets was read")

    return look
