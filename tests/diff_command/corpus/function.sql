-- variant none
CREATE TABLE t (a int, b text);
-- variant sql
CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 1'; CREATE TABLE t (a int DEFAULT f(1), b text);
-- variant other body
CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + 2'; CREATE TABLE t (a int DEFAULT f(1), b text);
-- variant other result
CREATE FUNCTION f(a int) RETURNS bigint LANGUAGE sql AS 'SELECT a::bigint'; CREATE TABLE t (a int DEFAULT f(1), b text);
-- variant other argument name
CREATE FUNCTION f(b int) RETURNS bigint LANGUAGE sql AS 'SELECT b::bigint'; CREATE TABLE t (a int DEFAULT f(1), b text);
-- variant default argument
CREATE FUNCTION f(a int DEFAULT 5) RETURNS bigint LANGUAGE sql AS 'SELECT a::bigint'; CREATE TABLE t (a int DEFAULT f(), b text);
-- variant fewer defaults
CREATE FUNCTION f(a int, b int DEFAULT 1) RETURNS bigint LANGUAGE sql AS 'SELECT a::bigint'; CREATE TABLE t (a int DEFAULT f(1), b text);
-- variant attributes
CREATE FUNCTION f(a int) RETURNS bigint LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER PARALLEL SAFE COST 50 LEAKPROOF SET search_path = pg_catalog SET work_mem = '8MB' AS 'BEGIN RETURN a; END'; CREATE TABLE t (a int, b text);
-- variant other attributes
CREATE FUNCTION f(a int) RETURNS bigint LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT SECURITY INVOKER PARALLEL RESTRICTED AS 'BEGIN RETURN a; END'; CREATE TABLE t (a int, b text);
-- variant out parameters
CREATE FUNCTION f(a int, OUT x int, OUT y text) LANGUAGE plpgsql AS 'BEGIN x := a; y := a; END'; CREATE TABLE t (a int, b text);
-- variant other out parameters
CREATE FUNCTION f(a int, OUT x int, OUT y text, OUT z date) LANGUAGE plpgsql AS 'BEGIN x := a; y := a; END'; CREATE TABLE t (a int, b text);
-- variant renamed out parameters
CREATE FUNCTION f(a int, OUT x int, OUT w text, OUT z date) LANGUAGE plpgsql AS 'BEGIN x := a; w := a; END'; CREATE TABLE t (a int, b text);
-- variant inout
CREATE FUNCTION f(INOUT a int) LANGUAGE plpgsql AS 'BEGIN a := a + 1; END'; CREATE TABLE t (a int, b text);
-- variant table
CREATE FUNCTION f(a int) RETURNS TABLE (x int, y text) LANGUAGE sql ROWS 10 AS $$SELECT a, 'x'$$; CREATE TABLE t (a int, b text);
-- variant other table
CREATE FUNCTION f(a int) RETURNS TABLE (x int, z text) LANGUAGE sql ROWS 100 AS $$SELECT a, 'x'$$; CREATE TABLE t (a int, b text);
-- variant rows of a table
CREATE TABLE t (a int, b text); CREATE FUNCTION f(int) RETURNS SETOF t LANGUAGE sql BEGIN ATOMIC SELECT * FROM t WHERE a = $1; END;
-- variant rows of another table
CREATE TABLE t (a int, b text, c varchar(5)); CREATE FUNCTION f(int) RETURNS SETOF t LANGUAGE sql BEGIN ATOMIC SELECT * FROM t WHERE a = $1 AND c IN ('a', 'b'); END;
-- variant variadic
CREATE TABLE t (a int, b text); CREATE FUNCTION f(VARIADIC x int[]) RETURNS int LANGUAGE sql RETURN x[1] + 1;
-- variant polymorphic
CREATE TABLE t (a int, b text); CREATE FUNCTION f(x anyelement, y anyarray) RETURNS anyarray LANGUAGE sql AS 'SELECT y || x';
-- variant overloaded
CREATE TABLE t (a int, b text); CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION f(text) RETURNS int LANGUAGE sql AS 'SELECT 2'; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT f(1) + f(''x''::text)';
-- variant calls
CREATE TABLE t (a int, b text); CREATE FUNCTION z() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'; CREATE FUNCTION a() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN z(); END'; ALTER TABLE t ADD x int DEFAULT a();
-- variant calls of calls
CREATE TABLE t (a int, b text); CREATE FUNCTION z(i int) RETURNS int LANGUAGE sql AS 'SELECT $1'; CREATE FUNCTION m() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN z(2); END';  CREATE FUNCTION a() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN m() + (SELECT count(*) FROM q); END'; ALTER TABLE t ADD x int DEFAULT a(); CREATE TABLE q (id int);
-- variant quoting
CREATE TABLE t (a int, b text); CREATE FUNCTION "My F"("A b" int) RETURNS text LANGUAGE sql AS $f$SELECT '$function$ it''s' || "A b"$f$; COMMENT ON FUNCTION "My F"(int) IS 'why';
-- variant trigger functions
CREATE TABLE t (a int, b text); CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO later VALUES (1); RETURN NEW; END'; CREATE TABLE later (a int);
-- variant window and support
CREATE TABLE t (a int, b text); CREATE FUNCTION w() RETURNS bigint LANGUAGE internal WINDOW AS 'window_row_number';
