-- variant none

-- variant plain
CREATE PROCEDURE p(a int) LANGUAGE sql AS 'SELECT 1';
-- variant other body
CREATE PROCEDURE p(a int) LANGUAGE plpgsql AS 'BEGIN COMMIT; END';
-- variant out
CREATE PROCEDURE p(a int, OUT b int) LANGUAGE plpgsql AS 'BEGIN b := 1; END';
-- variant inout
CREATE PROCEDURE p(a int, INOUT b int) LANGUAGE plpgsql AS 'BEGIN b := 1; END';
-- variant other out
CREATE PROCEDURE p(a int, OUT c bigint) LANGUAGE plpgsql AS 'BEGIN c := 1; END';
-- variant a function
CREATE FUNCTION p(a int) RETURNS int LANGUAGE sql AS 'SELECT 1';
-- variant atomic
CREATE TABLE t (a int, v varchar(5)); CREATE PROCEDURE p(a int) LANGUAGE sql BEGIN ATOMIC INSERT INTO t VALUES (a); DELETE FROM t WHERE v IN ('a', 'b') AND a BETWEEN 1 AND 2 AND v <> 'x'; UPDATE t SET v = 'x' WHERE a = 1 RETURNING v; END;
-- variant settings
CREATE PROCEDURE p(a int) LANGUAGE sql SECURITY DEFINER SET search_path TO public, "$user" AS 'SELECT 1'; COMMENT ON PROCEDURE p(int) IS 'why';
