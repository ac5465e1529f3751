"""Runs scripts that make a schema in a scratch database, whatever program wrote them.

Each statement is a transaction of its own, as with psql, but one message contains many:
a distant server costs some dozens of round trips, not ten thousand. Where one fails,
those before it are done; it is tried again alone, so that a script may contain
statements that cannot be in a transaction block. A statement that names a missing object
is tried again after the others: in a directory with a file for each table, names do not
give the order. Where roles may be created, a missing one is created, because a schema
that only grants to it is equally valid. Settings that a newer pg_dump writes and the
server does not know are skipped.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice, takewhile

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.connection.errors import ServerFailure
from dbmigrate.postgres.connection.session import Session
from dbmigrate.postgres.sqltext.positions import locate_byte, position_to_location
from dbmigrate.postgres.sqltext.quoting import identifier
from dbmigrate.postgres.sqltext.splitter import Statement, split
from dbmigrate.report import Reason
from dbmigrate.runner.stop import Stop

_MISSING = frozenset(("3F000", "42P01", "42703", "42704", "42883", "42830"))
"""A schema, table, column, other object, function or unique constraint is not there (yet)."""
_UNDEFINED_OBJECT = "42704"
_IS_THERE = frozenset(("42710", "42P06", "23505"))
"""By name; 23505 where another session is just making it."""
_ADDS = frozenset(("CREATE", "ALTER", "COMMENT", "GRANT"))
"""Statements that may be run later than they stand."""
# The second is what servers before PostgreSQL 15 say.
_NO_EXTENSION = re.compile(r'extension ".+" is not available|could not open extension control file')
_ROLE = re.compile(r'role "(.+)" does not exist')
_ROLE_THERE = re.compile(r'role ".+" already exists')
_ROLES = frozenset(("ROLE", "USER", "GROUP"))
_TRANSACTION = frozenset(("BEGIN", "COMMIT", "END", "START"))
_BEGIN = b"RESET ALL; SET check_function_bodies = off; SET synchronous_commit = off"
_AMONG_OTHERS = frozenset(("CREATE", "ALTER", "DROP", "COMMENT", "GRANT", "REVOKE", "INSERT"))
"""Statements that do nothing to those behind them but by what they make."""
_AT_ONCE = 200
"""Statements in one message, at most."""
_AROUND = 2
"""Statements of dbmigrate beside each: BEGIN and COMMIT."""


@dataclass(frozen=True, slots=True)
class SchemaScript:
    """One script, by its name in messages."""

    file: str
    sql: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Piece:
    """One statement, and the settings of its script before it."""

    script: SchemaScript
    statement: Statement
    settings: tuple[bytes, ...] = ()

    @property
    def sql(self) -> bytes:
        return self.script.sql[self.statement.start : self.statement.end]


def run_scripts(
    session: Session, scripts: Iterable[SchemaScript], *, may_make_roles: bool, stop: Stop
) -> None:
    """Run them all. Raises MigrationError (StatementFailed, SourceInvalid, Interrupted)."""
    maker = _Maker(session, may_make_roles, stop)
    waiting: list[tuple[_Piece, ServerFailure]] = []
    for script in scripts:
        waiting += maker.run(script)
    while waiting:
        left = maker.run_again([piece for piece, _ in waiting])
        if len(left) == len(waiting):
            raise _failed(*left[0])
        waiting = left


def missing_role(message: str) -> str | None:
    """The missing role that a server's error names."""
    match = _ROLE.search(message)
    return match[1] if match else None


def make_role(session: Session, name: str) -> None:
    """Create a role without rights, for grants to it, if it is missing. Raises ServerFailure."""
    try:
        session.query(f"CREATE ROLE {identifier(name)}")
    except ServerFailure as failure:
        if failure.sqlstate not in _IS_THERE:
            raise


def hint_for(message: str) -> str | None:
    """The hint for an error that only a scratch server has."""
    if _NO_EXTENSION.search(message):
        return "name a server that has the extension with -dev-url"
    if missing_role(message) is not None:
        return "make the role on the server of -dev-url"
    if _ROLE_THERE.search(message) is not None:
        return (
            "roles belong to the whole server: make it only where it is not there, or name no"
            " -dev-url, for a server of its own has no roles"
        )
    return None


