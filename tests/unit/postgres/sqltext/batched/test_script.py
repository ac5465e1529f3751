"""Files that run in batches: what they may say, and how a batch is made of them."""

from __future__ import annotations

from itertools import pairwise

import postgast
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from postgast.errors import PgQueryError

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.batches.query import build_batch, fill_parameters
from dbmigrate.postgres.batches.state import BatchState
from dbmigrate.postgres.history.relations import History
from dbmigrate.postgres.sqltext.batched.script import BatchedScript, find_parameters, read_batched
from dbmigrate.postgres.sqltext.tokens import tokens
from dbmigrate.postgres.sqltext.transaction_mode import TransactionKind, transaction_mode
from dbmigrate.report import Reason
from tests.unit.postgres.sqltext.grammar import SOUP
from tests.unit.postgres.sqltext.test_splitter_properties import EXAMPLES

HISTORY = History("public", "schema_migrations")
KEYSET = (
    "UPDATE users SET lower = lower(email) WHERE id IN (SELECT id FROM users WHERE id > :cursor"
    " ORDER BY id LIMIT :batch_size) RETURNING id"
)
UNTIL_EMPTY = "DELETE FROM a WHERE id IN (SELECT id FROM a LIMIT :batch_size)"


def read(statement: str, options: str = "") -> BatchedScript:
    return read_batched(f"-- dbmigrate:batched {options}\n{statement}".encode(), "f.up.sql")


def refused(statement: str, options: str = "") -> str:
    """Where it is refused and why: line:column message."""
    with pytest.raises(MigrationError) as caught:
        read(statement, options)
    error = caught.value
    assert error.reason is Reason.SOURCE_INVALID
    assert error.location is not None
    return f"{error.location.line}:{error.location.column} {error.message}"


def filled(statement: str, cursor: tuple[str | None, ...] | None = ("7",), size: int = 5) -> str:
    """The statement with its parameters put in; what it has to have stands in a comment's place."""
    sql = f"-- dbmigrate:batched start=0\n{statement}".encode()
    return fill(read_batched(sql, "f"), cursor, size).decode()


def fill(script: BatchedScript, cursor: tuple[str | None, ...] | None, size: int) -> bytes:
    parts = fill_parameters(script, script.start, script.end, cursor, size)
    return b"".join(text for text, _ in parts)


def test_the_options_have_defaults_and_units() -> None:
    plain = read(UNTIL_EMPTY).options
    assert (plain.size, plain.duration, plain.pause, plain.lag_seconds) == (1000, 1.0, 0.0, 10.0)
    line = "size=50 duration=250ms pause=1.5s max-lag=2m order=desc start='it''s 1' "
    found = read(KEYSET.replace(">", "<").replace("BY id", "BY id DESC"), line).options
    assert (found.size, found.duration, found.pause) == (50, 0.25, 1.5)
    assert (found.lag_seconds, found.is_descending, found.start) == (120.0, True, ((1, "it's 1"),))
    assert read(UNTIL_EMPTY, "max-lag=64MB").options.lag_bytes == 64 << 20
    none = read(UNTIL_EMPTY, "max-lag=none").options
    assert (none.lag_seconds, none.lag_bytes) == (None, None)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("size=0", "1:22 f.up.sql: line 1: size=0: a number of rows from 1 to 1000000"),
        ("size=5 sise=5", "1:29 f.up.sql: line 1: unknown option sise"),
        ("size=5 size=6", "1:29 f.up.sql: line 1: size occurs twice"),
        ("pause=5", "1:22 f.up.sql: line 1: pause=5: a duration like 100ms"),
        ("duration=0s", "1:22 f.up.sql: line 1: duration=0s"),
        ("order=up", "1:22 f.up.sql: line 1: order=up: use asc or desc"),
        ("max-lag=5 MB", "1:22 f.up.sql: line 1: max-lag=5"),
        ("quickly", "1:22 f.up.sql: line 1: write options as name=value"),
    ],
)
def test_an_option_that_is_not_understood_is_refused_with_its_place(
    options: str, problem: str
) -> None:
    assert refused(UNTIL_EMPTY, options).startswith(problem)


