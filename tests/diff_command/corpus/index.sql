-- always
CREATE TABLE t (a int, b varchar(20), c text, d jsonb, e tsvector, r int4range, p point, x int[], h timestamptz);
-- variant none

-- variant plain
CREATE INDEX i ON t (a);
-- variant unique
CREATE UNIQUE INDEX i ON t (a);
-- variant nulls not distinct
CREATE UNIQUE INDEX i ON t (a) NULLS NOT DISTINCT;
-- variant order
CREATE INDEX i ON t (a DESC NULLS LAST, b ASC NULLS FIRST);
-- variant expression
CREATE INDEX i ON t (lower(b), (a + 1));
-- variant collation and class
CREATE INDEX i ON t (b COLLATE "C" varchar_pattern_ops, c text_pattern_ops);
-- variant partial
CREATE INDEX i ON t (a) WHERE b IN ('a', 'b') AND a BETWEEN 1 AND 5 AND c IS NOT NULL;
-- variant include
CREATE INDEX i ON t (a) INCLUDE (b, c);
-- variant options
CREATE INDEX i ON t (a) WITH (fillfactor = 70, deduplicate_items = off);
-- variant hash
CREATE INDEX i ON t USING hash (c);
-- variant gin
CREATE INDEX i ON t USING gin (d, e, x) WITH (fastupdate = off);
-- variant gin with a class
CREATE INDEX i ON t USING gin (d jsonb_path_ops);
-- variant gist
CREATE INDEX i ON t USING gist (r, p) WITH (buffering = on);
-- variant class with parameters
CREATE INDEX i ON t USING gist (e tsvector_ops (siglen = 100));
-- variant spgist
CREATE INDEX i ON t USING spgist (p kd_point_ops);
-- variant brin
CREATE INDEX i ON t USING brin (h) WITH (pages_per_range = 16, autosummarize = on);
-- variant brin classes
CREATE INDEX i ON t USING brin (a int4_minmax_multi_ops (values_per_range = 16), h timestamptz_bloom_ops);
-- variant statistics
CREATE INDEX i ON t (a, (a * 2)); ALTER INDEX i ALTER COLUMN 2 SET STATISTICS 200;
-- variant comment
CREATE INDEX i ON t (a); COMMENT ON INDEX i IS 'why';
-- variant clustered
CREATE INDEX i ON t (a); ALTER TABLE t CLUSTER ON i;
-- variant replica identity
ALTER TABLE t ALTER a SET NOT NULL; CREATE UNIQUE INDEX i ON t (a); ALTER TABLE t REPLICA IDENTITY USING INDEX i;
-- variant several
CREATE INDEX i ON t (a); CREATE INDEX j ON t (b); CREATE INDEX "K" ON t ((d ->> 'a'), ((d -> 'b')::text));
-- variant of a view
CREATE MATERIALIZED VIEW m AS SELECT a, b FROM t; CREATE UNIQUE INDEX i ON m (a);
-- variant of a function
CREATE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'; CREATE INDEX i ON t (f(a)) WHERE f(a) > 0;
-- variant of a column again
CREATE INDEX i ON t (a);
-- variant of another function
CREATE FUNCTION g(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'; CREATE INDEX i ON t (g(a));
