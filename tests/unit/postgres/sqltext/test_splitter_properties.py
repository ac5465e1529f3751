"""The lexer against PostgreSQL's own scanner and parser, on generated SQL."""

from __future__ import annotations

import postgast
import pytest
from hypothesis import HealthCheck, event, given, settings
from postgast.errors import PgQueryError

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.sqltext.splitter import split
from dbmigrate.postgres.sqltext.tokens import tokens
from tests.unit.postgres.sqltext.grammar import SCRIPT, SOUP
from tests.unit.postgres.sqltext.parser import parsed_spans

pytestmark = pytest.mark.quick

EXAMPLES = settings(
    derandomize=True,
    deadline=None,
    max_examples=1500,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

COMMENTS = {275, 276}
SEMICOLON = ord(";")
BACKSLASH = ord("\\")


@settings(EXAMPLES, max_examples=500)
@given(SCRIPT)
def test_a_script_is_split_where_postgresql_splits_it(script: str) -> None:
    sql = script.encode()
    expected = parsed_spans(sql)
    event(f"{len(expected)} statements")
    assert [(each.start, each.end) for each in split(sql, file="f")] == expected


@EXAMPLES
@given(SOUP)
def test_tokens_begin_and_end_where_postgresql_says(soup: str) -> None:
    sql = soup.encode()
    try:
        scanned = postgast.scan(soup).tokens
    except PgQueryError as error:
        event(str(error).split(" at or near")[0])
        if str(error).startswith("unterminated"):
            with pytest.raises(MigrationError):
                list(tokens(sql, 0, len(sql), file="f"))
            with pytest.raises(MigrationError):
                list(split(sql, file="f"))
        return
    event("scanned")
    ours = [token.start for token in tokens(sql, 0, len(sql), file="f") if token.text == ";"]
    assert ours == [token.start for token in scanned if token.token == SEMICOLON]


@EXAMPLES
@given(SOUP)
def test_statements_lie_between_the_semicolons_that_postgresql_sees(soup: str) -> None:
    sql = soup.encode()
    try:
        scanned = [t for t in postgast.scan(soup).tokens if t.token not in COMMENTS]
    except PgQueryError:
        return
    if any(token.token == BACKSLASH for token in scanned):
        with pytest.raises(MigrationError, match="psql"):
            list(split(sql, file="f"))
        return
    expected = []
    start = None
    for token in scanned:
        if token.token != SEMICOLON:
            start = token.start if start is None else start
        elif start is not None:
            expected.append((start, token.start))
            start = None
    if start is not None:
        expected.append((start, len(sql)))
    assert [(each.start, each.end) for each in split(sql, file="f")] == expected