@pytest.mark.parametrize(
    ("statement", "options", "problem"),
    [
        ("", "", "1:1 f.up.sql: line 1: a batched file needs a statement"),
        (
            f"{UNTIL_EMPTY};\n  SELECT 1;",
            "",
            "3:3 f.up.sql: line 3: a batched file has one statement",
        ),
        ("CREATE TABLE t ()", "", "2:1 f.up.sql: line 2: a batched file is one INSERT"),
        ("DELETE FROM a", "", "2:1 f.up.sql: line 2: a batched file must limit its rows"),
        ("DELETE FROM a LIMIT :batchsize", "", "2:21 f.up.sql: line 2: :batchsize is no parameter"),
        ("SELECT f(:batch_size)", "", "2:1 f.up.sql: line 2: a SELECT has rows"),
        (KEYSET.replace(" RETURNING id", ""), "start=0", "2:1 f.up.sql: line 2: RETURNING must"),
        (KEYSET.replace(" ORDER BY id", ""), "start=0", "2:84 f.up.sql: line 2: the rows of a"),
        (KEYSET, "", "2:84 f.up.sql: line 2: :cursor is NULL in the first batch"),
        (KEYSET, "start=0 start_2=0", "1:1 f.up.sql: line 1: each :cursor needs one start"),
        (UNTIL_EMPTY, "start=0", "1:1 f.up.sql: line 1: each :cursor needs one start"),
        (KEYSET.replace(":cursor", ":cursor_2"), "", "2:1 f.up.sql: line 2: :cursor_1 is not used"),
        (
            UNTIL_EMPTY.replace(")", " FOR UPDATE SKIP LOCKED)"),
            "",
            "2:74 f.up.sql: line 2: SKIP LOCKED would skip rows",
        ),
    ],
)
def test_what_would_leave_rows_out_is_refused_with_its_place(
    statement: str, options: str, problem: str
) -> None:
    assert refused(statement, options).startswith(problem)


@pytest.mark.parametrize(
    "condition",
    [
        "(:cursor IS NULL OR id > :cursor)",
        "(:cursor::bigint IS NULL OR id > :cursor)",
        "id > coalesce(:cursor, 0)",
    ],
)
def test_a_statement_that_knows_of_null_needs_no_start(condition: str) -> None:
    script = read(KEYSET.replace("id > :cursor", condition))
    assert script.keys == 1
    assert script.first_cursor is None


DESCENDING = KEYSET.replace("ORDER BY id", "ORDER BY id DESC")
OF_TWO = (
    "WITH next AS (SELECT day, v.id FROM visits v WHERE (v.day, v.id) > (:cursor_1, :cursor_2)"
    " ORDER BY day, v.id LIMIT :batch_size), done AS (UPDATE visits SET a = 1 FROM next n"
    " WHERE n.id = visits.id) SELECT day, id FROM next"
)


