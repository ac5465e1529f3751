-- variant plain
CREATE TABLE t (a int, b text);
-- variant unlogged
CREATE UNLOGGED TABLE t (a int, b text);
-- variant options
CREATE TABLE t (a int, b text) WITH (fillfactor = 70, autovacuum_enabled = off, toast.autovacuum_enabled = off, parallel_workers = 4, autovacuum_vacuum_scale_factor = 0.05);
-- variant other options
CREATE TABLE t (a int, b text) WITH (fillfactor = 80, toast_tuple_target = 256, user_catalog_table = true);
-- variant security
CREATE TABLE t (a int, b text); ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
-- variant replica identity
CREATE TABLE t (a int, b text); ALTER TABLE t REPLICA IDENTITY FULL;
-- variant no replica identity
CREATE TABLE t (a int, b text); ALTER TABLE t REPLICA IDENTITY NOTHING;
-- variant comments
CREATE TABLE t (a int, b text); COMMENT ON TABLE t IS 'it''s a table'; COMMENT ON COLUMN t.a IS E'two\nlines';
-- variant other comments
CREATE TABLE t (a int, b text); COMMENT ON TABLE t IS 'a \ backslash'; COMMENT ON COLUMN t.b IS 'b';
-- variant a view of that name
CREATE VIEW t AS SELECT 1 AS a, 'x'::text AS b;
-- variant a materialized view
CREATE MATERIALIZED VIEW t AS SELECT 1 AS a, 'x'::text AS b;
-- variant a sequence
CREATE SEQUENCE t;
-- variant a type
CREATE TYPE t AS (a int, b text);
-- variant an enum
CREATE TYPE t AS ENUM ('a', 'b');
-- variant an index
CREATE TABLE u (a int); CREATE INDEX t ON u (a);
-- variant a domain
CREATE DOMAIN t AS int;
-- variant partitioned
CREATE TABLE t (a int, b text) PARTITION BY LIST (a);
-- variant reserved
CREATE TABLE "select" ("from" int PRIMARY KEY, "where" text DEFAULT 'x', "group" int REFERENCES "select"); CREATE INDEX "order" ON "select" ("where");
-- variant another reserved
CREATE TABLE "select" ("from" bigint PRIMARY KEY, "where" varchar(9) DEFAULT 'y' NOT NULL, "group" bigint REFERENCES "select" ON DELETE CASCADE); CREATE INDEX "order" ON "select" ("group");
