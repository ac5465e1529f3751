"""The fence around a change of the version.

It is text, because it travels in one query with the migration itself. The version is
moved only from the state in which the run found it: if another runner changed it, or
the file ended the transaction, the statement fails, and the whole transaction with
it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dbmigrate.postgres.connection.errors import INVALID_TEXT, ServerError
from dbmigrate.postgres.history.adapter import Found
from dbmigrate.postgres.history.advisory_locks import again_sql
from dbmigrate.postgres.history.inspection import is_replaced
from dbmigrate.postgres.history.relations import History
from dbmigrate.postgres.sqltext.quoting import literal, raise_sql

FENCE = "dbmigrate: the version row is not where this run left it"
_FENCE = re.compile(re.escape(FENCE) + " ([tf]) ([tf])(1?)")
"""Our own text, which the server repeats: the rest of its message is in its own language."""
FENCE_COLUMN = "dbmigrate_fence"
"""The name of the result's column: by it a run sees that the file is done."""
STEP_SETTING = "dbmigrate.step"
"""Set at the start of a step's transaction, and gone when that transaction ends."""


def move_version_sql(
    history: History,
    found: Found,
    wanted: Found,
    *,
    pid: int | None = None,
    token: str | None = None,
    locks: tuple[int, ...] = (),
) -> str:
    """Move the version from the found state to the wanted one, or fail the transaction.

    `pid` ensures that the backend is still the one that holds the locks; `token`, that
    the transaction is still the one that began the step; `locks` are taken again if a file has
    released them, unless another session has them now.
    """
    has_pid = "true" if pid is None else f"pg_catalog.pg_backend_pid() = {pid}"
    setting = f"pg_catalog.current_setting({literal(STEP_SETTING)}, true)"
    is_same = "true" if token is None else f"COALESCE({setting} = {literal(token)}, false)"
    # The text depends on the result, else the planner would compute it, and fail, too early.
    refusal = f"{literal(FENCE)} || pg_catalog.concat(' ', {has_pid}, ' ', {is_same}, count)"
    before, moved = found.move_sql(history.version_table, wanted, (has_pid, is_same))
    return (
        f"{before}WITH {moved},"
        " counted AS (SELECT NULLIF(pg_catalog.count(*), 0) AS count FROM moved)"
        f" SELECT CASE WHEN count = 1 AND {again_sql(locks)} THEN 1 ELSE {raise_sql(refusal)} END"
        f" AS {FENCE_COLUMN} FROM counted"
    )


@dataclass(frozen=True, slots=True)
class Fence:
    """Why the version row could not be moved; without pid and token it is the row itself."""

    has_backend: bool
    """Whether the backend is still the one that holds the locks."""
    has_transaction: bool
    """Whether the transaction is still the one in which the step began."""
    has_tables: bool = True
    """Whether the history's tables are those that the run has looked at."""
    has_locks: bool = True
    """False: the row could be moved, but another session has the locks."""


def read_fence(error: ServerError) -> Fence | None:
    """The message of the fence, or of the guard before it; None for any other error."""
    if is_replaced(error):
        return Fence(has_backend=True, has_transaction=True, has_tables=False)
    found = _FENCE.search(error.message) if error.sqlstate == INVALID_TEXT else None
    if found is None:
        return None
    return Fence(found[1] == "t", found[2] == "t", has_locks=not found[3])
