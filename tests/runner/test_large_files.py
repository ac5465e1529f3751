"""A large file is sent in pieces, in one transaction, and is no other file for that."""

from __future__ import annotations

import pytest

from dbmigrate.postgres.sqltext.transaction_mode import TransactionKind, transaction_mode
from dbmigrate.report import Reason
from dbmigrate.runner.commands.up import up
from tests.database import Database
from tests.runner.arrange import log, migration, request, source, table_names, version_row

ROWS = "INSERT INTO large VALUES {};\n".format(", ".join(["(1, 'é; BEGIN; VACUUM')"] * 2000))
"""Half of what a piece has at least."""
MANY = ROWS * 120


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", TransactionKind.ONE_QUERY),
        ("DO $$ BEGIN END $$;", TransactionKind.ONE_QUERY),
        ("CREATE INDEX CONCURRENTLY i ON large (id);", TransactionKind.NONE),
        ("COPY large FROM stdin;\n1\tx\n\\.\n", TransactionKind.STATEMENTS),
        ("ALTER TYPE t ADD VALUE 'a'; SELECT 'a'::t;", TransactionKind.NONE),
        ("BEGIN; SELECT 1; COMMIT; SELECT 2;", TransactionKind.NONE),
        ("\\restrict a\n", TransactionKind.ONE_QUERY),
    ],
)
def test_the_size_of_a_file_decides_nothing(text: str, kind: TransactionKind) -> None:
    """Except that it goes in pieces, each of whole statements; data is no word of SQL."""
    mode = transaction_mode(f"{MANY}{text}{MANY}".encode(), "f")
    assert mode.kind is kind
    assert (len(mode.cuts) > 5) == (kind is TransactionKind.ONE_QUERY)
    assert transaction_mode(f"SELECT 1;{text}".encode(), "f").kind is kind
    directive = f"-- dbmigrate:no-transaction\n{MANY}"
    assert transaction_mode(directive.encode(), "f").kind is TransactionKind.NONE


@pytest.mark.parametrize("script", [MANY, f"BEGIN;\n{MANY}COMMIT;"], ids=["plain", "wrapped"])
def test_every_cut_is_behind_a_statement(script: str) -> None:
    sql = script.encode()
    cuts = transaction_mode(sql, "f").cuts
    assert len(cuts) > 3
    assert all(sql[at - 1 : at + 1] in (b";\n", b";") for at in cuts)


@pytest.mark.database
def test_a_large_file_is_one_transaction(database: Database) -> None:
    made = f"CREATE TABLE large (id int, words text);\n{MANY}"
    broken = f"{made}SELECT 'é' AS a, nosuch;\n{ROWS}"
    failed = up(request(database, source(migration(1, broken)))).error
    assert failed is not None
    assert failed.reason is Reason.STATEMENT_FAILED
    assert failed.location is not None
    place = failed.location
    assert (place.line, place.column) == (MANY.count("\n") + 2, 18)
    assert "large" not in table_names(database)
    assert version_row(database) == []
    files = source(migration(1, made), migration(2, f"{MANY}SELECT 1/0;"))
    failed = up(request(database, files)).error
    assert failed is not None
    assert failed.location is not None
    assert failed.location.line == MANY.count("\n") + 1
    assert version_row(database) == [(1, False)]
    assert database.query("SELECT count(*) FROM large") == [(2000 * 120,)]
    assert log(database, "version, outcome")[-2:] == [(1, "applied"), (2, "failed")]
