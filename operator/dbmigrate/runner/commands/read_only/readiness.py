"""One poll of `wait`: whether a database has what an application needs, by its history alone.

A short connection with two queries; a third names what is there instead, where there is no
version.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

from dbmigrate.errors import MigrationError, SettingsError
from dbmigrate.postgres.connection.connect import connect
from dbmigrate.postgres.connection.errors import (
    INSUFFICIENT_PRIVILEGE,
    UNDEFINED_TABLE,
    ConnectionBroken,
    ServerFailure,
)
from dbmigrate.postgres.connection.session import Session, no_answer_within
from dbmigrate.postgres.connection.target import ConnectionTarget
from dbmigrate.postgres.history.foreign.formats import end_of_log, has_lost_rows
from dbmigrate.postgres.history.foreign.tools import OtherHistory, find_other_histories
from dbmigrate.postgres.history.formats.registry import adapter_for
from dbmigrate.postgres.history.relations import History, log_name
from dbmigrate.postgres.history.tables import look
from dbmigrate.report import Reason
from dbmigrate.runner.database import require_settings
from dbmigrate.runner.request import Request
from dbmigrate.runner.result import VersionState
from dbmigrate.versions import Version, reader_of

if TYPE_CHECKING:
    from dbmigrate.postgres.history.orm_history import Orm

NOTHING = "-1"
"""golang-migrate's row for it."""
_PATIENT = frozenset(
    {
        Reason.CONNECTION_REFUSED,
        Reason.HOST_NOT_FOUND,
        Reason.DATABASE_MISSING,
        Reason.CONNECTION_LOST,
    }
)
_PASSING = ("40", "53", "55", "57", "58")
"""Classes of SQLSTATE that say nothing of the history: a standby's conflict, a full server, a lock,
an operator's doing, a disk."""
_FOR_LOCKS = 0.8
"""The part of a poll's time after which a lock is reported, instead of a missing answer."""
_NOT_REACHED = "`dbmigrate up` applies what is pending: see whether that run has failed"
_DIRTY = "`dbmigrate repair` finishes what dbmigrate began; `dbmigrate status` shows it"
_MISTAKES = frozenset({Reason.INTERNAL, Reason.CONNECTION_INVALID, Reason.FOREIGN_HISTORY})


@dataclass(frozen=True, slots=True)
class Readiness:
    """The result of one poll."""

    state: VersionState | None
    obstacle: str
    """Why it is not what is waited for, in words."""
    reason: Reason = Reason.INTERRUPTED
    is_behind: bool = False
    """Whether the database is known not to have the version."""
    hint: str | None = None
    """What helps, where waiting alone may not."""


@dataclass(frozen=True, slots=True)
class OrmMigration:
    """A migration of an ORM, by its own name."""

    orm: Orm
    name: str

    def __str__(self) -> str:
        return self.name


Wanted = Version | OrmMigration


def poll(request: Request, wanted: Wanted, limit: float) -> Readiness:
    """Check once, within that many seconds. Raises MigrationError for permanent errors."""
    try:
        if isinstance(wanted, OrmMigration):
            return _poll_orm(request, wanted, limit)
        return _poll_version(request, wanted, limit)
    except MigrationError as error:
        if error.reason not in _PATIENT or isinstance(error, SettingsError):
            raise
        is_behind = error.reason is Reason.DATABASE_MISSING
        return Readiness(None, error.message, error.reason, is_behind, error.hint)
    except ConnectionBroken as broken:
        return Readiness(None, f"connection lost: {broken}", Reason.CONNECTION_LOST)
    except ServerFailure as failure:
        text = f"can't read the history: {failure}"
        if (failure.sqlstate or "").startswith(_PASSING):
            return Readiness(None, text, Reason.CONNECTION_REFUSED)
        raise MigrationError(Reason.FOREIGN_HISTORY, text, sqlstate=failure.sqlstate) from None


def is_mistake(error: MigrationError) -> bool:
    """Whether the error is one of settings, or of a table that is not the history that they name,
    rather than of the database's present state."""
    return isinstance(error, SettingsError) or error.reason in _MISTAKES


def _poll_version(request: Request, wanted: Version, limit: float) -> Readiness:
    session = _connect(request, limit)
    try:
        facts = look(session, request.target.history)
        require_settings(request.target, facts)
        history = facts.history
        row = _read(session, history, wanted)
        if row is None:
            return _without_version(session, history, wanted)
    except ServerFailure as failure:
        if failure.sqlstate == UNDEFINED_TABLE:
            return _behind(VersionState(None), wanted)
        if failure.sqlstate == INSUFFICIENT_PRIVILEGE:
            return _unreadable(request)
        raise
    finally:
        session.close()
    text, dirty, is_reached = row
    version = None if text == NOTHING else reader_of(history.kind)(text)
    state = VersionState(version, dirty == "t")
    if state.dirty:
        obstacle = f"the database {_stands(state)} and is dirty"
        return Readiness(state, obstacle, Reason.DIRTY, is_reached != "t", _DIRTY)
    return Readiness(state, "") if is_reached == "t" else _behind(state, wanted)