@pytest.mark.parametrize(
    ("statement", "options", "problem"),
    [
        (DESCENDING, "start=0", "2:101 f.up.sql: line 2: this goes from high to low, the cursor"),
        (KEYSET, "start=0 order=desc", "2:101 f.up.sql: line 2: this goes from low to high"),
        (DESCENDING, "start=0 order=desc", "2:84 f.up.sql: line 2: the cursor goes from high"),
        (
            KEYSET.replace("BY id", "BY email"),
            "start=0",
            "2:84 f.up.sql: line 2: id is compared with the cursor, and ORDER BY does not go along",
        ),
        (
            KEYSET.replace("id > :cursor", "(id > coalesce(:cursor, 0))").replace(
                "BY id", "BY 1+id"
            ),
            "",
            "2:94 f.up.sql: line 2: id is compared",
        ),
        (OF_TWO.replace("BY day, v.id", "BY v.id, day"), "start=0 start_2=0", "2:69 f.up.sql"),
        (OF_TWO.replace("BY day, v.id", "BY day"), "start=0 start_2=0", "2:80 f.up.sql"),
        (OF_TWO.replace("v.id L", "v.id DESC L"), "start=0 start_2=0", "2:105 f.up.sql"),
        (
            KEYSET.replace("SELECT id", "SELECT id, row_number() OVER (ORDER BY id)").replace(
                " ORDER BY id L", " L"
            ),
            "start=0",
            "2:117 f.up.sql: line 2: the rows of a batch must be the next ones",
        ),
        (
            KEYSET.replace("SET lower", "SET (id, lower) = (5, 6), lower"),
            "start=0",
            "2:155 f.up.sql: line 2: RETURNING gives id as the statement has set it",
        ),
        (
            KEYSET.replace("SET lower", 'SET "id" = users.id + 1, lower'),
            "start=0",
            "2:154 f.up.sql: line 2: RETURNING gives id as the statement has set it",
        ),
    ],
)
def test_a_walk_that_is_not_the_cursors_is_refused_with_its_place(
    statement: str, options: str, problem: str
) -> None:
    assert refused(statement, options).startswith(problem)


@pytest.mark.parametrize(
    ("statement", "options"),
    [
        (DESCENDING.replace(">", "<"), "start=9 order=desc"),
        (OF_TWO, "start=0 start_2=0"),
        (KEYSET.replace("BY id", "BY 1"), "start=0"),
        (KEYSET.replace("BY id", 'BY users."id" ASC NULLS LAST'), "start=0"),
        (KEYSET.replace("BY id", 'BY id COLLATE "C"'), "start=''"),
        (KEYSET.replace("SELECT id", "SELECT id AS key").replace("BY id", "BY key"), "start=0"),
        (KEYSET.replace("LIMIT :batch_size", "FETCH FIRST :batch_size ROWS ONLY"), "start=0"),
        (KEYSET.replace("LIMIT :batch_size", "LIMIT greatest(1, :batch_size / 2)"), "start=0"),
        (KEYSET.replace("id > :cursor", "id > :cursor::uuid AND NOT b"), "start=0"),
        (KEYSET.replace("id > :cursor", "row_key(id) > :cursor"), "start=0"),
        (KEYSET.replace("SET lower", "SET id = 5, lower").replace("G id", "G old.id"), "start=0"),
        (KEYSET.replace("SET lower", "SET email = (SELECT id = 5), lower"), "start=0"),
    ],
)
def test_a_walk_along_the_cursor_is_taken(statement: str, options: str) -> None:
    assert read(statement, options).keys


def test_a_file_in_batches_is_neither_a_transaction_nor_statement_by_statement() -> None:
    sql = f"-- comment\n-- dbmigrate:batched size=9\n{UNTIL_EMPTY};".encode()
    mode = transaction_mode(sql, "f")
    assert mode.kind is TransactionKind.BATCHED
    assert (
        str(mode.causes[0]) == "line 3: in batches of at most 9 rows, each a transaction of its own"
    )
    with pytest.raises(MigrationError, match="one statement"):
        transaction_mode(sql + b"SELECT 1", "f")


@pytest.mark.parametrize(
    ("statement", "main"),
    [
        (UNTIL_EMPTY, "DELETE"),
        (f"WITH x AS (SELECT 1) {UNTIL_EMPTY}", "DELETE FROM a"),
        (
            "with recursive update (a) as materialized (select 1), b AS (VALUES (1))"
            f" {UNTIL_EMPTY}",
            "DELETE",
        ),
        (
            "WITH RECURSIVE x AS (SELECT 1) SEARCH DEPTH FIRST BY id SET sort"
            f" CYCLE id SET is USING p {UNTIL_EMPTY}",
            "DELETE",
        ),
        (
            "WITH d AS (DELETE FROM a RETURNING a) INSERT INTO b SELECT * FROM d LIMIT :batch_size",
            "INSERT",
        ),
    ],
)
def test_the_main_statement_is_found_behind_its_with(statement: str, main: str) -> None:
    script = read(statement)
    assert script.sql[script.main :].decode().startswith(main)


