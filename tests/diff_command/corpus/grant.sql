-- alone
-- always
CREATE TABLE t (a int, b text); CREATE VIEW v AS SELECT a, b FROM t; CREATE SEQUENCE s; CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'; CREATE TYPE e AS ENUM ('a'); CREATE DOMAIN d AS int;
-- variant none

-- variant select
GRANT SELECT ON t, v TO reader;
-- variant columns
GRANT SELECT (a) ON t TO reader; GRANT SELECT (a), UPDATE (b) ON v TO reader;
-- variant both
GRANT SELECT ON t TO reader; GRANT UPDATE (a, b) ON t TO reader, auditor;
-- variant more
GRANT SELECT, INSERT, UPDATE ON t TO reader WITH GRANT OPTION; GRANT ALL ON v TO auditor;
-- variant less option
GRANT SELECT, INSERT ON t TO reader; GRANT ALL ON v TO auditor, public;
-- variant all
GRANT ALL ON t, v TO reader; GRANT USAGE ON s TO reader; GRANT EXECUTE ON FUNCTION f(int) TO reader; GRANT EXECUTE ON PROCEDURE p() TO reader; GRANT USAGE ON TYPE e, d TO reader;
-- variant revoked
REVOKE ALL ON FUNCTION f(int) FROM public; REVOKE ALL ON PROCEDURE p() FROM public; REVOKE ALL ON TYPE e FROM public; REVOKE ALL ON t FROM current_user;
-- variant revoked and granted
REVOKE ALL ON FUNCTION f(int) FROM public; GRANT EXECUTE ON FUNCTION f(int) TO auditor; GRANT ALL ON SEQUENCE s TO public; GRANT MAINTAIN, TRIGGER, REFERENCES, TRUNCATE ON t TO auditor;
-- variant owners
ALTER TABLE t OWNER TO reader; ALTER VIEW v OWNER TO reader; ALTER SEQUENCE s OWNER TO reader; ALTER FUNCTION f(int) OWNER TO reader; ALTER TYPE e OWNER TO reader; ALTER DOMAIN d OWNER TO reader;
-- variant owners and grants
ALTER TABLE t OWNER TO auditor; GRANT SELECT ON t TO reader; ALTER VIEW v OWNER TO auditor; GRANT SELECT ON v TO public;
-- variant on new objects
CREATE TABLE n (a int, b int); GRANT SELECT ON n TO reader; GRANT INSERT (b) ON n TO auditor; CREATE VIEW nv AS SELECT a FROM n; GRANT SELECT (a) ON nv TO reader;
-- variant on a replaced view
DROP VIEW v; CREATE VIEW v AS SELECT b, a FROM t; GRANT SELECT (a) ON v TO reader; GRANT INSERT ON v TO auditor;
-- variant table and column
GRANT SELECT ON t TO reader; GRANT SELECT (a) ON t TO reader;
-- variant the column alone
GRANT SELECT (a) ON t TO reader;
