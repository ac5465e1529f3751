"""Reads a schema from a live database, in one round trip."""

from __future__ import annotations

from collections.abc import Sequence

from dbmigrate.diff.renames import Rename
from dbmigrate.diff.schema import Schema
from dbmigrate.postgres.session import Session
from dbmigrate.postgres.target import HistoryTable


def read_schema(
    session: Session, *, without: HistoryTable | None = None, renames: Sequence[Rename] = ()
) -> Schema:
    """Read all that people have made, but for the history's own tables.

    With `renames` the schema is what it will be once they are done: they are done in a
    transaction that is rolled back after reading, so that the server itself says what each
    view and constraint becomes. A plan from such a schema begins with them.

    Raises ServerFailure, ConnectionBroken; MigrationError (SourceInvalid) for a rename of what
    is not there.
    """
    raise NotImplementedError
