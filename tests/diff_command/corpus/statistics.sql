-- always
CREATE TABLE t (a int, b int, c text);
-- variant none

-- variant plain
CREATE STATISTICS s ON a, b FROM t;
-- variant kinds
CREATE STATISTICS s (ndistinct, mcv) ON a, b FROM t;
-- variant expressions
CREATE STATISTICS s ON (a + b), (lower(c)), b FROM t;
-- variant one expression
CREATE STATISTICS s ON (a BETWEEN 1 AND 2 AND b > 1) FROM t;
-- variant target
CREATE STATISTICS s ON a, b FROM t; ALTER STATISTICS s SET STATISTICS 500; COMMENT ON STATISTICS s IS 'why';
-- variant other target
CREATE STATISTICS s ON a, b FROM t; ALTER STATISTICS s SET STATISTICS 0;
-- variant other type
ALTER TABLE t ALTER a TYPE bigint; CREATE STATISTICS s ON a, b FROM t;
