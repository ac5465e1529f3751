-- alone
-- always
CREATE TABLE t (a int, b text); CREATE FUNCTION te() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE FUNCTION plus1(text) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE FUNCTION op(int, text) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';
-- variant none

-- variant collation
CREATE COLLATION nd (provider = builtin, locale = 'C.UTF-8');
-- variant other collation
CREATE COLLATION nd (provider = libc, locale = 'C');
-- variant used collation
CREATE COLLATION nd (provider = libc, locale = 'C'); CREATE TABLE u (x text COLLATE nd); CREATE INDEX i ON t (b COLLATE nd); COMMENT ON COLLATION nd IS 'why';
-- variant libc
CREATE COLLATION posix_ (lc_collate = 'C', lc_ctype = 'POSIX');
-- variant publication
CREATE PUBLICATION p FOR TABLE t;
-- variant publication of columns and rows
CREATE PUBLICATION p FOR TABLE t (a) WHERE (a > 0 AND a BETWEEN 1 AND 5) WITH (publish = 'insert'); CREATE TABLE u (x int); CREATE PUBLICATION q FOR TABLES IN SCHEMA public WITH (publish_via_partition_root);
-- variant publication of all
CREATE PUBLICATION p FOR ALL TABLES; CREATE PUBLICATION q; COMMENT ON PUBLICATION p IS 'why';
-- variant event trigger
CREATE EVENT TRIGGER e ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE') EXECUTE FUNCTION te();
-- variant disabled event trigger
CREATE EVENT TRIGGER e ON sql_drop EXECUTE FUNCTION te(); ALTER EVENT TRIGGER e DISABLE;
-- variant always event trigger
CREATE EVENT TRIGGER e ON table_rewrite EXECUTE FUNCTION te(); ALTER EVENT TRIGGER e ENABLE ALWAYS; COMMENT ON EVENT TRIGGER e IS 'why';
-- variant wrapper
CREATE FOREIGN DATA WRAPPER w OPTIONS (debug 'true'); CREATE SERVER s TYPE 'x' VERSION '1' FOREIGN DATA WRAPPER w OPTIONS (host 'h', "P q" 'it''s');
-- variant foreign table
CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE f (a int OPTIONS (c 'x') NOT NULL DEFAULT 5, b text COLLATE "C", CHECK (a > 0)) SERVER s OPTIONS (t 'f'); COMMENT ON COLUMN f.a IS 'why'; GRANT SELECT ON f TO reader; CREATE VIEW v AS SELECT a FROM f;
-- variant other foreign table
CREATE FOREIGN DATA WRAPPER w; GRANT USAGE ON FOREIGN DATA WRAPPER w TO reader; CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (x 'y'); GRANT USAGE ON FOREIGN SERVER s TO auditor; CREATE FOREIGN TABLE f (a bigint, b text, z date) SERVER s; CREATE VIEW v AS SELECT a FROM f; COMMENT ON FOREIGN TABLE f IS 'why';
-- variant dictionary
CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = snowball, language = english, stopwords = english);
-- variant configuration
CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = simple, accept = false); CREATE TEXT SEARCH CONFIGURATION c (PARSER = default); ALTER TEXT SEARCH CONFIGURATION c ADD MAPPING FOR asciiword, word WITH d, english_stem; COMMENT ON TEXT SEARCH CONFIGURATION c IS 'why';
-- variant copied configuration
CREATE TEXT SEARCH CONFIGURATION c (COPY = english); CREATE INDEX i ON t USING gin (to_tsvector('c', b));
-- variant cast
CREATE TYPE ct AS (x int); CREATE FUNCTION toct(text) RETURNS ct LANGUAGE sql IMMUTABLE AS 'SELECT ROW(1)::ct'; CREATE CAST (text AS ct) WITH FUNCTION toct(text) AS ASSIGNMENT; COMMENT ON CAST (text AS ct) IS 'why';
-- variant other cast
CREATE TYPE ct AS ENUM ('x'); CREATE CAST (varchar AS ct) WITH INOUT AS IMPLICIT;
-- variant operator
CREATE OPERATOR === (FUNCTION = op, LEFTARG = int, RIGHTARG = text, RESTRICT = eqsel, JOIN = eqjoinsel); CREATE OPERATOR !! (FUNCTION = plus1, RIGHTARG = text); COMMENT ON OPERATOR === (int, text) IS 'why'; CREATE VIEW v AS SELECT a === b AS x FROM t;
-- variant other operator
CREATE OPERATOR === (FUNCTION = op, LEFTARG = int, RIGHTARG = text); CREATE VIEW v AS SELECT a === b AS x, b FROM t;