def _read(
    session: Session, history: History, wanted: Version
) -> tuple[str, str | None, str | None] | None:
    """The version, whether it is dirty and has the wanted one; None: there is no version."""
    if not history.has_version_table:
        return None
    adapter = adapter_for(history.kind)
    question = adapter.wait_sql(history.version_table, wanted)
    rows = session.query(history.guarded_reading(question))[0]
    if len(rows) > 1:
        adapter.take([[row[:2] for row in rows]], history)  # says that they contradict each other
    if not rows or rows[0][0] is None:
        return None
    text, dirty, is_reached = rows[0]
    return text or "", dirty, is_reached


def _without_version(session: Session, history: History, wanted: Version) -> Readiness:
    lost = end_of_log(session, history)
    if lost is not None:
        return Readiness(
            VersionState(None),
            f"the database has no version, and its log ends at version {lost}: its version"
            " table is missing or empty (`dbmigrate status`)",
            is_behind=True,
        )
    if has_lost_rows(session, history):
        return Readiness(
            VersionState(None),
            "the database has no version, and its log"
            f" {history.schema}.{log_name(history.table)} had rows and is now empty"
            " (`dbmigrate status`)",
            is_behind=True,
        )
    others: Sequence[OtherHistory] = ()
    # A log of ours explains that there is no version, and a name of its own a second history.
    if not history.has_log_table and not history.has_own_name:
        others = find_other_histories(session, history, counts_ours=True)
    return _behind(VersionState(None), wanted, others)


def _poll_orm(request: Request, wanted: OrmMigration, limit: float) -> Readiness:
    from dbmigrate.postgres.history.orm_table import NoOrmTable, find_table

    session = _connect(request, limit)
    try:
        table = find_table(session, wanted.orm, request.target.history)
        is_applied = table.has_applied(session, wanted.name)
    except NoOrmTable as missing:
        history = History(missing.schema, missing.table)
        others = find_other_histories(session, history, but=wanted.orm, counts_ours=True)
        text = missing.message + _name(others)
        return Readiness(None, text, Reason.FOREIGN_HISTORY, is_behind=True)
    except ServerFailure as failure:
        if failure.sqlstate == INSUFFICIENT_PRIVILEGE:
            return _unreadable(request)
        raise
    finally:
        session.close()
    state = VersionState(None)
    if is_applied:
        return Readiness(state, "")
    return Readiness(state, f"{wanted.orm.label} has not applied {wanted.name}", is_behind=True)


def _behind(state: VersionState, wanted: Version, others: Sequence[OtherHistory] = ()) -> Readiness:
    text = f"the database {_stands(state)}, {wanted} is wanted{_name(others)}"
    if others:
        hint = others[0].remedy
        return Readiness(state, text, Reason.FOREIGN_HISTORY, is_behind=True, hint=hint)
    return Readiness(state, text, is_behind=True, hint=_NOT_REACHED)


def _unreadable(request: Request) -> Readiness:
    hint = f"GRANT SELECT ON {request.target.history.name} TO the role"
    return Readiness(None, "the role may not read the history yet", hint=hint)


def _stands(state: VersionState) -> str:
    return "has no version" if state.version is None else f"is at version {state.version}"


def _name(others: Sequence[OtherHistory]) -> str:
    """Histories of other tools, and how to wait for their migrations."""
    return "".join(
        f"; it has {each.place}, the history of {each.table.tool}: {each.way_to_wait}"
        for each in others
    )


def _connect(request: Request, limit: float) -> Session:
    end = time.monotonic() + limit
    session = connect(_within(request.target, limit))
    opened = time.monotonic()
    left = max(0.1, end - opened)
    session.lock_seconds = left * _FOR_LOCKS
    give_up = no_answer_within(left)
    # For all of the poll's queries together, not for each.
    session.on_silence = lambda _: give_up(time.monotonic() - opened)
    return session


def _within(target: ConnectionTarget, seconds: float) -> ConnectionTarget:
    """The target, with at most that many seconds for all of its hosts."""
    given = target.conninfo.get("connect_timeout", "0")
    share = ceil(seconds / (target.conninfo.get("host", "").count(",") + 1))
    limit = min(share, int(given) if given.isdigit() and int(given) else share)
    return replace(target, conninfo={**target.conninfo, "connect_timeout": str(limit)})
