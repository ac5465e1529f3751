"""Where scripts are split: real ones against PostgreSQL's parser, and what no parser knows."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.sqltext.splitter import split
from dbmigrate.report import Reason
from tests.unit.postgres.sqltext.parser import parsed_spans

pytestmark = pytest.mark.quick

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.sql"))


def texts(sql: str) -> list[str]:
    raw = sql.encode()
    return [raw[each.start : each.end].decode() for each in split(raw, file="f")]


def refusal(sql: str) -> tuple[int | None, int | None, str]:
    with pytest.raises(MigrationError) as caught:
        list(split(sql.encode(), file="1_a.up.sql"))
    error = caught.value
    assert error.reason is Reason.SOURCE_INVALID
    assert error.location is not None
    assert error.message.startswith(f"1_a.up.sql: line {error.location.line}: ")
    return error.location.line, error.location.column, error.message


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_real_scripts_are_split_as_postgresql_does(path: Path) -> None:
    sql = path.read_bytes()
    expected = parsed_spans(sql)
    assert len(expected) > 2
    statements = list(split(sql, file=path.name))
    assert [(each.start, each.end) for each in statements] == expected
    assert [each.line for each in statements] == [sql[:s].count(b"\n") + 1 for s, _ in expected]


@pytest.mark.parametrize("sql", ["", " \n", ";;", "-- only a comment", "/* ; */ ;"])
def test_a_script_without_statements_has_none(sql: str) -> None:
    assert texts(sql) == []


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("insert into users values (1)", ("INSERT", "INTO", "USERS", "VALUES")),
        (
            "create /* x */ unique index -- y\n a on b",
            ("CREATE", "UNIQUE", "INDEX", "A", "ON", "B"),
        ),
        ('create table "a b" (id int)', ("CREATE", "TABLE")),
        ("VACUUM", ("VACUUM",)),
        ("(select 1)", ()),
        ("select E'a'", ("SELECT",)),
        ("select t2.x", ("SELECT",)),
    ],
)
def test_a_statement_knows_the_words_it_starts_with(sql: str, words: tuple[str, ...]) -> None:
    (statement,) = split(sql.encode(), file="f")
    assert statement.words == words


def test_the_server_continues_escapes_behind_a_comment() -> None:
    # libpg_query's scanner keeps comments and does not; scan.l says whitespace_with_newline.
    assert texts("select E'a' -- ';\n '\\'; b'; select 2") == [
        "select E'a' -- ';\n '\\'; b'",
        "select 2",
    ]


def test_wrong_sql_is_left_to_the_server() -> None:
    assert texts("selct 1; insert into t values ((1; select 2);") == [
        "selct 1",
        "insert into t values ((1",
        "select 2)",
    ]


DUMP = """\
--
-- PostgreSQL database dump
--

\\restrict vUQ7h2kpXPjKcmL0cyYDsFvMwLBtsVNWnr8YyH4nqjS9R1qjlSF2

