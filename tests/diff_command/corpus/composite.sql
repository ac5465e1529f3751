-- variant none
CREATE TABLE t (id int);
-- variant plain
CREATE TYPE c AS (a int, b text);
-- variant more
CREATE TYPE c AS (a int, b text, d date);
-- variant other types
CREATE TYPE c AS (a bigint, b varchar(10) COLLATE "C");
-- variant fewer
CREATE TYPE c AS (b text);
-- variant used
CREATE TYPE c AS (a int, b text); CREATE TABLE t (id int, v c, w c[]);
-- variant used with more
CREATE TYPE c AS (a int, b text, d date); CREATE TABLE t (id int, v c, w c[]);
-- variant used with other types
CREATE TYPE c AS (a int, b text, d timestamp); CREATE TABLE t (id int, v c, w c[]);
-- variant nested
CREATE TYPE c AS (a int, b text); CREATE TYPE d AS (x c, y c[]); CREATE TABLE t (id int, v d);
-- variant in a function
CREATE TYPE c AS (a int, b text); CREATE FUNCTION f(c) RETURNS SETOF c LANGUAGE sql AS 'SELECT $1';
-- variant in a function with more
CREATE TYPE c AS (a int, b text, z int); CREATE FUNCTION f(c) RETURNS SETOF c LANGUAGE sql AS 'SELECT $1';
-- variant comments
CREATE TYPE c AS (a int, b text); COMMENT ON TYPE c IS 'why'; COMMENT ON COLUMN c.a IS 'so';
-- variant an enum inside
CREATE TYPE e AS ENUM ('x'); CREATE TYPE c AS (a e, b text);
-- variant another enum inside
CREATE TYPE e AS ENUM ('y', 'x'); CREATE TYPE c AS (a e, b text);
-- variant row type of a table
CREATE TABLE t (id int, x text); CREATE TABLE u (r t, s t[]);
-- variant row type of a larger table
CREATE TABLE t (id int, x text, z int); CREATE TABLE u (r t, s t[]);
