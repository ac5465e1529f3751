-- always
CREATE FUNCTION acc(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2'; CREATE FUNCTION fin(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'; CREATE TABLE t (a int);
-- variant none

-- variant plain
CREATE AGGREGATE total(int) (SFUNC = acc, STYPE = int, INITCOND = '0');
-- variant final
CREATE AGGREGATE total(int) (SFUNC = acc, STYPE = int, FINALFUNC = fin, INITCOND = '1', PARALLEL = SAFE, COMBINEFUNC = acc);
-- variant ordered
CREATE FUNCTION ofin(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'; CREATE AGGREGATE total(ORDER BY int) (SFUNC = acc, STYPE = int, FINALFUNC = fin, INITCOND = '1');
-- variant ordered with grants
CREATE AGGREGATE total(ORDER BY int) (SFUNC = acc, STYPE = int, FINALFUNC = fin, INITCOND = '1'); REVOKE ALL ON FUNCTION total(int) FROM public; GRANT EXECUTE ON FUNCTION total(int) TO reader; COMMENT ON AGGREGATE total(ORDER BY int) IS 'why';
-- variant direct arguments
CREATE FUNCTION dfin(int, float8) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'; CREATE AGGREGATE total(float8 ORDER BY int) (SFUNC = acc, STYPE = int, FINALFUNC = dfin, INITCOND = '1'); GRANT EXECUTE ON FUNCTION total(float8, int) TO reader;
-- variant moving
CREATE FUNCTION inv(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 - $2'; CREATE AGGREGATE total(int) (SFUNC = acc, STYPE = int, INITCOND = '0', MSFUNC = acc, MINVFUNC = inv, MSTYPE = int, MINITCOND = '0', SSPACE = 100);
-- variant star
CREATE FUNCTION cnt(bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1'; CREATE AGGREGATE mycount(*) (SFUNC = cnt, STYPE = bigint, INITCOND = '0'); GRANT EXECUTE ON FUNCTION mycount() TO reader;
-- variant in a view
CREATE AGGREGATE total(int) (SFUNC = acc, STYPE = int, INITCOND = '0'); CREATE VIEW v AS SELECT total(a) FROM t;
-- variant other in a view
CREATE AGGREGATE total(int) (SFUNC = acc, STYPE = int, INITCOND = '5', FINALFUNC = fin); CREATE VIEW v AS SELECT total(a) AS x, total(a) FILTER (WHERE a > 0) AS y FROM t;
-- variant sorting
CREATE AGGREGATE least_of(int) (SFUNC = int4smaller, STYPE = int, SORTOP = <);
-- variant names
CREATE AGGREGATE total(x int) (SFUNC = acc, STYPE = int, INITCOND = '0'); CREATE AGGREGATE totals(VARIADIC int[]) (SFUNC = array_cat, STYPE = int[]);