SET standard_conforming_strings = on;
COPY public.users (id, "from", note) FROM stdin;
1\tit's; \\N\t\\\\.
2\t$$\t/*
\\.


COPY public.empty FROM stdin WITH (FORMAT csv); -- nothing
\\.
SELECT pg_catalog.setval('public.users_id_seq', 2, true);

\\unrestrict vUQ7h2kpXPjKcmL0cyYDsFvMwLBtsVNWnr8YyH4nqjS9R1qjlSF2

"""


def test_a_dump_is_split_with_its_rows() -> None:
    sql = DUMP.encode()
    left_out: list[tuple[int, int]] = []
    statements = list(split(sql, file="dump.sql", left_out=left_out))
    assert [each.words[0] for each in statements] == ["SET", "COPY", "COPY", "SELECT"]
    assert [each.rows and sql[slice(*each.rows)] for each in statements] == [
        None,
        b"1\tit's; \\N\t\\\\.\n2\t$$\t/*\n",
        b"",
        None,
    ]
    assert [sql[slice(*span)].split()[0] for span in left_out] == [b"\\restrict", b"\\unrestrict"]
    assert statements[-1].line == 16


def test_rows_with_line_ends_of_windows_and_at_the_end_of_the_script_are_found() -> None:
    sql = b"copy t from stdin;\r\n1\r\n\\.\r\nselect 1;\r\ncopy t from STDIN\r\n;\r\n2\r\n\\."
    statements = list(split(sql, file="f"))
    assert [each.rows and sql[slice(*each.rows)] for each in statements] == [
        b"1\r\n",
        None,
        b"2\r\n",
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "copy t to stdout; select 1",
        "copy t from '/tmp/stdin'; select 1",
        'copy t from "stdin"; select 1',
        "copy (select 1 from stdin) to stdout; select 1",
    ],
)
def test_a_copy_that_has_no_rows_in_the_script_is_like_any_statement(sql: str) -> None:
    assert [each.rows for each in split(sql.encode(), file="f")] == [None, None]


@pytest.mark.parametrize(
    ("sql", "line", "column", "message"),
    [
        ("select 1;\nselect 'a;\n", 2, 8, "this string does not end: a quote is missing"),
        ("select 'é', E'a\\';", 1, 14, "this string does not end"),
        ("select E'a'\n'\\';", 1, 9, "this string does not end"),
        ('\n\n  select "a;', 3, 10, "this quoted identifier does not end"),
        ("select $tag$ $$;", 1, 8, "this string does not end: $tag$ is missing"),
        ("do $é$ $e$;", 1, 4, "this string does not end: $é$ is missing"),
        ("select 1; /* /* */ ;", 1, 11, "this comment does not end: */ is missing"),
        ("select /*", 1, 8, "this comment does not end"),
        ("create rule r as on insert to t do (a; b;", 1, 36, "this parenthesis is never closed"),
        ("create function f() begin atomic select 1;", 1, 27, "this BEGIN ATOMIC has no END"),
        ("\\connect other\nselect 1", 1, 1, "\\connect is a command of psql"),
        ("select 1 \\gset\n", 1, 10, "\\gset is a command of psql"),
        ("  \\restrict x\n", 1, 3, "\\restrict is a command of psql"),
        ("select 1 \\\n;", 1, 10, "\\ is a command of psql"),
        ("create function f() \\x;", 1, 21, "\\x is a command of psql"),
        ("select 1;\n\\.\n", 2, 1, "\\. is a command of psql"),
        ("copy t from stdin;\n1\n", 1, 18, "the rows of this COPY don't end"),
        (
            "copy t from stdin; select 1;\n\\.\n",
            1,
            19,
            "the rows of a COPY start on the line below",
        ),
    ],
)
def test_what_can_not_be_split_is_refused_with_its_place(
    sql: str, line: int, column: int, message: str
) -> None:
    found = refusal(sql)
    assert found[:2] == (line, column)
    assert message in found[2]


def test_a_large_script_is_split_to_its_end() -> None:
    row = b"INSERT INTO users VALUES (1, 'Some Name', 'it''s; -1/2', E'\\';', $$;$$);\n"
    sql = row * 20_000
    statements = list(split(sql, file="f"))
    assert len(statements) == 20_000
    assert statements[-1].start == len(sql) - len(row)
    assert statements[-1].line == 20_000


LONG: list[tuple[Callable[[int], bytes], int]] = [
    (lambda size: b"a" * size + b"$$;", 1),
    (lambda size: b"(" * size + b";", 1),
    (lambda size: b"$" * size, 1),
    (lambda size: b"/*" * size + b"*/" * size, 0),
    (lambda size: b"- " * size, 1),
    (lambda size: b"'" * size, 1),
    (lambda size: b"create rule " + b"(" * size + b")" * size, 1),
    (lambda size: b"create function f() " + b"begin " * size, 1),
    (lambda size: b";" * size, 0),
    (lambda size: b"E'" + b"''" * size + b"'", 1),
    (lambda size: b"E'a'\n" * size, 1),
]


@pytest.mark.parametrize(("text", "expected"), LONG)
def test_the_effort_grows_with_the_size_alone(text: Callable[[int], bytes], expected: int) -> None:
    def effort(size: int) -> float:
        """Seconds of this thread, as far as they can be told from nothing."""
        sql, start = text(size), time.thread_time()
        assert sum(1 for _ in split(sql, file="f")) == expected
        return max(time.thread_time() - start, 0.01)

    # It would be 64 times as much, and minutes, if the lexer went back over what it has read.
    assert effort(200_000) < 24 * effort(25_000)
