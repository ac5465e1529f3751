"""Owners, privileges, and privileges by default."""

from __future__ import annotations

from tests.diff.cases import ROLES, Case

RIGHTS = [
    Case(
        "grants",
        ROLES
        + """CREATE TABLE t (a int, b int); GRANT SELECT ON t TO diff_reader;
        CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE SEQUENCE s;
        CREATE TYPE e AS ENUM ('a')""",
        ROLES
        + """CREATE TABLE t (a int, b int);
        GRANT SELECT, UPDATE ON t TO "Diff Owner" WITH GRANT OPTION;
        GRANT UPDATE (a), SELECT (b) ON t TO diff_reader;
        CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
        REVOKE ALL ON FUNCTION f() FROM PUBLIC; GRANT EXECUTE ON FUNCTION f() TO diff_reader;
        CREATE SEQUENCE s; GRANT USAGE ON SEQUENCE s TO diff_reader; CREATE TYPE e AS ENUM ('a');
        REVOKE USAGE ON TYPE e FROM PUBLIC; GRANT USAGE ON SCHEMA public TO diff_reader;
        CREATE SCHEMA z; GRANT CREATE ON SCHEMA z TO PUBLIC;
        CREATE PROCEDURE pr() LANGUAGE sql AS 'SELECT 1';
        GRANT EXECUTE ON PROCEDURE pr() TO diff_reader;
        CREATE TABLE i (id int GENERATED ALWAYS AS IDENTITY);
        GRANT USAGE ON SEQUENCE i_id_seq TO diff_reader""",
        says=('TO "Diff Owner" WITH GRANT OPTION',),
    ),
    Case(
        "owners",
        ROLES + "CREATE TABLE t (a serial); CREATE TABLE u (a int)",
        ROLES
        + """CREATE TABLE t (a serial); ALTER TABLE t OWNER TO diff_reader;
        CREATE TABLE u (a int GENERATED ALWAYS AS IDENTITY, b serial);
        ALTER TABLE u OWNER TO "Diff Owner"; CREATE VIEW v AS SELECT 1 a;
        ALTER VIEW v OWNER TO diff_reader; CREATE TYPE e AS ENUM ('a');
        ALTER TYPE e OWNER TO diff_reader; CREATE SCHEMA z AUTHORIZATION diff_reader;
        GRANT SELECT ON v TO "Diff Owner"; CREATE TYPE c AS (a int);
        ALTER TYPE c OWNER TO diff_reader;
        CREATE AGGREGATE cnt(*) (SFUNC = int8inc, STYPE = bigint, INITCOND = '0');
        ALTER AGGREGATE cnt(*) OWNER TO diff_reader""",
        says=("OWNER TO diff_reader",),
    ),
    Case(
        "what is granted by default",
        ROLES + "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO diff_reader",
        ROLES
        + """CREATE SCHEMA z; CREATE TABLE t (a int);
        ALTER DEFAULT PRIVILEGES IN SCHEMA z GRANT SELECT ON TABLES TO diff_reader;
        ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
        CREATE TABLE z.t (b int); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'""",
        says=("ALTER DEFAULT PRIVILEGES FOR ROLE",),
    ),
    Case(
        "they outlive a replaced view",
        ROLES
        + """CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;
        GRANT SELECT ON v TO diff_reader; ALTER VIEW v OWNER TO "Diff Owner";
        COMMENT ON VIEW v IS 'v'""",
        ROLES
        + """CREATE TABLE t (a bigint); CREATE VIEW v AS SELECT a FROM t;
        GRANT SELECT ON v TO diff_reader; ALTER VIEW v OWNER TO "Diff Owner";
        COMMENT ON VIEW v IS 'v'""",
        says=("CREATE VIEW", "OWNER TO", "GRANT SELECT", "COMMENT ON"),
    ),
]
