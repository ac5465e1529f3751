"""Indexes."""

from __future__ import annotations

from tests.diff.cases import Case

_MEMBERS = """CREATE EXTENSION citext; CREATE TABLE i_new (a int);
CREATE INDEX i_new1 ON i_new (a); CREATE TYPE i_new2 AS ENUM ('x');
ALTER EXTENSION citext ADD TABLE i_new; ALTER EXTENSION citext ADD TYPE i_new2;"""

INDEXES = [
    Case(
        "of all sorts, beside the application",
        "CREATE TABLE t (a text, b int, c jsonb); CREATE INDEX j ON t (b)",
        """CREATE TABLE t (a text, b int, c jsonb);
        CREATE INDEX i ON t (lower(a) text_pattern_ops DESC NULLS LAST) INCLUDE (b)
            WITH (fillfactor = 50) WHERE a IS NOT NULL;
        CREATE INDEX k ON t USING gin (c jsonb_path_ops);
        CREATE UNIQUE INDEX l ON t (a COLLATE "C", b); COMMENT ON INDEX i IS 'hi';
        CREATE INDEX m ON t ((b + 1), (b * 2)); ALTER INDEX m ALTER COLUMN 2 SET STATISTICS 400""",
        says=("DROP INDEX CONCURRENTLY public.j", "CREATE INDEX CONCURRENTLY i"),
        never=("CREATE INDEX i", "CREATE UNIQUE INDEX l"),
    ),
    Case(
        "a changed one is swapped",
        "CREATE TABLE t (a text, b int); CREATE INDEX i ON t (a); COMMENT ON INDEX i IS 'x'",
        "CREATE TABLE t (a text, b int); CREATE INDEX i ON t (a, b); COMMENT ON INDEX i IS 'x'",
        says=(
            "CREATE INDEX CONCURRENTLY i_new ON",
            "DROP INDEX CONCURRENTLY public.i",
            "ALTER INDEX public.i_new RENAME TO i",
            "COMMENT ON INDEX public.i IS 'x'",
        ),
    ),
    Case(
        "one in the way of another change goes with it",
        "CREATE TABLE t (a int, b int); CREATE INDEX i ON t ((a + 1)) WHERE a > 5",
        "CREATE TABLE t (a text, b int); CREATE INDEX i ON t ((a || 'x')) WHERE a > '5'",
    ),
    Case(
        "two are swapped, whose interim names are taken or too long",
        f"""CREATE TABLE t (a text, b int, i_new1 int CONSTRAINT i_new2 CHECK (b > 0));
        CREATE INDEX i ON t (a); CREATE TABLE i_new (); CREATE INDEX {"l" * 62}1 ON t (a);
        CREATE INDEX {"l" * 62}2 ON t (b)""",
        f"""CREATE TABLE t (a text, b int, i_new1 int CONSTRAINT i_new2 CHECK (b > 0));
        CREATE INDEX i ON t (a, b); CREATE SEQUENCE i_new1; CREATE INDEX {"l" * 62}1 ON t (a, b);
        CREATE INDEX {"l" * 62}2 ON t (b, a)""",
        says=("CREATE INDEX CONCURRENTLY i_new3 ON",),
    ),
    Case(
        "one is swapped, whose interim names an extension's members have",
        _MEMBERS + "CREATE TABLE t (a text, b int); CREATE INDEX i ON t (a)",
        _MEMBERS + "CREATE TABLE t (a text, b int); CREATE INDEX i ON t (b)",
        says=("CREATE INDEX CONCURRENTLY i_new3 ON",),
    ),
]
