"""Types that people make."""

from __future__ import annotations

from tests.diff.cases import Case

_AROUND_ENUM = """CREATE TABLE t (e e NOT NULL DEFAULT 'a', es e[] DEFAULT '{a}', CHECK (e <> 'c'));
CREATE INDEX i ON t (e) WHERE e = 'a'; CREATE INDEX j ON t (e);
CREATE FUNCTION f(e) RETURNS e LANGUAGE sql AS 'SELECT $1';
CREATE VIEW v AS SELECT e, f(e) g FROM t; COMMENT ON TYPE e IS 'ee';
CREATE DOMAIN de AS e; CREATE TABLE u (d de); CREATE TYPE ce AS (e e, x int);
CREATE TABLE w (c ce); CREATE MATERIALIZED VIEW m AS SELECT e FROM t;
CREATE INDEX mi ON m (e)"""

TYPES = [
    Case(
        "new values in their places",
        "CREATE TYPE e AS ENUM ('a', 'c'); CREATE TABLE t (e e DEFAULT 'a')",
        "CREATE TYPE e AS ENUM ('z', 'a', 'b', 'c', 'd'); CREATE TABLE t (e e DEFAULT 'b')",
        says=(
            "ADD VALUE 'z' BEFORE 'a'",
            "ADD VALUE 'b' BEFORE 'c'",
            "ADD VALUE 'd'",
            "SET DEFAULT 'b'",
        ),
    ),
    Case(
        "values that go, in all that uses them",
        "CREATE TYPE e AS ENUM ('a', 'b', 'c');" + _AROUND_ENUM,
        "CREATE TYPE e AS ENUM ('c', 'a');" + _AROUND_ENUM,
        says=(
            "ALTER TYPE public.e RENAME TO e_old",
            "CREATE TYPE public.e AS ENUM ('c', 'a')",
            "ALTER COLUMN e TYPE public.e USING (e::text)::public.e",
            "DROP TYPE public.e_old",
        ),
        never=("INDEX j", "INDEX CONCURRENTLY j"),
    ),
    Case(
        "values that go, of a partition key",
        """CREATE TYPE e AS ENUM ('a', 'b', 'c'); CREATE TABLE t (e e) PARTITION BY LIST (e);
        CREATE TABLE t1 PARTITION OF t FOR VALUES IN ('a')""",
        """CREATE TYPE e AS ENUM ('c', 'a'); CREATE TABLE t (e e) PARTITION BY LIST (e);
        CREATE TABLE t1 PARTITION OF t FOR VALUES IN ('a')""",
        never=("DROP TABLE public.t1",),
    ),
    Case(
        "a domain for an enum of its name",
        "CREATE TYPE x AS ENUM ('a'); CREATE TABLE t (x x)",
        "CREATE DOMAIN x AS text; CREATE TABLE t (x x)",
        says=("RENAME TO x_old", "CREATE DOMAIN", "ALTER COLUMN x TYPE", "DROP TYPE public.x_old"),
    ),
    Case(
        "domains",
        "CREATE DOMAIN d AS int CHECK (VALUE > 0); CREATE TABLE t (d d)",
        """CREATE DOMAIN d AS int DEFAULT 7 NOT NULL CONSTRAINT big CHECK (VALUE > 10)
            CONSTRAINT small CHECK (VALUE < 100); CREATE TABLE t (d d);
        COMMENT ON DOMAIN d IS 'd'; COMMENT ON CONSTRAINT big ON DOMAIN d IS 'b';
        CREATE DOMAIN n AS text COLLATE "C" NOT NULL CHECK (VALUE <> '')""",
        says=("CHECK ((VALUE > 10)) NOT VALID", "VALIDATE CONSTRAINT big"),
    ),
    Case(
        "a domain on another type",
        "CREATE DOMAIN d AS int; CREATE TABLE t (d d DEFAULT 3)",
        "CREATE DOMAIN d AS bigint; CREATE TABLE t (d d DEFAULT 3)",
    ),
    Case(
        "composite types",
        "CREATE TYPE c AS (a int, b text); CREATE TYPE n AS (a int, b text); CREATE TABLE t (c c)",
        """CREATE TYPE c AS (a int, b text, d date); CREATE TYPE n AS (a bigint, x text);
        CREATE TABLE t (c c)""",
        says=("ALTER TYPE public.c ADD ATTRIBUTE d date",),
    ),
    Case(
        "a composite type with other attributes, in use",
        """CREATE TYPE c AS (a int, b text); CREATE TABLE t (c c);
        CREATE VIEW v AS SELECT (c).a FROM t""",
        """CREATE TYPE c AS (a bigint, b text); CREATE TABLE t (c c);
        CREATE VIEW v AS SELECT (c).a FROM t; COMMENT ON COLUMN c.a IS 'q'""",
    ),
    Case(
        "ranges",
        "CREATE TYPE r AS RANGE (subtype = float8); CREATE TABLE t (r r, rs r[])",
        """CREATE TYPE r AS RANGE (subtype = float8, subtype_diff = float8mi,
            multirange_type_name = rm); CREATE TABLE t (r r, rs r[], m rm);
        COMMENT ON TYPE r IS 'r'""",
        says=("TYPE text USING", "DROP TYPE", "CREATE TYPE"),
    ),
    Case(
        "values that go, where the interim name is another type's",
        """CREATE TYPE e AS ENUM ('a', 'b'); CREATE TABLE t (e e);
        CREATE DOMAIN e_old AS text; CREATE TABLE e_old1 (a e_old)""",
        """CREATE TYPE e AS ENUM ('a'); CREATE TABLE t (e e);
        CREATE DOMAIN e_old AS text; CREATE TYPE e_old2 AS (a int)""",
        says=("RENAME TO e_old3", "DROP TYPE public.e_old3"),
    ),
]
