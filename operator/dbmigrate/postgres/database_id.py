"""The identity of a database: the server's system identifier and the oid in it.

A standby that is promoted keeps both; a restored dump and an upgraded server have others.
"""

from __future__ import annotations

from dbmigrate.postgres.connection.errors import (
    INSUFFICIENT_PRIVILEGE,
    ServerFailure,
    history_failure,
)
from dbmigrate.postgres.connection.session import Session

_SQL = (
    "SELECT system_identifier FROM pg_catalog.pg_control_system();"
    " SELECT d.oid FROM pg_catalog.pg_database d"
    " WHERE d.datname = pg_catalog.current_database()"
)


def read_database_id(session: Session) -> str | None:
    """The identifier of the session's database; None: the role may not know it.

    Raises MigrationError.
    """
    try:
        ((system,),), ((oid,),) = session.query(_SQL)
    except ServerFailure as failure:
        if failure.sqlstate != INSUFFICIENT_PRIVILEGE:
            raise history_failure(failure, "can't identify the database") from None
        return None
    return f"{system}-{oid}"
