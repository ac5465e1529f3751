"""Whether the statement that was running when a run ended is done.

Only the statement that the log left as running is examined: one that failed is not
done, whatever the database holds. Of all statements that cannot be in a transaction
two leave evidence:

- CREATE INDEX CONCURRENTLY is done if a valid index of that name and that definition
  exists;
- DROP INDEX CONCURRENTLY is done if the index that the log named before is gone.

With IF [NOT] EXISTS, and for VACUUM, REINDEX and ALTER SYSTEM, running it again is
harmless. All others (CREATE DATABASE, CALL, DETACH PARTITION CONCURRENTLY, ...) run again,
and the server rejects what exists already.
"""

from __future__ import annotations

import re

from dbmigrate.postgres.connection.errors import ServerFailure
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.history.log.rows import LogRow, parse_drop_note, read_drop_note_sql
from dbmigrate.postgres.index_statements import CreateIndex, DropIndex, read_index_statement
from dbmigrate.postgres.schema.invalid_indexes import find_twins, invalid_indexes
from dbmigrate.postgres.sqltext.splitter import Statement
from dbmigrate.postgres.sqltext.transaction_rules import Control, control_of
from dbmigrate.runner.database import Database
from dbmigrate.runner.execution.non_transactional import (
    checksum_until,
    is_counted_on_the_way,
    may_be_in_transaction,
    settings_before,
)
from dbmigrate.runner.execution.script_text import ScriptText


def is_done(database: Database, row: LogRow | None, text: ScriptText, done: int) -> bool:
    """Whether the statement after the first `done` ones is done.

    `row` is the log's row of the step; None: another tool has run it.
    """
    change = _read(text, done)
    if isinstance(change, CreateIndex):
        if not change.is_concurrent or change.may_exist:
            return False
        twins = find_twins(database.session, change, _settings(text, done))
        return any(twin.is_valid for twin in twins)
    if isinstance(change, DropIndex):
        return change.is_concurrent and row is not None and _is_gone(database, row, text, done)
    return False


_REPEATABLE = re.compile(rb"(?:VACUUM|ANALYZE)\b", re.IGNORECASE)
"""Statements outside of a transaction that leave nothing and may run twice."""


def is_certain(database: Database, row: LogRow, text: ScriptText) -> bool:
    """Whether the log and the database show with certainty how much of a step a killed run has
    done.

    Then the step can be finished without a person. The file must be the one that was run; the
    statement that was running must be counted exactly, leave evidence, or be safe to run twice; and
    the only invalid index that is dropped may be the one that it creates.
    """
    statements, done = text.statements(), row.statements_done or 0
    is_counted = is_counted_on_the_way(statements) and not any(
        _ends_oddly(text, statement) for statement in statements
    )
    if row.checksum != text.checksum or not is_counted:
        return False
    own: set[str] = set()
    if done < len(statements):
        statement, change = statements[done], _read(text, done)
        if isinstance(change, CreateIndex) and change.is_concurrent:
            if change.name is None:
                return False
            twins = find_twins(database.session, change, _settings(text, done))
            own = {twin.name for twin in twins if not twin.is_valid}
        elif not (
            (isinstance(change, DropIndex) and change.is_concurrent)
            or control_of(text.read(), statement, file=text.file) is not None
            or may_be_in_transaction(text, statement)
            or _REPEATABLE.match(text.read(), statement.start, statement.end)
        ):
            return False
    return set(find_leftovers(database.session, text, done)) <= own


def _ends_oddly(text: ScriptText, statement: Statement) -> bool:
    """Whether it ends a transaction and begins another, rolls back, or prepares a commit."""
    control = control_of(text.read(), statement, file=text.file)
    return control is Control.OTHER and statement.words[0] not in {"BEGIN", "START"}


def find_leftovers(session: Session, text: ScriptText, done: int) -> tuple[str, ...]:
    """The invalid indexes that the step has left, quoted and with their schema.

    An index that the rest of the script drops is left to it.
    """
    found = dict.fromkeys(invalid_indexes(session, text.read()))
    following = _read(text, done)
    if isinstance(following, CreateIndex) and following.name is None:
        twins = find_twins(session, following, _settings(text, done))
        found.update(dict.fromkeys(twin.name for twin in twins if not twin.is_valid))
    if found:
        for index in _dropped_later(session, text, done):
            found.pop(index, None)
    return tuple(found)


def _read(text: ScriptText, index: int) -> CreateIndex | DropIndex | None:
    statements = text.statements()
    if index >= len(statements):
        return None
    return read_index_statement(text.read()[statements[index].start : statements[index].end])


def _settings(text: ScriptText, done: int) -> list[str]:
    sql, statements = text.read(), text.statements()
    made = (statements[index] for index in settings_before(statements, sql, done))
    return [sql[statement.start : statement.end].decode() for statement in made]


def _is_gone(database: Database, row: LogRow, text: ScriptText, done: int) -> bool:
    history = database.history
    sql = history.guarded_reading(read_drop_note_sql(history, row.id))
    note = parse_drop_note(database.on_history(sql)[0][0][0])
    if note is None:
        return False
    oid, checksum = note
    if checksum != checksum_until(text.read(), text.statements(), done + 1):
        return False  # the statement has been edited since
    sql = f"SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = {oid})"
    return database.session.query(sql)[0][0][0] == "t"


def _dropped_later(session: Session, text: ScriptText, done: int) -> set[str]:
    """The indexes that the rest of the script drops without creating them first."""
    made, names = set(), []
    for index in range(done, len(text.statements())):
        change = _read(text, index)
        if isinstance(change, CreateIndex):
            made.add(change.name)
        elif isinstance(change, DropIndex):
            names += [name for name in change.names if name not in made]
    oids = _resolve(session, names, _settings(text, done))
    if not oids:
        return set()
    wanted = ", ".join(map(str, oids.values()))
    rows = session.query(
        "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c"
        f" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid IN ({wanted})"
    )[0]
    return {row[0] or "" for row in rows}


def _resolve(session: Session, names: list[str], settings: list[str]) -> dict[str, int]:
    """The oids that the names in the file resolve to under these settings."""
    if not settings:
        return session.resolve(names)
    try:
        session.query_as_user("\n;".join(("BEGIN", *settings)))
        return session.resolve(names)
    except ServerFailure:
        return {}
    finally:
        session.roll_back()
