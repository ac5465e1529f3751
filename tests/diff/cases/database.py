"""Schemas, extensions, sequences, names that need quotes, and what takes another's name."""

from __future__ import annotations

from tests.diff.cases import Case

_LONG = "ä" * 31 + "x"
"""63 bytes, so that every made-up name has to be cut, and not in the middle of a character."""

DATABASE = [
    Case(
        "names that need quotes",
        "",
        """CREATE SCHEMA "My App";
        CREATE TABLE "My App"."Select" ("from" int PRIMARY KEY, "Ünï" text DEFAULT 'ä''\\n',
            "a.b" int CHECK ("a.b" > 0), "q""q" int UNIQUE);
        COMMENT ON COLUMN "My App"."Select"."Ünï" IS 'x\\y''s';
        CREATE INDEX "Idx 1" ON "My App"."Select" ("Ünï");
        CREATE TYPE "My App"."Mood" AS ENUM ('it''s', 'b\\c');
        CREATE FUNCTION "My App"."F"("A" "My App"."Mood") RETURNS int LANGUAGE sql AS 'SELECT 1'""",
        says=('CREATE SCHEMA "My App"', 'CREATE TABLE "My App"."Select" ('),
    ),
    Case(
        "names of 63 bytes",
        f'CREATE TABLE "{_LONG}" ("{_LONG}" int, b int)',
        f"""CREATE TABLE "{_LONG}" ("{_LONG}" int NOT NULL, b serial UNIQUE);
        CREATE INDEX ON "{_LONG}" ("{_LONG}")""",
        says=("VALIDATE CONSTRAINT", "SET NOT NULL"),
    ),
    Case(
        "an extension whose types are used",
        "",
        """CREATE EXTENSION hstore; CREATE TABLE t (h hstore);
        CREATE INDEX i ON t USING gin (h)""",
        says=("CREATE EXTENSION hstore WITH SCHEMA public", "CREATE TABLE public.t"),
    ),
    Case(
        "an extension in another schema",
        "CREATE SCHEMA e; CREATE EXTENSION citext SCHEMA e; CREATE TABLE t (h e.citext)",
        "CREATE EXTENSION citext; CREATE TABLE t (h citext)",
        says=("ALTER EXTENSION citext SET SCHEMA public",),
    ),
    Case(
        "how sequences count",
        "CREATE SEQUENCE s; CREATE SEQUENCE z AS smallint; CREATE SEQUENCE same",
        """CREATE SEQUENCE s AS int START 5 INCREMENT -2 MAXVALUE 100 MINVALUE -100 CACHE 7 CYCLE;
        CREATE SEQUENCE z AS bigint; CREATE SEQUENCE same;
        CREATE SEQUENCE n START -7 INCREMENT -1 MINVALUE -50 NO CYCLE""",
        never=("SEQUENCE public.same",),
    ),
    Case(
        "a sequence goes to another column",
        "CREATE TABLE t (a int); CREATE SEQUENCE o OWNED BY t.a",
        "CREATE TABLE t (b int); CREATE SEQUENCE o OWNED BY t.b",
        says=("OWNED BY NONE", "DROP COLUMN a", "OWNED BY public.t.b"),
    ),
    Case(
        "a sequence outlives its column",
        "CREATE TABLE t (a serial, x int)",
        "CREATE SEQUENCE t_a_seq AS int; CREATE TABLE t (x int)",
        says=("OWNED BY NONE", "DROP COLUMN a"),
        never=("DROP SEQUENCE",),
    ),
    Case(
        "a table for a view of its name",
        "CREATE TABLE t (a int); CREATE VIEW x AS SELECT a FROM t",
        "CREATE TABLE t (a int); CREATE TABLE x (a int)",
        says=("DROP VIEW public.x", "CREATE TABLE public.x"),
    ),
    Case(
        "a table for an index of its name",
        "CREATE TABLE t (a int); CREATE INDEX x ON t (a)",
        "CREATE TABLE t (a int); CREATE TABLE x (a int)",
        says=("DROP INDEX CONCURRENTLY public.x", "CREATE TABLE public.x"),
    ),
    Case(
        "a table for a type of its name",
        "CREATE TYPE x AS (a int)",
        "CREATE TABLE x (a int)",
    ),
    Case(
        "a constraint for an index of its name",
        "CREATE TABLE t (a int); CREATE UNIQUE INDEX x ON t (a)",
        "CREATE TABLE t (a int, CONSTRAINT x UNIQUE (a))",
        says=("DROP INDEX CONCURRENTLY", "CREATE UNIQUE INDEX CONCURRENTLY", "USING INDEX x"),
    ),
    Case(
        "an index on another table under the same name",
        "CREATE TABLE t (a int); CREATE INDEX x ON t (a); CREATE TABLE u (a int)",
        "CREATE TABLE t (a int); CREATE TABLE u (a int); CREATE INDEX x ON u (a)",
    ),
]
