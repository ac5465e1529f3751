"""Partitioned tables."""

from __future__ import annotations

from tests.diff.cases import Case

_P = "CREATE TABLE p (id int, a int, b int NOT NULL) PARTITION BY RANGE (id);"
_C = "CREATE TABLE c PARTITION OF p FOR VALUES FROM (1) TO (10);"
_TREE_OF_D = """CREATE TABLE d PARTITION OF p FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (a);
CREATE TABLE d1 PARTITION OF d FOR VALUES FROM (1) TO (5);"""
_LOOSE = "CREATE TABLE {} (id int, a int, b int);"
_HALF_CHECKED = """ALTER TABLE {} ADD CONSTRAINT k CHECK (a > 0);
ALTER TABLE p ADD CONSTRAINT k CHECK (a > 0) NOT VALID"""
_CHECKED_BELOW = """ALTER TABLE p ADD CONSTRAINT k CHECK (a > 0) NOT VALID;
ALTER TABLE c VALIDATE CONSTRAINT k;"""
_TREE = """CREATE TABLE p (id int NOT NULL, d date, x text DEFAULT 'q', PRIMARY KEY (id, d))
    PARTITION BY RANGE (d);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE INDEX pi ON p (x);
CREATE TABLE pd PARTITION OF p DEFAULT PARTITION BY LIST (id);
CREATE TABLE pd1 PARTITION OF pd FOR VALUES IN (5); ALTER TABLE p ADD CHECK (id > 0);"""

