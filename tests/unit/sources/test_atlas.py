"""An Atlas file as a script: its lines stay, and the spans are what Atlas would send."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmigrate.errors import MigrationError
from dbmigrate.postgres.sqltext.splitter import split as split_as_postgres
from dbmigrate.postgres.sqltext.splitter import statements_at
from dbmigrate.sources.atlas.directory import parse_file_name
from dbmigrate.sources.atlas.script import prepare
from dbmigrate.sources.atlas.statements import split
from dbmigrate.sources.atlas.sum_file import compute, read_sum, write_sum

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("name", "version", "rest"),
    [
        ("20240101_add_users.sql", "20240101", "add_users"),
        ("20240101.sql", "20240101", ""),
        ("1.2_x.sql", "1.2", "x"),
    ],
)
def test_the_version_is_what_stands_before_the_first_underscore(
    name: str, version: str, rest: str
) -> None:
    found = parse_file_name(name)
    assert found is not None
    assert (found.version, found.name) == (version, rest)


def test_other_files_are_none() -> None:
    assert parse_file_name("atlas.sum") is None


@pytest.mark.parametrize("delimiter", ["-- end", "//", r"\n\n", r"\n/\n"])
def test_a_delimiter_becomes_a_semicolon_and_lines_stay(delimiter: str) -> None:
    mark = delimiter.replace(r"\n", "\n")
    bodies = ["CREATE TABLE a ();\nINSERT INTO b VALUES (1);", "SELECT 1 -- hi", "SELECT 'é'"]
    text = f"-- atlas:delimiter {delimiter}\n" + "".join(f"{body}\n{mark}\n" for body in bodies)
    made = prepare(text, "f.sql")
    script = made.script.decode()
    for word in ("INSERT", "SELECT 1", "'é'"):
        assert script[: script.index(word)].count("\n") == text[: text.index(word)].count("\n")
    assert [made.script[start:end].decode() for start, end in made.spans] == bodies
    assert len(list(split_as_postgres(made.script, file="f.sql"))) == 4
    lines = [each.line for each in statements_at(made.script, made.spans, file="f.sql")]
    assert lines == [text[: text.index(body)].count("\n") + 1 for body in bodies]


@given(st.text(alphabet="ab;'$-/\n \t()é*EB", max_size=60))
def test_the_spans_of_an_ordinary_file_are_its_statements(text: str) -> None:
    try:
        found = split(text, "f.sql")
    except MigrationError:
        return
    made = prepare(text, "f.sql")
    assert made.script.decode() == text
    assert [made.script[start:end].decode() for start, end in made.spans] == [
        each.text for each in found
    ]


def test_txmode_none_becomes_our_word_for_it_in_its_line() -> None:
    text = "-- hello\n-- atlas:txmode none\n\nVACUUM;\n"
    made = prepare(text, "f.sql")
    assert made.script == b"-- hello\n-- dbmigrate:no-transaction\n\nVACUUM;\n"
    ((start, end),) = made.spans
    assert made.script[start:end] == b"VACUUM;"
    assert b"no-transaction" not in prepare(text.replace("\n\n", "\n"), "f.sql").script


def test_a_sum_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = compute([("1_a.sql", b"SELECT 1;"), ("2_b.sql", b"-- atlas:sum ignore\n")])
    assert [entry.name for entry in made.entries] == ["1_a.sql"]
    write_sum(tmp_path, made)
    assert read_sum(tmp_path) == made
    assert [path.name for path in tmp_path.iterdir()] == ["atlas.sum"]
