"""The catalog database: the query that gives the targets."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import pq

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.connect import connect
from dbmigrate.postgres.connection.errors import ConnectionBroken, ServerFailure, connection_lost
from dbmigrate.postgres.connection.session import Session, Tick
from dbmigrate.postgres.connection.target import ConnectionTarget
from dbmigrate.report import Reason
from dbmigrate.runner.fleet.list_file import PlacedRow
from dbmigrate.runner.fleet.target import Value, refused
from dbmigrate.runner.stop import Stop

SOURCE = "-targets-query"
ROWS_LIMIT = 1_000_000


def query_rows(catalog: ConnectionTarget, sql: str, stop: Stop) -> Iterator[PlacedRow]:
    """The rows of the query, which can change nothing: its transaction is read-only.

    Raises MigrationError.
    """
    session = connect(catalog, role="catalog")
    session.on_silence = _until(stop)
    try:
        result = _run(session, sql)
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


def _run(session: Session, sql: str) -> pq.abc.PGresult:
    results: list[pq.abc.PGresult] = []

    def keep(result: pq.abc.PGresult) -> None:
        if result.status == pq.ExecStatus.TUPLES_OK and result.nfields:
            results.append(result)

    try:
        session.execute(b"BEGIN READ ONLY")
        session.execute(sql.encode(), on_result=keep)
    except ServerFailure as failure:
        raise MigrationError(
            Reason.STATEMENT_FAILED,
            f"the query for the targets failed: {failure.error.message}",
            sqlstate=failure.sqlstate,
            detail=failure.error.detail,
            hint=failure.error.hint or "it is run as it is, on the catalog database",
        ) from None
    if len(results) != 1:
        problem = f"it gives {len(results) or 'no'} results"
        raise refused(SOURCE, problem, "write one SELECT")
    return results[0]


def _until(stop: Stop) -> Tick:
    def look(_: float) -> None:
        if stop.is_requested:
            raise MigrationError(Reason.INTERRUPTED, "stopped while the list of targets was read")

    return look
