"""The kinds and borders of tokens, and what is said of one that does not end."""

from __future__ import annotations

import pytest

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.sqltext.tokens import line_comments, outermost, skip_space, tokens

pytestmark = pytest.mark.quick


def read(sql: str) -> list[str]:
    """Each token by the first letter of its kind, with its text in the script."""
    data = sql.encode()
    found = tokens(data, 0, len(data), file="f")
    return [f"{each.kind.value[0]}:{data[each.start : each.end].decode()}" for each in found]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("", []),
        (" \t\r\n\f\v-- a\n/* b /* c */ */", []),
        ("select a_1$b", ["w:select", "w:a_1$b"]),
        ("été", ["w:été"]),
        ("12ab", ["n:12", "w:ab"]),
        ("1.5", ["n:1", "s:.", "n:5"]),
        ("'a''b' 'c\\'", ["s:'a''b'", "s:'c\\'"]),
        ("e'a\\'b' E'\\\\'", ["s:e'a\\'b'", "s:E'\\\\'"]),
        ("e'a'\n'b\\'c'", ["s:e'a'\n'b\\'c'"]),
        ("e'a' -- x\n --y\n 'b\\''", ["s:e'a' -- x\n --y\n 'b\\''"]),
        ("e'a' 'b'", ["s:e'a'", "s:'b'"]),
        ("'a'\n'b'", ["s:'a'", "s:'b'"]),
        ("e", ["w:e"]),
        ("ee'a'", ["w:ee", "s:'a'"]),
        ('"a""b" ""', ['i:"a""b"', 'i:""']),
        ("$$a$b$$ $$", None),
        ("$$a$b$$", ["s:$$a$b$$"]),
        ("$a1$ $$ $a$ $a1$", ["s:$a1$ $$ $a$ $a1$"]),
        ("$é$x$é$", ["s:$é$x$é$"]),
        ("$1 $23a", ["s:$1", "s:$23", "w:a"]),
        ("$", ["s:$"]),
        ("$ a", ["s:$", "w:a"]),
        ("a$b$c", ["w:a$b$c"]),
        ("a- -1/2", ["w:a", "s:-", "s:-", "n:1", "s:/", "n:2"]),
        ("a--b\nc", ["w:a", "w:c"]),
        ("a/*/**/*/b", ["w:a", "w:b"]),
        ("(;)", ["s:(", "s:;", "s:)"]),
    ],
)
def test_tokens_end_where_the_servers_do(sql: str, expected: list[str] | None) -> None:
    if expected is None:
        with pytest.raises(MigrationError):
            read(sql)
        return
    assert read(sql) == expected


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("\n'a", "f: line 2: this string does not end: a quote is missing"),
        ("'a''", "f: line 1: this string does not end: a quote is missing"),
        ("\n\ne'a\\'", "f: line 3: this string does not end: a quote is missing"),
        ("e'a'\n'b", "f: line 1: this string does not end: a quote is missing"),
        ('"a', "f: line 1: this quoted identifier does not end: a quote is missing"),
        ('"a""', "f: line 1: this quoted identifier does not end: a quote is missing"),
        ("$a$ $$", "f: line 1: this string does not end: $a$ is missing"),
        ("/* a /* */", "f: line 1: this comment does not end: */ is missing"),
        ("a\n/*", "f: line 2: this comment does not end: */ is missing"),
    ],
)
def test_what_does_not_end_is_refused_with_its_place(sql: str, problem: str) -> None:
    with pytest.raises(MigrationError) as caught:
        read(sql)
    assert caught.value.message == problem


def test_a_token_has_its_text_where_it_matters() -> None:
    found = [*tokens(b"select \"A\" 'b' 1 ;", 0, 18, file="f")]
    assert [each.text for each in found] == ["SELECT", "", "", "", ";"]


def test_tokens_are_those_between_two_borders() -> None:
    sql = b"select 1; select 2;"
    assert [each.start for each in tokens(sql, 9, 19, file="f")] == [10, 17, 18]
    assert [each.start for each in tokens(sql, 0, 8, file="f")] == [0, 7]
    assert skip_space(b"  -- a\n /* b */ c", 0, file="f") == 16


@pytest.mark.parametrize(
    ("sql", "outer"),
    [
        ("a (b (c) d) e", ["A", ")", "E"]),
        ("a ) b", ["A"]),
        ("(a) b", [")", "B"]),
        ("", []),
    ],
)
def test_what_stands_in_parentheses_is_left_out(sql: str, outer: list[str]) -> None:
    data = sql.encode()
    found = [each.text for each in outermost(tokens(data, 0, len(data), file="f"))]
    assert [text for text in found if text != "("] == outer


@pytest.mark.parametrize(
    ("sql", "starts"),
    [
        ("-- a", [0]),
        ("a -- b\n--c\r--d", [2, 7, 11]),
        ("-- a -- b", [0]),
        ("'--' -- a", [5]),
        ("'a''--' --", [8]),
        ("e'\\'--' --", [8]),
        ("/* -- */ --", [9]),
        ('"--" --', [5]),
        ("$$--$$ --", [7]),
        ("a$b --", [4]),
        ("-- it's\n-- 'x", [0, 8]),
        ("e'a' e'\\'--' --", [13]),
        ("'e'--x", [3]),
        ("a - - b", []),
    ],
)
def test_comments_of_one_line_are_found_outside_of_all_else(sql: str, starts: list[int]) -> None:
    data = sql.encode()
    assert [*line_comments(data, 0, len(data))] == starts
    padded = b"-- " + data + b" --"
    assert [*line_comments(padded, 3, 3 + len(data))] == [3 + each for each in starts]
