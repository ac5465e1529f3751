"""Constraints."""

from __future__ import annotations

from tests.diff.cases import Case

_KEYS = "CREATE TABLE a (id {0} PRIMARY KEY); CREATE TABLE b (i {0} REFERENCES a)"

CONSTRAINTS = [
    Case(
        "checks and foreign keys are validated later",
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int)",
        """CREATE TABLE a (id int PRIMARY KEY);
        CREATE TABLE b (a_id int REFERENCES a, CONSTRAINT c CHECK (a_id > 3));
        COMMENT ON CONSTRAINT c ON b IS 'why'""",
        says=("REFERENCES public.a(id) NOT VALID", "CHECK ((a_id > 3)) NOT VALID", "VALIDATE"),
    ),
    Case(
        "keys take an index that is there",
        "CREATE TABLE t (a int NOT NULL, b int)",
        """CREATE TABLE t (a int PRIMARY KEY, b int UNIQUE);
        CREATE TABLE r (b int REFERENCES t (b))""",
        says=(
            "CREATE UNIQUE INDEX CONCURRENTLY t_b_key",
            "CREATE UNIQUE INDEX CONCURRENTLY t_pkey",
            "UNIQUE USING INDEX t_b_key",
            "REFERENCES public.t(b)",
        ),
    ),
    Case(
        "a primary key waits for its columns",
        "CREATE TABLE t (a int)",
        "CREATE TABLE t (a int PRIMARY KEY)",
        says=("VALIDATE CONSTRAINT", "SET NOT NULL", "PRIMARY KEY USING INDEX"),
    ),
    Case(
        "all sorts of them, changed",
        """CREATE TABLE t (a int, b int, r int4range, CONSTRAINT c CHECK (a > 0), UNIQUE (a));
        CREATE TABLE o (t_a int REFERENCES t(a))""",
        """CREATE TABLE t (a int, b int, r int4range,
            UNIQUE (b) DEFERRABLE INITIALLY DEFERRED, UNIQUE NULLS NOT DISTINCT (a) INCLUDE (b),
            UNIQUE (r) WITH (fillfactor = 70) DEFERRABLE,
            EXCLUDE USING gist (r WITH &&) WHERE (a > 5));
        ALTER TABLE t ADD CONSTRAINT c CHECK (a > 10) NOT VALID; CREATE TABLE o (t_a int)""",
        since=15,
    ),
    Case(
        "only validated",
        "CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID",
        "CREATE TABLE t (a int, CONSTRAINT c CHECK (a > 0))",
        says=("VALIDATE CONSTRAINT c",),
        never=("DROP", "ADD"),
    ),
    Case(
        "ways of foreign keys",
        """CREATE TABLE a (id int PRIMARY KEY, x int UNIQUE);
        CREATE TABLE b (i int REFERENCES a ON DELETE CASCADE,
            j int CONSTRAINT jj REFERENCES a(x))""",
        """CREATE TABLE a (id int PRIMARY KEY, x int UNIQUE);
        CREATE TABLE b (i int REFERENCES a ON DELETE SET NULL DEFERRABLE, j int);
        ALTER TABLE b ADD CONSTRAINT jj FOREIGN KEY (j) REFERENCES a(x) MATCH FULL NOT VALID""",
    ),
    Case("wider keys", _KEYS.format("int"), _KEYS.format("bigint"), never=("CONSTRAINT",)),
    Case(
        "other keys",
        _KEYS.format("int"),
        _KEYS.format("uuid"),
        says=("DROP CONSTRAINT b_i_fkey", "TYPE uuid", "ADD CONSTRAINT b_i_fkey"),
    ),
    Case(
        "another primary key",
        "CREATE TABLE a (id int PRIMARY KEY, x int); CREATE TABLE b (i int REFERENCES a)",
        """CREATE TABLE a (id int UNIQUE, x int PRIMARY KEY);
        CREATE TABLE b (i int REFERENCES a(id))""",
    ),
    Case(
        "not enforced",
        """CREATE TABLE k (id int PRIMARY KEY);
        CREATE TABLE t (a int CONSTRAINT c CHECK (a > 0), b int CONSTRAINT f REFERENCES k)""",
        """CREATE TABLE k (id int PRIMARY KEY);
        CREATE TABLE t (a int CONSTRAINT c CHECK (a > 0) NOT ENFORCED,
            b int CONSTRAINT f REFERENCES k NOT ENFORCED)""",
        says=("NOT ENFORCED",),
        since=18,
    ),
    Case(
        "without overlaps",
        "CREATE EXTENSION btree_gist; CREATE TABLE t (id int, v daterange)",
        """CREATE EXTENSION btree_gist;
        CREATE TABLE t (id int, v daterange, PRIMARY KEY (id, v WITHOUT OVERLAPS));
        CREATE TABLE u (id int, v daterange, FOREIGN KEY (id, PERIOD v) REFERENCES t)""",
        says=("WITHOUT OVERLAPS",),
        since=18,
    ),
]
