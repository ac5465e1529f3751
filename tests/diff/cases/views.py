"""Views, materialised or not."""

from __future__ import annotations

from tests.diff.cases import ROLES, Case

VIEWS = [
    Case(
        "one that only grows is replaced in place",
        "CREATE TABLE t (a int, b text); CREATE VIEW v AS SELECT a FROM t",
        "CREATE TABLE t (a int, b text); CREATE VIEW v AS SELECT a, b FROM t WHERE a > 1",
        says=("CREATE OR REPLACE VIEW public.v",),
        never=("DROP",),
    ),
    Case(
        "columns, options, defaults and grants",
        """CREATE TABLE t (a int, b text); CREATE VIEW v AS SELECT a FROM t;
        CREATE VIEW w WITH (security_barrier) AS SELECT a FROM v""",
        ROLES
        + """CREATE TABLE t (a int, b text); CREATE VIEW v AS SELECT b, a FROM t;
        CREATE VIEW w WITH (check_option = local) AS SELECT a FROM v WHERE a > 1;
        ALTER VIEW w ALTER a SET DEFAULT 5; COMMENT ON COLUMN w.a IS 'x';
        GRANT SELECT (a) ON w TO diff_reader;
        CREATE RECURSIVE VIEW n(x) AS VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 5""",
        says=("DROP VIEW public.w", "DROP VIEW public.v", "CREATE VIEW public.v"),
    ),
    Case(
        "a materialised view with its indexes",
        """CREATE TABLE t (a int, b text); CREATE MATERIALIZED VIEW m AS SELECT a FROM t;
        CREATE INDEX mi ON m (a); CREATE VIEW v AS SELECT * FROM m""",
        """CREATE TABLE t (a int, b text);
        CREATE MATERIALIZED VIEW m WITH (fillfactor = 70) AS SELECT a, b FROM t WITH NO DATA;
        CREATE UNIQUE INDEX mi ON m (a); COMMENT ON COLUMN m.a IS 'ma';
        CREATE VIEW v AS SELECT * FROM m; CREATE INDEX mj ON m (b)""",
        says=("DROP VIEW public.v", "DROP MATERIALIZED VIEW public.m", "CREATE UNIQUE INDEX mi"),
    ),
    Case(
        "a view becomes a materialised one",
        "CREATE TABLE t (a int); CREATE VIEW x AS SELECT a FROM t",
        "CREATE TABLE t (a int); CREATE MATERIALIZED VIEW x AS SELECT a FROM t",
    ),
]
