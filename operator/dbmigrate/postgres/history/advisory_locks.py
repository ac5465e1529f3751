"""The locks that keep two runs apart, golang-migrate's runs included.

golang-migrate hashes schema, table and database into one advisory lock id; its
command line uses the URL's path with its leading slash as the database, its library
does not: one database has two ids. Both are taken in one statement, or none. They
are session locks: they last until they are released, or until the connection
ends.
"""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.session import Session
from dbmigrate.report import Reason

if TYPE_CHECKING:
    from dbmigrate.postgres.connection.other_sessions import OtherSession

_SALT = 1486364155
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0


def lock_id(schema: str, table: str, database: str) -> int:
    """One id as golang-migrate computes it (database/util.go, GenerateAdvisoryLockId)."""
    text = "\0".join((schema, table, database))
    return (zlib.crc32(text.encode()) * _SALT) & 0xFFFFFFFF


def lock_ids(schema: str, table: str, database: str, url_database: str | None) -> tuple[int, ...]:
    """All ids that a run on this history must hold, in the order in which they are taken.

    `url_database` is the URL's path with its slash, as golang-migrate's command
    line hashes it; it can differ from the database's own name.
    """
    texts = (url_database or f"/{database}", f"/{database}", database)
    return tuple(dict.fromkeys(lock_id(schema, table, text) for text in texts))


def try_lock_sql(ids: tuple[int, ...]) -> str:
    """A statement that takes all locks or none and says `t` or `f`.

    CASE evaluates its conditions in order and only as far as needed.
    """
    sql = "true"
    for index in reversed(range(len(ids))):
        give_back = " AND ".join(f"pg_catalog.pg_advisory_unlock({i})" for i in ids[:index])
        failed = f"NOT ({give_back})" if give_back else "false"
        sql = (
            f"CASE WHEN pg_catalog.pg_try_advisory_lock({ids[index]}) THEN {sql} ELSE {failed} END"
        )
    return f"SELECT {sql}"


def again_sql(ids: tuple[int, ...]) -> str:
    """An expression that takes them once more, and is false where another session has one.

    A session may take a lock that it has any number of times. So those are kept that it still
    has, and those taken again that a migration file has released.
    """
    return " AND ".join(f"pg_catalog.pg_try_advisory_lock({i})" for i in ids) or "true"


UNLOCK = "SELECT pg_catalog.pg_advisory_unlock_all()"
"""Releases all of them, however often they were taken."""


def wait_for_lock(
    session: Session,
    ids: tuple[int, ...],
    *,
    timeout: float,
    should_stop: Callable[[], bool],
    on_wait: Callable[[tuple[OtherSession, ...]], None],
) -> None:
    """Take the locks that another session holds at present, within `timeout` seconds.

    `on_wait` receives the holders, and again when they change. Raises
    MigrationError: LockTimeout, or Interrupted when `should_stop` says so.
    """
    from dbmigrate.postgres.connection.other_sessions import lock_holders_sql, read_sessions

    deadline = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    holders: tuple[OtherSession, ...] = ()
    attempt = f"{lock_holders_sql(ids)}; {try_lock_sql(ids)}"
    told: frozenset[int] | None = None
    while True:
        found, taken = session.query(attempt)
        if taken[0][0] == "t":
            return
        holders = read_sessions(found) or holders
        pids = frozenset(holder.pid for holder in holders)
        if pids != told:
            told = pids
            on_wait(holders)
        left = deadline - time.monotonic()
        if left <= 0:
            raise _timed_out(timeout, holders)
        _pause(min(left, pause * random.uniform(0.7, 1.3)), should_stop)
        pause = min(pause * 2, _LONGEST_PAUSE)


def _pause(seconds: float, should_stop: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while not should_stop():
        left = end - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, 0.1))
    raise MigrationError(Reason.INTERRUPTED, "stopped while waiting for the migration lock")


def _timed_out(timeout: float, holders: tuple[OtherSession, ...]) -> MigrationError:
    detail = "; ".join(f"held by {holder}" for holder in holders) or None
    return MigrationError(
        Reason.LOCK_TIMEOUT,
        f"timeout: can't acquire database lock: another run held it for {timeout:g} s",
        detail=detail,
        hint="wait for the other run, or raise -lock-timeout",
    )
