"""The schema in which a database makes what a file names without one.

A squashed file writes each name with the schema that it has in a scratch database: public. The
search path that a role or a database sets may lead elsewhere.
"""

from __future__ import annotations

from dataclasses import replace

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.connect import connect
from dbmigrate.postgres.connection.errors import ConnectionBroken, ServerFailure
from dbmigrate.postgres.connection.search_path import (
    CURRENT_SCHEMA,
    KEEP_PATH,
    KEEP_SCHEMA,
    OWN_PATH,
)
from dbmigrate.postgres.connection.session import no_answer_within
from dbmigrate.postgres.connection.target import ConnectionTarget
from dbmigrate.report import Reason
from dbmigrate.runner.observer import Notice, Observer

_NEW_OBJECTS_GO_TO = "public"
ANSWER_SECONDS = 10.0


def require_plain_path(target: ConnectionTarget | None, observer: Observer) -> None:
    """Raise MigrationError (SourceInvalid) where the database's new objects go elsewhere.

    What cannot be asked is reported as unknown.
    """
    if target is None:
        _tell_unknown(observer, "no -database is named")
        return
    limit = str(int(ANSWER_SECONDS))
    try:
        session = connect(replace(target, conninfo={"connect_timeout": limit, **target.conninfo}))
        try:
            session.on_silence = no_answer_within(ANSWER_SECONDS)
            *_, ((schema, path),) = session.query(
                f"SELECT {CURRENT_SCHEMA}, {OWN_PATH}", before=f"{KEEP_SCHEMA}; {KEEP_PATH}"
            )
        finally:
            session.close()
    except (MigrationError, ServerFailure, ConnectionBroken) as error:
        _tell_unknown(observer, str(error))
        return
    if schema != _NEW_OBJECTS_GO_TO:
        where = f"the schema {schema}" if schema else "no schema"
        raise MigrationError(
            Reason.SOURCE_INVALID,
            f"{target.display} has the search_path {path}, which leads to {where}, and a squashed"
            " file writes each name with its schema: it would make the objects in"
            f" {_NEW_OBJECTS_GO_TO}",
            hint="write the schemas into the files before they are squashed, and name a role"
            " without that path; or leave the files as they are",
        )


def _tell_unknown(observer: Observer, why: str) -> None:
    text = f"whether a role or the database sets a search_path is not known: {why}"
    observer.notice(Notice("WARNING", text))
