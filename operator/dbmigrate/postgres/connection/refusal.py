"""Why a connection was refused: the reason, and the part of it that may be shown.

A server that refuses a login says so in its own language, with a SQLSTATE that libpq does
not pass on: psycopg gives the text alone. Where the text is none of PostgreSQL's English
sentences, the login is made once more with libpq's trace of the protocol, which has the
SQLSTATE. What libpq itself says is English, for it has no translations without setlocale.
"""

from __future__ import annotations

import os
import re
import select
import time
from collections.abc import Mapping

from dbmigrate.postgres.connection.handshake import AttemptsFailed
from dbmigrate.postgres.connection.libpq import Error, make_conninfo, pq
from dbmigrate.postgres.connection.redaction import has_odd_names, redact
from dbmigrate.report import Reason

_SECONDS = 10.0
"""For the second login."""
_MOST_TRACED = 1 << 20
"""Bytes of the second login's trace that are kept in memory."""
_BY_SERVER = re.compile(r"(?:failed|bad): ([^\s:]+):  (.*)", re.DOTALL)
"""libpq writes two spaces after the severity, in any language."""
_NAMELESS = (
    r"the database system is (?:starting up|shutting down|in recovery mode"
    r"|not (?:yet )?accepting connections)"
    r"|sorry, too many clients already|remaining connection slots are reserved .*"
    r"|no more connections allowed(?: \(max_(?:client|db|user)_(?:client_)?conn(?:ections)?\))?"
    r"|query_wait_timeout"
    r"|unsupported startup parameter(?: in options)?: (?:options|search_path|role)"
)
"""Sentences of PostgreSQL and PgBouncer that name no role, no database and no setting's value."""
_SENTENCES = re.compile(
    r'(?:password authentication failed for user ".*"'
    r'|role ".*" (?:does not exist|is not permitted to log in)'
    r"|no pg_hba\.conf entry for (?:host|replication) .*"
    r"|pg_hba\.conf rejects (?:replication )?connection for .*"
    r'|permission denied for database ".*"'
    r'|database ".*" does not exist'
    r'|too many connections for (?:role|database) ".*"'
    rf"|{_NAMELESS})"
)
"""The first line of PostgreSQL's English messages, from the first word to the last."""
_TRACED = re.compile(rb'^B\t[0-9]+\tErrorResponse\t S "[^"\n]*"(?: V "[A-Z]+")? C "(\w{5})"', re.M)
_REASONS = {
    "28000": Reason.AUTHENTICATION_FAILED,
    "28P01": Reason.AUTHENTICATION_FAILED,
    "42501": Reason.AUTHENTICATION_FAILED,
    "3D000": Reason.DATABASE_MISSING,
    "42704": Reason.CONNECTION_INVALID,
    "22023": Reason.CONNECTION_INVALID,
}
"""By SQLSTATE. Any other one is taken for a server that is not there yet."""
UNSUPPORTED = re.compile(r"unsupported startup parameter")
"""A pooler's message about a setting that it does not pass on."""
_STARTING = re.compile(
    r"starting up|shutting down|in recovery|not (?:yet )?accepting|too many (?:clients|connections)"
    r"|connection slots|cannot connect now|no more connections allowed|query_wait_timeout",
    re.IGNORECASE,
)
_HOST = re.compile(
    r"failed to resolve host|could not translate host name|Name or service not known"
    r"|name resolution|nodename nor servname",
    re.IGNORECASE,
)
_DATABASE = re.compile(r'database ".*" does not exist|no such database', re.IGNORECASE)
_AUTHENTICATION = re.compile(
    r"authentication (?:failed|method requirement)|no password supplied"
    r"|password .*(?:required|expired)|no pg_hba\.conf entry|pg_hba\.conf rejects"
    r"|role \".*\" does not exist"
    r"|not permitted to log in|permission denied for database|no such user|SASL|GSSAPI|SCRAM",
    re.IGNORECASE,
)
_TLS = re.compile(
    r"\bSSL\b|\bTLS\b|certificate|private key|root\.crt|sslmode|sslrootcert"
    r"|does not match host name",
    re.IGNORECASE,
)
_INVALID = re.compile(r"invalid (?!ssl)\w+ value", re.IGNORECASE)
"""How libpq refuses a word that one of its parameters does not know."""
_NOT_A_CAUSE = re.compile(r"(?:, |\s)(?:no encryption|SSL encryption|SSL off|SSL on)\b")
"""How a pg_hba.conf refusal ends: it names TLS, but TLS is not what is wrong."""
NOT_THE_ONE = re.compile(
    r"session is (?:not )?read-only|server is (?:not )?in hot standby mode", re.IGNORECASE
)
"""libpq's message about a host that answers and that target_session_attrs excludes."""
LOCAL_FILE = re.compile(r"\b(?:certificate|private key) file\b", re.IGNORECASE)
"""libpq's message about a file that it can't use, or that does not exist."""
_QUESTION = re.compile(r"Is the server running ")
"""libpq's second line where nothing listens; our hint asks it."""
_PREFIX = re.compile(r"\[Errno -?\d+\] ")


