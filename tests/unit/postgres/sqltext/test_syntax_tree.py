"""What the parser is given, and what becomes of what it does not read."""

from __future__ import annotations

import pytest

from dbmigrate.postgres.sqltext.impacts import read_impacts
from dbmigrate.postgres.sqltext.syntax_tree import (
    Unreadable,
    name_of,
    parse,
    parse_body,
    read_script,
    walk,
)

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    "statement",
    [
        # The process would end at these, if they were handed to the parser.
        "SELECT " + "+".join("1" * 100_000),
        " UNION ".join(["SELECT 1"] * 100_000),
        "SELECT FROM t " + "CROSS JOIN t " * 100_000,
        "SELECT 1" + "::int" * 100_000,
        "SELECT a" + ' COLLATE "C"' * 100_000,
        "SELECT f(" + "+".join("1" * 100_000) + ")",
        # These the parser refuses by itself, or its tree is too deep for Python.
        "SELECT " + "(" * 100_000 + "1" + ")" * 100_000,
        "SELECT " + "+".join("1" * 700),
        "SELECT " + "NOT " * 20_000 + "true",
        "SELECT 1, " * 20_000 + "1",
        "SELECT 1 FROM",
        "SELECT '\0'",
    ],
)
def test_what_is_too_deep_or_too_long_is_unreadable(statement: str) -> None:
    with pytest.raises(Unreadable):
        parse(statement.encode())
    (impact,) = read_impacts(statement.replace("SELECT", "DELETE", 1).encode(), "f")
    assert not impact.is_known


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT " + "+".join("1" * 400),
        "SELECT a IN (" + ", ".join(["-1.5"] * 3000) + ")",
        "SELECT " + " OR ".join(["a = 1 AND b = 2"] * 1500),
        "INSERT INTO t SELECT 1; SELECT '" + "+" * 100_000 + "'",
        "DO $$ BEGIN " + "UPDATE t SET a = 1;" * 20_000 + " END $$",
    ],
)
def test_what_is_wide_is_read(statement: str) -> None:
    assert [each.problem for each in read_script(statement.encode(), "f") if each.problem] == []


def test_rows_that_are_written_down_are_not_read() -> None:
    sql = b"INSERT INTO t (a, b) VALUES " + b",".join([b"(1, 'with select')"] * 100_000)
    (statement,) = read_script(sql, "f")
    assert (statement.tree, statement.problem) == (None, None)
    assert read_impacts(sql, "f") == ()


def test_one_statement_that_is_unreadable_hides_no_other() -> None:
    script = b"SELECT 1;\nFROB x;\nDROP TABLE t"
    assert [str(each) for each in read_impacts(script, "f")] == [
        "line 2: FROB: its locks and data loss are unknown",
        "line 3: ACCESS EXCLUSIVE lock on t (blocks reads and writes), loses data",
    ]


@pytest.mark.parametrize(
    ("statement", "destructive"),
    [
        ("EXPLAIN ANALYZE DELETE FROM t", True),
        ("EXPLAIN (ANALYZE false) DELETE FROM t", False),
        ("EXPLAIN DELETE FROM t", False),
        ("COPY (DELETE FROM t RETURNING a) TO STDOUT", True),
        ("ALTER TYPE c DROP ATTRIBUTE x", True),
    ],
)
def test_what_is_within_another_statement_is_seen(statement: str, destructive: bool) -> None:
    assert any(each.is_destructive for each in read_impacts(statement.encode(), "f")) is destructive


@pytest.mark.parametrize("body", ["", "BEGIN", "$dbmigrate$", "BEGIN x := 1; END", "\0"])
def test_a_body_that_is_no_block_is_unreadable(body: str) -> None:
    with pytest.raises(Unreadable):
        parse_body(body)


def test_parameters_of_a_batch_stand_for_values() -> None:
    sql = b"DELETE FROM t WHERE id > :cursor ORDER BY id LIMIT :batch_size"
    with pytest.raises(Unreadable, match="ORDER"):
        parse(sql)
    tree = parse(sql.replace(b"DELETE", b"SELECT id"))
    assert [node.kind for node in walk(tree.node)].count("ParamRef") == 2


def test_a_name_is_quoted_where_it_has_to_be() -> None:
    assert name_of(["s", "Orders", 'a"b', "x1"]) == 's."Orders"."a""b".x1'


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE ${which}",
        "ALTER TABLE ${flyway:defaultSchema}.t DROP COLUMN c",
        "INSERT INTO t_${suffix} VALUES (${n}, '${text}')",
        "SELECT $$a ${x}$$, $tag$${y}$tag$",
    ],
)
def test_placeholders_stand_for_names_and_values_of_their_length(sql: str) -> None:
    text = sql.encode()
    assert parse(text).kind in {"DropStmt", "AlterTableStmt", "InsertStmt", "SelectStmt"}
