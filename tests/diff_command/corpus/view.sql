-- always
CREATE TABLE t (a int, b text, c varchar(10), d date); CREATE TABLE u (a int PRIMARY KEY, x text);
-- variant none

-- variant plain
CREATE VIEW v AS SELECT a, b FROM t;
-- variant more columns
CREATE VIEW v AS SELECT a, b, c FROM t;
-- variant other columns
CREATE VIEW v AS SELECT b, a AS z FROM t;
-- variant star
CREATE VIEW v AS SELECT * FROM t;
-- variant names
CREATE VIEW v (one, "Two") AS SELECT a, b FROM t;
-- variant conditions
CREATE VIEW v AS SELECT a, b FROM t WHERE c IN ('a', 'b') AND a BETWEEN 1 AND 5 AND (b LIKE 'x%' OR d > '2020-01-01');
-- variant options
CREATE VIEW v WITH (security_barrier, security_invoker = true) AS SELECT a, b FROM t WHERE a > 0 WITH LOCAL CHECK OPTION;
-- variant other options
CREATE VIEW v WITH (security_barrier = false) AS SELECT a, b FROM t WHERE a > 0 WITH CASCADED CHECK OPTION;
-- variant joins
CREATE VIEW v AS SELECT t.a, u.x, t.b FROM t LEFT JOIN u USING (a) CROSS JOIN LATERAL (SELECT t.a + 1 AS y) l WHERE EXISTS (SELECT FROM u WHERE u.a = t.a);
-- variant groups
CREATE VIEW v AS SELECT b, count(*) AS n, sum(a) FILTER (WHERE a > 0) AS s, array_agg(c ORDER BY d DESC NULLS LAST) AS l FROM t GROUP BY GROUPING SETS ((b), ()) HAVING count(*) > 1 ORDER BY 2 LIMIT 10;
-- variant grouped by key
CREATE VIEW v AS SELECT u.a, u.x, count(t.a) FROM u LEFT JOIN t ON t.a = u.a GROUP BY u.a;
-- variant windows
CREATE VIEW v AS SELECT a, row_number() OVER w AS r, lag(a) OVER (PARTITION BY b ORDER BY d ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS l FROM t WINDOW w AS (PARTITION BY b ORDER BY a);
-- variant recursive
CREATE RECURSIVE VIEW v (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM v WHERE n < 10;
-- variant with
CREATE VIEW v AS WITH w AS MATERIALIZED (SELECT a FROM t), x AS (SELECT a FROM u) SELECT * FROM w UNION (SELECT * FROM x EXCEPT SELECT 1) ORDER BY 1;
-- variant values and functions
CREATE VIEW v AS SELECT * FROM (VALUES (1, 'a'), (2, 'b')) x (n, s), generate_series(1, 3) g, unnest(ARRAY[1, 2]) WITH ORDINALITY o (e, i), json_to_recordset('[]') AS j (q int, r text);
-- variant of views
CREATE VIEW w AS SELECT a, b FROM t; CREATE VIEW v AS SELECT w.a FROM w;
-- variant of wider views
CREATE VIEW w AS SELECT a::bigint AS a, b FROM t; CREATE VIEW v AS SELECT w.a FROM w;
-- variant default and trigger
CREATE VIEW v AS SELECT a, b FROM t; ALTER VIEW v ALTER a SET DEFAULT 5; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER g INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION f();
-- variant comments
CREATE VIEW v AS SELECT a, b FROM t; COMMENT ON VIEW v IS 'why'; COMMENT ON COLUMN v.a IS 'so';
-- variant function
CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT $1'; CREATE VIEW v AS SELECT f(a) AS a, b FROM t;
-- variant other function
CREATE FUNCTION f(int) RETURNS bigint LANGUAGE sql AS 'SELECT $1::bigint'; CREATE VIEW v AS SELECT f(a) AS a, b FROM t;
-- variant whole rows
CREATE VIEW v AS SELECT t AS q, t.a, (ROW(t.*))::t AS r, u.x FROM t, u;
-- variant locks
CREATE VIEW v AS SELECT a, b FROM t FOR UPDATE; CREATE VIEW w AS SELECT DISTINCT ON (b) b, a FROM t ORDER BY b, a DESC;
-- variant sample
CREATE VIEW v AS SELECT a, b FROM t TABLESAMPLE system (10) REPEATABLE (1); CREATE VIEW w AS SELECT CASE a WHEN 1 THEN 'x' ELSE b END AS q, COALESCE(c, 'z') AS r, NULLIF(a, 1), a IS DISTINCT FROM 1 AS s, (b COLLATE "C") < 'a' AS u, extract(year FROM d), d AT TIME ZONE 'UTC' AS z, ARRAY(SELECT a FROM u) AS y FROM t;