def explain(error: Error, conninfo: Mapping[str, str]) -> tuple[Reason, str]:
    """The reason, and a message, of a connection that failed with `conninfo`."""
    text, given = str(error), conninfo
    if isinstance(error, AttemptsFailed):
        conninfo = {**error.conninfo, **conninfo}
    by_server = _BY_SERVER.search(text)
    sentence = by_server[2].splitlines()[0] if by_server is not None else ""
    sqlstate = None
    if by_server is not None and not _SENTENCES.fullmatch(sentence):
        sqlstate = ask_again(make_conninfo("", **{"connect_timeout": "10", **given}))
    reason = reason_of(" ".join(text.split()), sqlstate)
    is_nameless = re.fullmatch(_NAMELESS, sentence)
    if by_server is not None and not is_nameless and has_odd_names(conninfo, os.environ):
        text = text[: by_server.start(1)] + "the server has refused the login"
        text += " (its message is not shown, because it may contain a password)"
    shown = redact(_join(text), conninfo, os.environ)
    return reason, shown if sqlstate is None else f"{shown} (SQLSTATE {sqlstate})"


def is_question(line: str) -> bool:
    """Whether it only asks whether the server runs, as libpq's second line does."""
    return _QUESTION.match(line) is not None


def _join(text: str) -> str:
    """The lines of libpq, and the attempts at several addresses, as one sentence."""
    lines = (_PREFIX.sub("", " ".join(line.split())) for line in text.splitlines())
    return "; ".join(dict.fromkeys(line for line in lines if line and not is_question(line)))


def reason_of(text: str, sqlstate: str | None = None) -> Reason:
    """The reason by the SQLSTATE; without one by the text, which is libpq's or English.

    An unknown one counts as a server that is not up yet: trying again is safe then.
    """
    if sqlstate is not None:
        return _REASONS.get(sqlstate, Reason.CONNECTION_REFUSED)
    if _INVALID.match(text):
        return Reason.CONNECTION_INVALID
    if UNSUPPORTED.search(text):
        return Reason.POOLER_UNSAFE
    if _STARTING.search(text):
        return Reason.CONNECTION_REFUSED
    if _HOST.search(text):
        return Reason.HOST_NOT_FOUND
    if _DATABASE.search(text):
        return Reason.DATABASE_MISSING
    if _AUTHENTICATION.search(text):
        return Reason.AUTHENTICATION_FAILED
    if _TLS.search(_NOT_A_CAUSE.sub("", text)):
        return Reason.TLS_FAILED
    return Reason.CONNECTION_REFUSED


def ask_again(conninfo: str) -> str | None:
    """The SQLSTATE with which the server refuses the login; None if there is none.

    The trace is kept in memory only, and discarded afterwards.
    """
    try:
        trace = os.memfd_create("dbmigrate")
    except (AttributeError, OSError):
        return None  # not Linux
    try:
        _try(conninfo, trace)
        size = os.lseek(trace, 0, os.SEEK_END)
        found = _TRACED.findall(os.pread(trace, size, 0))
    except Error:
        return None
    finally:
        os.close(trace)
    return found[-1].decode() if found else None


def _try(conninfo: str, trace: int) -> None:
    connection = pq.PGconn.connect_start(conninfo.encode())
    deadline = time.monotonic() + _SECONDS
    try:
        if connection.status == pq.ConnStatus.BAD:
            return
        connection.trace(trace)
        connection.set_trace_flags(pq.Trace.SUPPRESS_TIMESTAMPS)
        while time.monotonic() < deadline and os.lseek(trace, 0, os.SEEK_END) < _MOST_TRACED:
            state = connection.connect_poll()
            if state not in (pq.PollingStatus.READING, pq.PollingStatus.WRITING):
                break
            waiting = select.poll()
            is_reading = state == pq.PollingStatus.READING
            waiting.register(connection.socket, select.POLLIN if is_reading else select.POLLOUT)
            waiting.poll(1000)
        connection.untrace()
    finally:
        connection.finish()