class _Maker:
    def __init__(self, session: Session, may_make_roles: bool, stop: Stop) -> None:
        self._session = session
        self._may_make_roles = may_make_roles
        self._stop = stop

    def run(self, script: SchemaScript) -> list[tuple[_Piece, ServerFailure]]:
        """Run a script's statements; those that miss an object are returned."""
        waiting = []
        settings: tuple[bytes, ...] = (_BEGIN,)
        self._session.query(_BEGIN.decode())
        pieces = deque(_pieces(script))
        while pieces:
            self._run_some(pieces)
            if not pieces:
                break
            piece = replace(pieces.popleft(), settings=settings)
            failure = self._try(piece)
            if failure is not None:
                waiting.append((piece, failure))
            elif _is_setting(piece):
                settings = (*settings, piece.sql)
        return waiting

    def _run_some(self, pieces: deque[_Piece]) -> None:
        """Run statements from the front in one message, and remove those that are done.

        The next one, if any, is to be tried alone.
        """
        some = list(islice(takewhile(_can_be_among_others, pieces), _AT_ONCE))
        if len(some) < 2:
            return
        self._require_no_stop()
        message = b"".join(b"BEGIN;" + piece.sql + b"\n;COMMIT;" for piece in some)
        try:
            self._session.execute(message)
            done = len(some)
        except ServerFailure as failure:
            done = failure.completed // (1 + _AROUND)
            self._session.roll_back()
        for _ in range(done):
            pieces.popleft()

    def run_again(self, pieces: list[_Piece]) -> list[tuple[_Piece, ServerFailure]]:
        """Run statements again that failed before, each with its script's settings."""
        waiting = []
        current: tuple[bytes, ...] = ()
        for piece in pieces:
            if piece.settings != current:
                for setting in piece.settings:
                    self._session.execute(setting)
                current = piece.settings
            failure = self._try(piece)
            if failure is not None:
                waiting.append((piece, failure))
        return waiting

    def _try(self, piece: _Piece) -> ServerFailure | None:
        """Returns when it is done, or need not be. Raises MigrationError for any other error."""
        self._require_no_stop()
        rows = [piece.script.sql[slice(*piece.statement.rows)]] if piece.statement.rows else []
        known: str | None = None
        while True:
            try:
                self._session.execute(piece.sql, rows=rows)
                return None
            except ServerFailure as failure:
                if _can_be_left_out(piece, failure):
                    return None
                role = missing_role(failure.error.message)
                if self._may_make_roles and role is not None and role != known:
                    make_role(self._session, role)
                    known = role
                    continue
                words = piece.statement.words
                if failure.sqlstate in _MISSING and words[:1] and words[0] in _ADDS:
                    return failure
                raise _failed(piece, failure) from None

    def _require_no_stop(self) -> None:
        if self._stop.is_requested:
            raise MigrationError(Reason.INTERRUPTED, "stopped while the schema was made")


def _pieces(script: SchemaScript) -> Iterator[_Piece]:
    """The statements of a script that have an effect."""
    for statement in split(script.sql, file=script.file):
        piece = _Piece(script, statement)
        if statement.words[:1] == ("ROLLBACK",):
            raise _refused(piece, "a script that makes a schema can't roll back")
        if not statement.words or statement.words[0] not in _TRANSACTION:
            yield piece


def _is_setting(piece: _Piece) -> bool:
    """Whether it changes the session's settings."""
    verb = piece.statement.words[:1]
    return verb in (("SET",), ("RESET",)) or (verb == ("SELECT",) and b"set_config(" in piece.sql)


def _can_be_among_others(piece: _Piece) -> bool:
    words = piece.statement.words
    return bool(words) and words[0] in _AMONG_OTHERS


def _can_be_left_out(piece: _Piece, failure: ServerFailure) -> bool:
    words = piece.statement.words
    if words[:1] == ("SET",):
        return failure.sqlstate == _UNDEFINED_OBJECT
    if failure.sqlstate not in _IS_THERE or words[:1] != ("CREATE",):
        return False
    return words[1:2] in {(each,) for each in _ROLES} or words[1:3] == ("SCHEMA", "PUBLIC")


def _failed(piece: _Piece, failure: ServerFailure) -> MigrationError:
    error = failure.error
    script, start = piece.script, piece.statement.start
    if error.position is None:
        location = locate_byte(script.sql, start, script.file)
    else:
        position = len(script.sql[:start].decode()) + error.position
        location = position_to_location(script.sql, position, script.file)
    detail = "; ".join(filter(None, (error.detail, error.context)))
    return MigrationError(
        Reason.STATEMENT_FAILED,
        f"the desired schema can't be made: {error.message}",
        location=location,
        sqlstate=error.sqlstate,
        detail=detail or None,
        hint=hint_for(error.message) or error.hint,
    )


def _refused(piece: _Piece, problem: str) -> MigrationError:
    script = piece.script
    location = locate_byte(script.sql, piece.statement.start, script.file)
    text = f"{script.file}: line {location.line}: {problem}"
    return MigrationError(Reason.SOURCE_INVALID, text, location=location)
