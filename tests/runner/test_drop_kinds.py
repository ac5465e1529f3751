"""`drop` knows the name of DROP's for every kind of object that stands in a schema."""

from __future__ import annotations

import pytest

from dbmigrate.runner.commands.drop import drop
from tests.database import Database
from tests.runner.arrange import request

pytestmark = pytest.mark.database

KINDS = {
    "aggregate": "CREATE AGGREGATE x (int) (SFUNC = int4pl, STYPE = int)",
    "aggregate of any": "CREATE AGGREGATE x (*) (SFUNC = int8inc, STYPE = int8, INITCOND = '0')",
    "ordered-set aggregate": "CREATE AGGREGATE x (float8 ORDER BY anyelement) (SFUNC ="
    " ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final,"
    " FINALFUNC_EXTRA)",
    "collation": """CREATE COLLATION x FROM "C\"""",
    "conversion": "CREATE CONVERSION x FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
    "domain": "CREATE DOMAIN x AS int CHECK (VALUE > 0)",
    "composite type": "CREATE TYPE x AS (a int, b text)",
    "enum": "CREATE TYPE x AS ENUM ('a')",
    "range": "CREATE TYPE x AS RANGE (SUBTYPE = int)",
    "shell type": "CREATE TYPE x",
    "foreign table": "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;"
    " CREATE FOREIGN TABLE x (id int) SERVER s",
    "function": "CREATE FUNCTION x(int, VARIADIC text[]) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "procedure": "CREATE PROCEDURE x(int) LANGUAGE sql AS 'SELECT 1'",
    "window function": "CREATE FUNCTION x() RETURNS int8 LANGUAGE internal WINDOW AS"
    " 'window_row_number'",
    "trigger function": "CREATE FUNCTION x() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN RETURN NULL; END'",
    "materialized view": "CREATE MATERIALIZED VIEW x AS SELECT 1 AS a; CREATE INDEX ON x (a)",
    "view": "CREATE VIEW x AS SELECT 1 AS a",
    "recursive view": "CREATE RECURSIVE VIEW x (n) AS SELECT 1",
    "operator": "CREATE OPERATOR @#@ (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl)",
    "prefix operator": "CREATE OPERATOR @#@ (RIGHTARG = int, FUNCTION = int4um)",
    "operator class": "CREATE OPERATOR CLASS x FOR TYPE int USING hash AS FUNCTION 1 hashint4(int)",
    "operator family": "CREATE OPERATOR FAMILY x USING btree",
    "sequence": "CREATE SEQUENCE x",
    "unlogged table": "CREATE UNLOGGED TABLE x (id int PRIMARY KEY)",
    "partitioned table": "CREATE TABLE x (id int) PARTITION BY LIST (id);"
    " CREATE TABLE x1 PARTITION OF x DEFAULT",
    "statistics": "CREATE TABLE t (a int, b int); CREATE STATISTICS x ON a, b FROM t",
    "statistics of another schema's table": "CREATE TABLE other.t (a int, b int);"
    " CREATE STATISTICS x ON a, b FROM other.t",
    "text search configuration": "CREATE TEXT SEARCH CONFIGURATION x (COPY = pg_catalog.simple)",
    "text search dictionary": "CREATE TEXT SEARCH DICTIONARY x (TEMPLATE = simple)",
    "text search parser": "CREATE TEXT SEARCH PARSER x (START = prsd_start, GETTOKEN ="
    " prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype)",
    "text search template": "CREATE TEXT SEARCH TEMPLATE x (LEXIZE = dsimple_lexize)",
}
SPELLINGS = {
    "as it is": lambda made: made,
    "quoted": lambda made: made.replace(" x ", ' "X ""y" ').replace(" x(", ' "X ""y"('),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_object_of_each_kind_is_dropped(database: Database, kind: str, spelling: str) -> None:
    database.execute(f"CREATE SCHEMA other; {SPELLINGS[spelling](KINDS[kind] + ' ')}")
    drop(request(database)).unwrap()
    held = "SELECT deptype FROM pg_depend WHERE refobjid = 'public'::regnamespace"
    assert database.query(held) == []
