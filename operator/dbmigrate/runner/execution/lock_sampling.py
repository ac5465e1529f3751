"""The locks that a script takes on existing tables, read from the server.

The script runs in a transaction that is rolled back, and pg_locks is read just
before that. Only a script that can be one transaction can be sampled.
"""

from __future__ import annotations

from dataclasses import dataclass

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import ServerFailure
from dbmigrate.postgres.connection.search_path import SAFE
from dbmigrate.postgres.connection.session import Row, Session, keep_named
from dbmigrate.postgres.sqltext.transaction_mode import TransactionKind
from dbmigrate.runner.execution.script_text import ScriptText
from dbmigrate.sources.migration import Script

_RELATIONS = """
SELECT c.oid, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f') AND c.oid >= 16384"""
_COLUMN = "dbmigrate_locked"
"""The name of the first column, which tells this result from those of the script."""
_LOCKS = f"""SELECT relation AS {_COLUMN}, mode FROM pg_catalog.pg_locks
WHERE pid = pg_catalog.pg_backend_pid() AND locktype = 'relation' AND granted"""
_STRENGTH = (
    "AccessShareLock RowShareLock RowExclusiveLock ShareUpdateExclusiveLock ShareLock"
    " ShareRowExclusiveLock ExclusiveLock AccessExclusiveLock"
).split()
_WORDS = {
    name: "".join(f" {letter}" if letter.isupper() else letter for letter in name[:-4])
    .strip()
    .upper()
    for name in _STRENGTH
}


@dataclass(frozen=True, slots=True)
class HeldLock:
    """The strongest lock on one table."""

    table: str
    mode: str
    """As the manual writes it: ACCESS EXCLUSIVE."""


def sample_locks(session: Session, script: Script | None) -> tuple[HeldLock, ...]:
    """The locks on tables that existed before. A failure is reported when the step is run."""
    if script is None:
        return ()
    text = ScriptText(script)
    if text.mode.kind is not TransactionKind.ONE_QUERY:
        return ()
    sql = text.read().decode()
    try:
        (relations,) = session.query(_RELATIONS)
        answers: dict[str, list[Row]] = {}
        message = f"BEGIN; {sql}\n;{SAFE}; {_LOCKS}; ROLLBACK"
        session.execute(message.encode(), on_result=keep_named(answers))
    except (ServerFailure, MigrationError):
        session.roll_back()
        return ()
    return _strongest(relations, answers[_COLUMN])


def _strongest(tables: list[Row], held: list[Row]) -> tuple[HeldLock, ...]:
    names = {relation: name or "" for relation, name in tables}
    strongest: dict[str, str] = {}
    for relation, mode in held:
        name = names.get(relation)
        if name is None or mode not in _STRENGTH:
            continue
        known = strongest.get(name)
        if known is None or _STRENGTH.index(mode) > _STRENGTH.index(known):
            strongest[name] = mode
    return tuple(HeldLock(name, _WORDS[mode]) for name, mode in sorted(strongest.items()))
