"""The query for the targets: one that reads, and nothing else, by its words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbmigrate.errors import MigrationError
from dbmigrate.runner.fleet.catalog import require_query

READING = [
    "SELECT 't1' AS name",
    "  /* ; COMMIT */ select ';' AS name -- ; COMMIT",
    "((SELECT 1) UNION (VALUES (2)))",
    "VALUES (1)",
    "TABLE tenants",
    "SELECT 1;",
    "SELECT 1; ; -- the end",
    "WITH x AS (SELECT 1) SELECT * FROM x",
    "WITH RECURSIVE x(n) AS NOT MATERIALIZED (VALUES (1)) TABLE x",
    "WITH delete AS (SELECT 1 AS update), merge AS (SELECT 2) SELECT * FROM delete, merge",
    "WITH x AS (SELECT 1) SELECT count(*) delete FROM x",
    "WITH x AS (SELECT * FROM json_to_record('{}') AS (delete text)) SELECT * FROM x",
    "WITH x AS (SELECT * FROM json_to_record('{}') AS (update text)) SELECT * FROM x",
    "WITH x AS (SELECT 'AS (DELETE FROM t)' AS a) SELECT * FROM x",
    "WITH RECURSIVE x(a) AS (SELECT 1 UNION SELECT a FROM x) SEARCH DEPTH FIRST BY a SET delete"
    " SELECT * FROM x",
]
OTHERS = {
    "COMMIT; SELECT 1": "more than one statement",
    "SELECT 1; COMMIT": "more than one statement",
    "SELECT 1;;COMMIT": "more than one statement",
    "COMMIT": "begins with COMMIT",
    "ROLLBACK AND CHAIN": "begins with ROLLBACK",
    "SET TRANSACTION READ WRITE": "begins with SET",
    "SHOW search_path": "begins with SHOW",
    "EXPLAIN ANALYZE SELECT 1": "begins with EXPLAIN",
    "CALL p()": "begins with CALL",
    "DO $$ BEGIN END $$": "begins with DO",
    "EXECUTE x": "begins with EXECUTE",
    "COPY t TO PROGRAM 'id'": "begins with COPY",
    "INSERT INTO t VALUES (1) RETURNING 1": "begins with INSERT",
    "/* SELECT */ DELETE FROM t RETURNING 1": "begins with DELETE",
    "(DELETE FROM t RETURNING 1)": "begins with DELETE",
    "'SELECT'": "begins with no word",
    "": "it is empty",
    " ; -- nothing": "it is empty",
    "SELECT '": "does not end",
    "SELECT '\udcff'": "not UTF-8",
    "WITH x AS (DELETE FROM t RETURNING 1) SELECT * FROM x": "holds DELETE",
    "WITH a AS (SELECT 1), x AS MATERIALIZED (UPDATE t SET a = 1 RETURNING 1) TABLE x": "UPDATE",
    "WITH a AS (WITH b AS (INSERT INTO t VALUES (1) RETURNING 1) TABLE b) TABLE a": "INSERT",
    "WITH a AS (SELECT 1) DELETE FROM t RETURNING 1": "holds DELETE",
    "WITH a(x) AS (SELECT 1) MERGE INTO t USING a ON true WHEN MATCHED THEN DELETE": "MERGE",
}


@pytest.mark.parametrize("sql", READING)
def test_a_query_that_reads_is_taken(sql: str) -> None:
    require_query(sql)


@pytest.mark.parametrize("sql", OTHERS)
def test_anything_else_is_refused_by_its_name(sql: str) -> None:
    with pytest.raises(MigrationError) as raised:
        require_query(sql)
    assert OTHERS[sql] in raised.value.message


@settings(derandomize=True, deadline=None)
@given(st.lists(st.sampled_from(READING), min_size=2, max_size=4))
def test_several_queries_are_never_taken(parts: list[str]) -> None:
    with pytest.raises(MigrationError, match="more than one statement"):
        require_query("\n;".join(parts))
