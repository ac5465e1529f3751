"""Whether rows of the log are missing: it was emptied, or its beginning was deleted.

What is left looks like the log of a database that golang-migrate has brought to its version. But
there dbmigrate's first row is the first that the log's identity has numbered. The first run that
writes after the loss notes it, with the versions that the files had at that time: whatever
has no script from then on is not undone by moving the version alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from dbmigrate.postgres.connection.session import Row
from dbmigrate.postgres.history.log.notes import NOTE_VERSION, NOTED, NoteKind
from dbmigrate.postgres.history.log.rows import LogRow
from dbmigrate.postgres.history.log_shape import LogShape
from dbmigrate.postgres.history.relations import History
from dbmigrate.versions import Version, number


def read_oldest_sql(history: History) -> str:
    """The first row that is there."""
    return (
        f"SELECT id, direction, from_version IS NULL FROM {history.log_table} ORDER BY id LIMIT 1"
    )


def is_whole_sql(history: History) -> str:
    """Whether the log has a row and `find_lost` would find that none is missing, of a history that
    has a version."""
    return (
        f"(SELECT NOT {_any(NoteKind.LOST)} AND ({_any(NoteKind.PRUNE)}"
        " OR COALESCE((SELECT id = 1 OR from_version IS NULL AND direction <> 'gap'"
        f" FROM {history.log_table} ORDER BY id LIMIT 1), false))"
        f" FROM {history.log_table} WHERE version = {NOTE_VERSION} AND outcome = '{NOTED}')"
    )


def was_emptied(shape: LogShape, newest_number: int) -> bool:
    """Whether a log without a row had one: it says so, or its identity has numbered one.

    The identity counts where the log does not say anything, as one of an older dbmigrate, for a
    step that was rolled back may have used up a number.
    """
    if shape.had_rows or (shape.may_alter and shape.had_rows is False):
        return bool(shape.had_rows)
    return newest_number > 0


def _any(kind: NoteKind) -> str:
    return f"COALESCE(pg_catalog.bool_or(direction = '{kind}'), false)"


def find_lost(
    notes: Iterable[LogRow], oldest: list[Row], version: Version | None
) -> frozenset[Version] | None:
    """The versions that are known to be applied although their rows are missing, of a history that
    is one number; None: no row is missing.

    `oldest`: the answer to the query above. `version` is the database's.
    """
    by_kind = {row.direction: row for row in notes}
    noted = by_kind.get(NoteKind.LOST)
    if noted is not None:
        return frozenset(map(number, (noted.checksum or "").split()))
    if version is None:
        return None
    if not oldest:
        return frozenset()
    identity, direction, is_from_nothing = oldest[0]
    if identity == "1" or NoteKind.PRUNE in by_kind:
        return None
    # A first step that failed has used up a number, and left nothing.
    is_beginning = is_from_nothing == "t" and direction != "gap"
    return None if is_beginning else frozenset()


def written(versions: Iterable[Version]) -> str:
    """Versions as the note keeps them."""
    return " ".join(str(version) for version in sorted(versions))
