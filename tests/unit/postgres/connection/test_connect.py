"""Why a connection was refused, by the texts of libpq and PostgreSQL."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dbmigrate.postgres.connection.libpq import OperationalError
from dbmigrate.postgres.connection.refusal import explain, reason_of
from dbmigrate.report import Reason

AT = 'connection to server at "10.0.0.1", port 5432 failed: '


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (AT + "Connection refused Is the server running on that host", Reason.CONNECTION_REFUSED),
        (AT + "FATAL: the database system is starting up", Reason.CONNECTION_REFUSED),
        (AT + "FATAL: the database system is shutting down", Reason.CONNECTION_REFUSED),
        (
            AT + "FATAL: the database system is not yet accepting connections",
            Reason.CONNECTION_REFUSED,
        ),
        (AT + "FATAL: sorry, too many clients already", Reason.CONNECTION_REFUSED),
        (AT + "FATAL: remaining connection slots are reserved", Reason.CONNECTION_REFUSED),
        (
            'could not translate host name "db" to address: Name or service',
            Reason.HOST_NOT_FOUND,
        ),
        ("connection timeout expired", Reason.CONNECTION_REFUSED),
        (AT + "server closed the connection unexpectedly", Reason.CONNECTION_REFUSED),
        (AT + 'FATAL: database "app" does not exist', Reason.DATABASE_MISSING),
        (AT + 'FATAL: password authentication failed for user "u"', Reason.AUTHENTICATION_FAILED),
        (AT + "fe_sendauth: no password supplied", Reason.AUTHENTICATION_FAILED),
        (AT + 'FATAL: role "u" does not exist', Reason.AUTHENTICATION_FAILED),
        (AT + 'FATAL: role "u" is not permitted to log in', Reason.AUTHENTICATION_FAILED),
        (
            AT
            + 'FATAL: no pg_hba.conf entry for host "::1", user "u", database "d", no encryption',
            Reason.AUTHENTICATION_FAILED,
        ),
        (
            AT + 'FATAL: pg_hba.conf rejects connection for host "::1", user "u", SSL encryption',
            Reason.AUTHENTICATION_FAILED,
        ),
        (AT + "server does not support SSL, but SSL was required", Reason.TLS_FAILED),
        (AT + "SSL error: certificate verify failed", Reason.TLS_FAILED),
        ('root certificate file "/x/root.crt" does not exist', Reason.TLS_FAILED),
        (
            AT + 'server certificate for "a" does not match host name "b"',
            Reason.TLS_FAILED,
        ),
        (AT + "FATAL: das Datenbanksystem startet", Reason.CONNECTION_REFUSED),
    ],
)
def test_the_text_decides(text: str, reason: Reason) -> None:
    assert reason_of(text) is reason


NOBODY = (
    'connection to server at "{}", port 1 failed: Connection refused\n'
    "\tIs the server running on that host and accepting TCP/IP connections?"
)


def test_lines_of_libpq_become_one_sentence() -> None:
    one, other = (
        f'connection to server at "{host}", port 1 failed: Connection refused' for host in "ab"
    )
    both = OperationalError("\n".join((NOBODY.format("a"), NOBODY.format("b"))))
    assert explain(both, {}) == (Reason.CONNECTION_REFUSED, f"{one}; {other}")
    assert explain(OperationalError(NOBODY.format("a")), {})[1] == one
    text = "failed to resolve host 'x': [Errno -2] Name or service not known"
    assert "Errno" not in explain(OperationalError(text), {})[1]


def test_only_the_binding_of_psycopg_is_loaded_and_the_rest_still_can_be() -> None:
    probe = (
        "import sys; from dbmigrate.postgres.connection.libpq import OperationalError, pq;"
        " light = set(sys.modules); import psycopg, psycopg_binary;"
        " print('psycopg' in light, 'psycopg.cursor' in light, 'importlib.metadata' in light,"
        " psycopg.pq is pq, psycopg.OperationalError is OperationalError, psycopg.connect.__name__)"
    )
    told = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", "False", "False", "True", "True", "connect"]
