"""What is known of the query whose rows a batch limits: its table, its keys, and its end."""

from __future__ import annotations

import pytest

from dbmigrate.postgres.sqltext.batched.limited_query import LimitedQuery
from dbmigrate.postgres.sqltext.batched.script import read_batched

pytestmark = pytest.mark.quick


def find(statement: str, options: str = "") -> tuple[LimitedQuery | None, str]:
    """The query, and its text."""
    sql = f"-- dbmigrate:batched {options}\n{statement};\n".encode()
    limited = read_batched(sql, "f").limited
    return limited, "" if limited is None else sql[limited.start : limited.end].decode()


def below(query: str) -> tuple[LimitedQuery, str]:
    """Of a query in a DELETE."""
    limited, text = find(f"DELETE FROM t WHERE id IN ({query})")
    assert limited is not None
    return limited, text


@pytest.mark.parametrize(
    ("clause", "table"),
    [
        ("t", "t"),
        ("ONLY t", "t"),
        ("s.t", "s.t"),
        ('d . "s" . "T t"', 'd . "s" . "T t"'),
        ("t x", "t"),
        ("s.t AS x", "s.t"),
        ('t AS "x y"', "t"),
        ("s.", None),
        ("t, u", None),
        ("t JOIN u ON true", None),
        ("t x y", None),
        ("f(1)", None),
        ("(SELECT 1) x", None),
        ("'t'", None),
        ("t TABLESAMPLE system (1)", None),
    ],
)
@pytest.mark.parametrize(
    "before", ["", "WHERE a > 0 ", "ORDER BY a ", "WHERE EXISTS (SELECT FROM u) "]
)
def test_the_table_is_known_where_it_is_the_only_one(
    clause: str, table: str | None, before: str
) -> None:
    limited, _ = below(f"SELECT id FROM {clause} {before}LIMIT :batch_size")
    assert limited.table == table


def test_rows_may_be_limited_by_fetch_and_locked() -> None:
    for end in ("FETCH FIRST :batch_size ROWS ONLY", "LIMIT :batch_size FOR UPDATE"):
        limited, text = below(f"SELECT id FROM t {end}")
        assert (limited.table, text) == ("t", f"SELECT id FROM t {end}")
    assert below("SELECT 1 LIMIT :batch_size")[0].table is None


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("INSERT INTO a SELECT id FROM t ORDER BY id LIMIT :batch_size",
         "SELECT id FROM t ORDER BY id LIMIT :batch_size"),
        ("INSERT INTO a (b) SELECT id FROM t LIMIT :batch_size ON CONFLICT DO NOTHING",
         "SELECT id FROM t LIMIT :batch_size"),
        ("INSERT INTO a SELECT id FROM t LIMIT :batch_size RETURNING b",
         "SELECT id FROM t LIMIT :batch_size"),
        ("UPDATE t SET a = 1 WHERE id IN (SELECT id FROM t LIMIT :batch_size)",
         "SELECT id FROM t LIMIT :batch_size"),
        ("WITH x AS (SELECT id FROM t LIMIT :batch_size) DELETE FROM t USING x WHERE x.id = t.id",
         "SELECT id FROM t LIMIT :batch_size"),
    ],
)  # fmt: skip
def test_the_query_ends_where_it_ends(statement: str, text: str) -> None:
    limited, found = find(statement)
    assert limited is not None
    assert (limited.table, found) == ("t", text)


@pytest.mark.parametrize(
    ("conditions", "keys", "has_null_test"),
    [
        ("a > :cursor ORDER BY a", ("a",), False),
        ("t.a > :cursor AND a IS NOT NULL ORDER BY a", ("a",), True),
        ("(a, b) > (:cursor_1, :cursor_2) ORDER BY a, b", ("a", "b"), False),
        ("a > :cursor AND b IS NULL ORDER BY a", ("a",), False),
    ],
)
def test_the_keys_are_the_columns_that_follow_the_cursor(
    conditions: str, keys: tuple[str, ...], has_null_test: bool
) -> None:
    columns = ", ".join(keys)
    starts = " ".join(f"start_{number}=0" for number in range(1, len(keys) + 1))
    limited, _ = find(
        f"UPDATE t SET c = 1 WHERE ({columns}) IN (SELECT {columns} FROM t"
        f" WHERE {conditions} LIMIT :batch_size) RETURNING {columns}",
        starts,
    )
    assert limited is not None
    assert (limited.keys, limited.has_null_test) == (keys, has_null_test)


@pytest.mark.parametrize(
    ("query", "repeats"),
    [
        ("SELECT id FROM t LIMIT :batch_size", False),
        ("SELECT DISTINCT id FROM t LIMIT :batch_size", True),
        ("SELECT id FROM t GROUP BY id LIMIT :batch_size", True),
        ("SELECT id FROM t ORDER BY id FETCH FIRST :batch_size ROWS WITH TIES", True),
        ("SELECT id FROM t WHERE id IN (SELECT DISTINCT 1) LIMIT :batch_size", False),
    ],
)
def test_a_row_of_it_may_stand_for_several(query: str, repeats: bool) -> None:
    assert below(query)[0].has_repetition is repeats
