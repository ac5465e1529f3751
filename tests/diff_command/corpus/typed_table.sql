-- variant untyped
CREATE TYPE ct AS (a int, b text); CREATE TABLE t (a int, b text);
-- variant typed
CREATE TYPE ct AS (a int, b text); CREATE TABLE t OF ct;
-- variant with options
CREATE TYPE ct AS (a int, b text); CREATE TABLE t OF ct (a WITH OPTIONS PRIMARY KEY, b DEFAULT 'x' NOT NULL, CHECK (a > 0));
-- variant more attributes
CREATE TYPE ct AS (a int, b text, c date); CREATE TABLE t OF ct;
-- variant other attributes
CREATE TYPE ct AS (a bigint, b varchar(5), c date); CREATE TABLE t OF ct;
-- variant fewer attributes
CREATE TYPE ct AS (a bigint); CREATE TABLE t OF ct;
-- variant other type
CREATE TYPE ct AS (a bigint); CREATE TYPE cu AS (a bigint, z int); CREATE TABLE t OF cu;
-- variant gone
CREATE TABLE t (a bigint, z int);
