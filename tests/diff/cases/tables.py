"""Tables as wholes."""

from __future__ import annotations

from tests.diff.cases import Case

TABLES = [
    Case(
        "a new table in one statement",
        "",
        """CREATE TABLE t (id bigserial PRIMARY KEY, name text NOT NULL DEFAULT 'x',
            g int GENERATED ALWAYS AS (1 + 1) STORED, CHECK (id > 0), UNIQUE (name));
        COMMENT ON TABLE t IS 'it''s'; CREATE INDEX i ON t (g)""",
        says=("CREATE SEQUENCE", "CREATE TABLE public.t (", "CREATE INDEX i ON", "OWNED BY"),
        never=("CONCURRENTLY", "NOT VALID", "ADD CONSTRAINT"),
    ),
    Case(
        "tables that refer to each other",
        "",
        """CREATE TABLE a (id int PRIMARY KEY, b int);
        CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a, c int);
        CREATE TABLE c (id int PRIMARY KEY, a int REFERENCES a);
        ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;
        ALTER TABLE b ADD FOREIGN KEY (c) REFERENCES c;
        ALTER TABLE a ADD self int REFERENCES a""",
    ),
    Case(
        "functions of a table's rows in the table",
        "",
        """CREATE TABLE t (a int);
        CREATE FUNCTION f(t) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1.a';
        ALTER TABLE t ADD CHECK (f(t.*) > 0);
        CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT max(a) FROM t';
        ALTER TABLE t ADD b int DEFAULT g();
        CREATE FUNCTION s() RETURNS SETOF t LANGUAGE sql AS 'SELECT * FROM t'""",
        says=("CREATE TABLE public.t", "ADD CONSTRAINT t_check"),
    ),
    Case(
        "two tables whose defaults need each other",
        "",
        """CREATE TABLE a (x int); CREATE TABLE b (y int);
        CREATE FUNCTION fa(a) RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE FUNCTION fb(b) RETURNS int LANGUAGE sql AS 'SELECT 1';
        ALTER TABLE a ALTER x SET DEFAULT fb(NULL); ALTER TABLE b ALTER y SET DEFAULT fa(NULL)""",
    ),
    Case(
        "storage parameters, and no log",
        "CREATE TABLE t (a text) WITH (fillfactor=70)",
        """CREATE UNLOGGED TABLE t (a text) WITH (fillfactor=80, autovacuum_enabled=false,
            toast.autovacuum_enabled=false); CREATE TABLE u (a text) WITH (fillfactor=60)""",
        says=("SET UNLOGGED", "SET ("),
    ),
    Case(
        "row security",
        "CREATE TABLE t (a text, o name); CREATE POLICY q ON t USING (true) WITH CHECK (a = 'b')",
        """CREATE TABLE t (a varchar(20), o name);
        ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
        CREATE POLICY p ON t FOR SELECT TO PUBLIC USING (o = current_user AND a = 'c');
        CREATE POLICY "P 2" ON t AS RESTRICTIVE FOR INSERT WITH CHECK (a <> 'x');
        CREATE POLICY q ON t USING (false); COMMENT ON POLICY p ON t IS 'pp'""",
        says=("DROP POLICY q", "ALTER COLUMN a TYPE", "CREATE POLICY", "ENABLE ROW LEVEL"),
    ),
    Case(
        "a policy is altered where it can be",
        "CREATE TABLE t (a int); CREATE POLICY p ON t USING (a > 1) WITH CHECK (a > 1)",
        """CREATE TABLE t (a int);
        CREATE POLICY p ON t TO CURRENT_USER USING (a > 2) WITH CHECK (a > 1)""",
        says=("ALTER POLICY p ON public.t TO",),
    ),
    Case(
        "replica identity and clustering by indexes",
        """CREATE TABLE t (a int NOT NULL, b int NOT NULL);
        CREATE UNIQUE INDEX u ON t (a); CREATE UNIQUE INDEX w ON t (b); CREATE TABLE k (a int)""",
        """CREATE TABLE t (a int NOT NULL, b int NOT NULL);
        CREATE UNIQUE INDEX u ON t (a); CREATE UNIQUE INDEX w ON t (b);
        ALTER TABLE t REPLICA IDENTITY USING INDEX u; ALTER TABLE t CLUSTER ON w;
        CREATE TABLE n (); ALTER TABLE n REPLICA IDENTITY FULL;
        CREATE TABLE k (a int, b int PRIMARY KEY);
        ALTER TABLE k REPLICA IDENTITY USING INDEX k_pkey; ALTER TABLE k CLUSTER ON k_pkey""",
        says=("REPLICA IDENTITY USING INDEX",),
    ),
    Case(
        "tables begin to inherit",
        "CREATE TABLE p (id int NOT NULL, CHECK (id > 0)); CREATE TABLE c (x int)",
        """CREATE TABLE p (id int NOT NULL, y text DEFAULT 'a', CHECK (id > 0));
        CREATE TABLE c (x int) INHERITS (p);
        CREATE TABLE d (id int DEFAULT 5, z int) INHERITS (p)""",
        says=("INHERITS (public.p)", "INHERIT public.p"),
    ),
    Case(
        "heirs follow their parent",
        "CREATE TABLE p (id int NOT NULL, CHECK (id > 0)); CREATE TABLE c (x int) INHERITS (p)",
        """CREATE TABLE p (id bigint NOT NULL, y int, CONSTRAINT k CHECK (id > 10));
        CREATE TABLE c (x int) INHERITS (p); CREATE INDEX ci ON c (id)""",
        never=("ALTER TABLE public.c ALTER", "ALTER TABLE public.c ADD"),
    ),
    Case(
        "typed tables",
        "CREATE TYPE c AS (a int, b text); CREATE TABLE u (a int, b text)",
        """CREATE TYPE c AS (a int, b text); CREATE TABLE t OF c (a PRIMARY KEY, b DEFAULT 'x');
        CREATE TABLE u OF c""",
        says=("CREATE TABLE public.t OF public.c",),
    ),
    Case(
        "rules",
        """CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;
        CREATE RULE r AS ON INSERT TO t DO ALSO NOTHING""",
        """CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;
        CREATE RULE r AS ON INSERT TO v DO INSTEAD INSERT INTO t VALUES (NEW.a);
        CREATE RULE r AS ON INSERT TO t DO ALSO NOTIFY x; ALTER TABLE t DISABLE RULE r""",
    ),
    Case(
        "triggers",
        """CREATE TABLE t (a int, b int);
        CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER x BEFORE UPDATE OF a ON t FOR EACH ROW EXECUTE FUNCTION g();
        CREATE TRIGGER y BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION g();
        ALTER TABLE t DISABLE TRIGGER y""",
        """CREATE TABLE t (a bigint, b int);
        CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER x BEFORE UPDATE OF a ON t FOR EACH ROW WHEN (NEW.a > 1) EXECUTE FUNCTION g();
        ALTER TABLE t DISABLE TRIGGER x;
        CREATE TRIGGER y AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION g();
        ALTER TABLE t DISABLE TRIGGER y;
        CREATE CONSTRAINT TRIGGER ct AFTER INSERT ON t DEFERRABLE FOR EACH ROW EXECUTE FUNCTION g();
        CREATE TRIGGER s AFTER INSERT ON t REFERENCING NEW TABLE AS n
            FOR EACH STATEMENT EXECUTE FUNCTION g();
        ALTER TABLE t ENABLE ALWAYS TRIGGER s; COMMENT ON TRIGGER s ON t IS 's'""",
        says=("DROP TRIGGER x", "ALTER COLUMN a TYPE", "CREATE OR REPLACE TRIGGER y"),
    ),
    Case(
        "statistics",
        """CREATE TABLE t (a int, b int); CREATE STATISTICS s (ndistinct) ON a, b FROM t;
        CREATE STATISTICS s2 ON (a + b), b FROM t""",
        """CREATE TABLE t (a bigint, b int); CREATE STATISTICS s (mcv) ON a, b FROM t;
        CREATE STATISTICS s2 ON (a + b), b FROM t; ALTER STATISTICS s2 SET STATISTICS 50;
        CREATE STATISTICS s3 ON b, a FROM t; COMMENT ON STATISTICS s3 IS 's'""",
    ),
]
