"""Functions, procedures, aggregates."""

from __future__ import annotations

from tests.diff.cases import Case

_ATOMIC = """CREATE TABLE t (a {}, b int);
CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT max(a) FROM t; END;
CREATE VIEW v AS SELECT f() x"""

ROUTINES = [
    Case(
        "functions and procedures",
        """CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a';
        CREATE FUNCTION k() RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'""",
        """CREATE FUNCTION f(b int, c text DEFAULT 'x') RETURNS int LANGUAGE sql AS 'SELECT b';
        CREATE FUNCTION f(a int) RETURNS bigint LANGUAGE sql AS 'SELECT a::bigint';
        CREATE FUNCTION k() RETURNS int LANGUAGE sql AS 'SELECT 2';
        CREATE PROCEDURE p(INOUT a int) LANGUAGE plpgsql AS 'BEGIN a := a + 1; END';
        CREATE FUNCTION h(VARIADIC x text[], OUT y int, OUT z text) LANGUAGE sql
            AS 'SELECT 1, ''q''::text'; COMMENT ON FUNCTION f(int) IS 'ff'""",
        says=("DROP FUNCTION public.f(a integer)",),
        never=("DROP FUNCTION public.k",),
    ),
    Case(
        "a body that names what comes later",
        "",
        """CREATE TABLE z (a int);
        CREATE FUNCTION a() RETURNS SETOF int LANGUAGE sql AS 'SELECT a FROM z';
        CREATE FUNCTION b() RETURNS int LANGUAGE plpgsql AS 'DECLARE r z; BEGIN RETURN r.a; END'""",
        says=("SET LOCAL check_function_bodies = off",),
    ),
    Case("standard bodies", "CREATE TABLE t (a int, b int)", _ATOMIC.format("bigint")),
    Case(
        "a column under a standard body",
        _ATOMIC.format("int"),
        _ATOMIC.format("bigint"),
        says=("DROP FUNCTION", "ALTER COLUMN a TYPE bigint", "CREATE OR REPLACE FUNCTION"),
    ),
    Case(
        "aggregates",
        """CREATE FUNCTION add(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2';
        CREATE AGGREGATE s(int) (SFUNC = add, STYPE = int, INITCOND = '0')""",
        """CREATE FUNCTION add(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2';
        CREATE FUNCTION add2(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
        CREATE AGGREGATE s(int)
            (SFUNC = add2, STYPE = int, INITCOND = '1', PARALLEL = SAFE, COMBINEFUNC = add);
        CREATE AGGREGATE cnt(*) (SFUNC = int8inc, STYPE = bigint, INITCOND = '0');
        CREATE AGGREGATE mx(int) (SFUNC = int4larger, STYPE = int, SORTOP = >);
        CREATE TABLE t (a int); CREATE VIEW v AS SELECT s(a) FROM t;
        COMMENT ON AGGREGATE cnt(*) IS 'c'""",
        says=("CREATE OR REPLACE AGGREGATE public.s(integer)",),
    ),
]