def test_parameters_are_put_in_where_the_server_would_see_them_and_nowhere_else() -> None:
    statement = (
        "UPDATE t SET a = ':cursor', b = $$:cursor$$, \":cursor\" = 1, /* :cursor */ c = x::cursor,"
        " d = y[1:2], e = f(n :=:batch_size), g = E'\\':cursor' -- :cursor\n"
        " WHERE id > :cursor::bigint AND (SELECT 1 ORDER BY 1) IS NULL RETURNING id"
    )
    expected = statement.replace(":=:batch_size", ":=(5)").replace(
        "> :cursor::bigint", "> ('7')::bigint"
    )
    assert filled(statement) == expected


@pytest.mark.parametrize(
    ("value", "text"), [("it's", "('it''s')"), ("a\\b", "( E'a\\\\b')"), (None, "(NULL)")]
)
def test_a_value_can_not_break_out(value: str | None, text: str) -> None:
    assert f"id > {text} ORDER" in filled(KEYSET, (value,))


NAMES = st.sampled_from([":cursor", ":batch_size", ":cursor_2", "::cursor", ":=", ":", "[1:2]"])


@settings(EXAMPLES, max_examples=600)
@given(st.lists(st.one_of(SOUP, NAMES), min_size=1, max_size=6))
def test_parameters_are_where_postgresql_sees_a_colon_and_a_name(parts: list[str]) -> None:
    soup = "".join(parts)
    sql = soup.encode()
    try:
        scanned = postgast.scan(soup).tokens
    except PgQueryError:
        return
    expected = [
        (colon.start, name.end)
        for colon, name in pairwise(scanned)
        if colon.token == ord(":")
        and colon.end == name.start
        and sql[name.start : name.end].lower() in {b"cursor", b"batch_size", b"cursor_2"}
    ]
    event(f"{len(expected)} parameters")
    found = find_parameters([*tokens(sql, 0, len(sql), file="f")])
    names = {"cursor", "batch_size", "cursor_2"}
    assert [(p.start, p.end) for p in found if p.name in names] == expected


@settings(EXAMPLES, max_examples=600)
@given(SOUP, st.integers(1, 9), st.text(alphabet="a'\\\"$;:-", max_size=5))
def test_what_is_put_in_changes_no_other_token(soup: str, size: int, value: str) -> None:
    """Whatever stands around a parameter: each token is what it was, but for the parameter."""
    statement = f"DELETE FROM t WHERE {soup} :cursor{soup} ORDER BY :batch_size RETURNING id"
    try:
        script = read(statement, "start=0")
        before = postgast.scan(statement).tokens
    except (MigrationError, PgQueryError):
        return
    sent = fill(script, (value, value), size).decode()
    after = [sent.encode()[t.start : t.end] for t in postgast.scan(sent).tokens]
    count = len(script.parameters)
    kept = [statement.encode()[t.start : t.end] for t in before]
    assert len(after) == len(kept) + count  # a colon and a name became a value in parentheses
    event("compared")


def test_a_place_in_a_batch_is_led_back_to_the_file() -> None:
    file = (
        "-- dbmigrate:batched start=0\n"
        "WITH ö AS (SELECT id FROM t WHERE id > :cursor ORDER BY id LIMIT :batch_size)\n"
        "UPDATE t SET naïve = wrong FROM ö WHERE t.id = ö.id RETURNING t.id"
    )
    sql = file.encode()
    state = BatchState(1, ("123456789",), 3, 30, 10, "")
    batch = build_batch(read_batched(sql, "f"), HISTORY, state, 10)
    sent = batch.sql.decode()
    for word in ("ö AS", "> ", "ORDER", "wrong", "RETURNING t.id"):
        position = sent.index(word) + 1
        assert sql[batch.byte_in_script(position) :].decode().startswith(word)
    # What is ours is led to what stood before it.
    inside = sent.index("dbmigrate_counted") + 1
    assert batch.byte_in_script(inside) == len(sql)
    postgast.parse(sent)
