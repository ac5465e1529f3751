"""Names and texts as SQL writes them, held against the server's own reading elsewhere."""

from __future__ import annotations

import pytest

from dbmigrate.postgres.history.relations import log_name
from dbmigrate.postgres.sqltext.quoting import identifier, literal


@pytest.mark.parametrize(
    ("value", "sql"),
    [
        (None, "NULL"),
        (7, "7"),
        ("it's", "'it''s'"),
        ("a\\b'c", " E'a\\\\b''c'"),
        ("", "''"),
    ],
)
def test_values_are_constants(value: str | int | None, sql: str) -> None:
    assert literal(value) == sql


def test_names_keep_their_case_and_their_quotes() -> None:
    assert identifier('My "own"') == '"My ""own"""'


@pytest.mark.parametrize("quote", [identifier, literal])
def test_a_nul_has_no_place_in_sql(quote: object) -> None:
    assert callable(quote)
    with pytest.raises(ValueError, match="NUL"):
        quote("a\0b")


@pytest.mark.parametrize(
    ("table", "log"),
    [
        ("schema_migrations", "schema_migrations_log"),
        ("t" * 63, "t" * 59 + "_log"),
        ("é" * 31, "é" * 29 + "_log"),
    ],
)
def test_the_logs_name_fits_into_63_bytes(table: str, log: str) -> None:
    assert log_name(table) == log
    assert len(log.encode()) <= 63