PARTITIONS = [
    Case(
        "a whole tree, and keys from and to it",
        "",
        _TREE
        + """CREATE TABLE q (a int, b date, FOREIGN KEY (a, b) REFERENCES p);
        CREATE TABLE ff (id int PRIMARY KEY); ALTER TABLE p ADD FOREIGN KEY (id) REFERENCES ff""",
        says=("CREATE INDEX pi ON ONLY public.p", "ATTACH PARTITION"),
    ),
    Case(
        "a table in use becomes that tree",
        """CREATE TABLE p (id int, d date) PARTITION BY RANGE (d);
        CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')""",
        _TREE,
        says=(
            "CREATE UNIQUE INDEX CONCURRENTLY p1_pkey",
            "CREATE INDEX CONCURRENTLY p1_x_idx",
            "ALTER TABLE ONLY public.p ADD CONSTRAINT p_pkey PRIMARY KEY",
        ),
        never=("CREATE INDEX CONCURRENTLY pi",),
    ),
    Case(
        "a table is attached",
        """CREATE TABLE p (id int PRIMARY KEY, CHECK (id < 100)) PARTITION BY RANGE (id);
        CREATE TABLE c (id int)""",
        "CREATE TABLE p (id int PRIMARY KEY, CHECK (id < 100)) PARTITION BY RANGE (id);" + _C,
        says=("PRIMARY KEY USING INDEX c_pkey", "ATTACH PARTITION public.c FOR VALUES"),
    ),
    Case(
        "other bounds",
        _P + _C,
        _P + _C.replace("(10)", "(20)"),
        says=("DETACH PARTITION public.c", "ATTACH PARTITION public.c"),
    ),
    Case(
        "columns of both",
        _P + _C + "CREATE VIEW v AS SELECT a FROM c",
        """CREATE TABLE p (id int, a bigint NOT NULL, b int DEFAULT 5) PARTITION BY RANGE (id);"""
        + _C
        + "ALTER TABLE c ALTER b SET DEFAULT 7; CREATE VIEW v AS SELECT a FROM c",
        says=("DROP VIEW", "ALTER TABLE public.p ALTER COLUMN a TYPE bigint", "CREATE VIEW"),
        never=("ALTER TABLE public.c ALTER COLUMN a",),
    ),
    Case(
        "indexes of both",
        _P + _C + "CREATE INDEX i ON p (a)",
        _P + _C + "CREATE INDEX i ON p (a, id); CREATE UNIQUE INDEX u ON p (id)",
        says=("DROP INDEX public.i", "CREATE UNIQUE INDEX CONCURRENTLY c_id_idx", "ALTER INDEX"),
        never=("DROP INDEX public.c", "DETACH"),
    ),
    Case(
        "another way of partitioning",
        "CREATE TABLE p (id int, a int) PARTITION BY RANGE (id)",
        "CREATE TABLE p (id bigint, a int) PARTITION BY LIST (id)",
        says=("DROP TABLE public.p", "CREATE TABLE public.p"),
    ),
    Case(
        "another type of the key leaves the rows alone",
        _P + _C,
        _P.replace("id int", "id bigint") + _C,
        says=("DETACH PARTITION", "DROP TABLE public.p", "ATTACH PARTITION"),
        never=("DROP TABLE public.c",),
    ),
    Case(
        "triggers of both",
        """CREATE TABLE t (a int, b int) PARTITION BY LIST (a);
        CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1);
        CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'""",
        """CREATE TABLE t (a int, b int) PARTITION BY LIST (a);
        CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1);
        CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2);
        CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION g()""",
    ),
    Case(
        "a foreign key of the parent",
        "CREATE TABLE k (id int PRIMARY KEY);" + _P + _C,
        "CREATE TABLE k (id int PRIMARY KEY);" + _P.replace("a int", "a int REFERENCES k") + _C,
    ),
    Case(
        "an identity of the parent",
        "",
        """CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY, b int) PARTITION BY LIST (b);
        CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1)""",
        since=17,
    ),
    Case(
        "a check of the parent alone goes, and stays with some",
        _P + _C + _TREE_OF_D + "ALTER TABLE p ADD CONSTRAINT k CHECK (a > 0)",
        _P
        + _C
        + _TREE_OF_D
        + """ALTER TABLE c ADD CONSTRAINT k CHECK (a > 0);
        ALTER TABLE d1 ADD CONSTRAINT k CHECK (a > 0)""",
        says=(
            "ALTER TABLE public.p DROP CONSTRAINT k",
            "ALTER TABLE public.c ADD CONSTRAINT k",
            "ALTER TABLE public.d1 ADD CONSTRAINT k",
        ),
    ),
    Case(
        "a check that some partitions have validated, and the parent not yet",
        _P + _C + _TREE_OF_D + "ALTER TABLE p ADD CONSTRAINT k CHECK (a > 0)",
        _P + _C + _TREE_OF_D + _HALF_CHECKED.format("d"),
        says=(
            "ALTER TABLE public.p DROP CONSTRAINT k",
            "ALTER TABLE public.d VALIDATE CONSTRAINT k",
            "ALTER TABLE public.p ADD CONSTRAINT k CHECK ((a > 0)) NOT VALID",
        ),
    ),
    Case(
        "another type below a check that some partitions have validated, and the parent not yet",
        _P + _C + _CHECKED_BELOW,
        _P.replace("a int", "a bigint") + _C + _CHECKED_BELOW,
        says=(
            "ALTER TABLE public.p DROP CONSTRAINT k",
            "ALTER TABLE public.p ALTER COLUMN a TYPE bigint",
            "ALTER TABLE public.c ADD CONSTRAINT k CHECK ((a > 0)) NOT VALID",
            "ALTER TABLE public.p ADD CONSTRAINT k CHECK ((a > 0)) NOT VALID",
        ),
    ),
    Case(
        "a check that others have validated",
        _P + _C + _TREE_OF_D + _HALF_CHECKED.format("d"),
        _P + _C + _TREE_OF_D + _HALF_CHECKED.format("d1"),
    ),
    Case(
        "a check of a parent that is not partitioned goes, and stays with a child",
        """CREATE TABLE p (a int CONSTRAINT k CHECK (a > 0)); CREATE TABLE c () INHERITS (p);
        CREATE TABLE d () INHERITS (c)""",
        """CREATE TABLE p (a int); CREATE TABLE c (CONSTRAINT k CHECK (a > 0)) INHERITS (p);
        CREATE TABLE d () INHERITS (c)""",
        says=("ALTER TABLE public.p DROP CONSTRAINT k", "ALTER TABLE public.c ADD CONSTRAINT k"),
    ),
    Case(
        "a table of other ways is attached to parents old and new",
        "CREATE TABLE p (id int, a int CHECK (a > 0), b int NOT NULL) PARTITION BY RANGE (id);"
        + _LOOSE.format("c")
        + _LOOSE.format("n1"),
        "CREATE TABLE p (id int, a int CHECK (a > 0), b int NOT NULL) PARTITION BY RANGE (id);"
        + _C
        + """CREATE TABLE n (id int, a int CHECK (a > 0), b int NOT NULL) PARTITION BY RANGE (id);
        CREATE TABLE n1 PARTITION OF n DEFAULT""",
        says=("VALIDATE CONSTRAINT p_a_check", "ATTACH PARTITION public.c FOR VALUES"),
    ),
    Case(
        "a table is attached, and both become NOT NULL",
        _P + _C + _LOOSE.format("d"),
        _P.replace("a int", "a int NOT NULL")
        + _C
        + "CREATE TABLE d PARTITION OF p FOR VALUES FROM (10) TO (20)",
        says=("DROP CONSTRAINT p_a_not_null_check", "ATTACH PARTITION public.d FOR VALUES"),
    ),
]
