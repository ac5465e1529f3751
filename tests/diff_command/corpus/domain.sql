-- variant none
CREATE TABLE t (a int, b text);
-- variant plain
CREATE DOMAIN d AS int; CREATE DOMAIN s AS text; CREATE TABLE t (a d, b s);
-- variant checks
CREATE DOMAIN d AS int CHECK (VALUE > -5); CREATE DOMAIN s AS text CONSTRAINT short CHECK (length(VALUE) < 50) CHECK (VALUE <> ''); CREATE TABLE t (a d, b s);
-- variant other checks
CREATE DOMAIN d AS int CHECK (VALUE BETWEEN -5 AND 500); CREATE DOMAIN s AS text CONSTRAINT short CHECK (length(VALUE) < 60); CREATE TABLE t (a d, b s);
-- variant default
CREATE DOMAIN d AS int DEFAULT 5; CREATE DOMAIN s AS text DEFAULT 'x'::text || 'y'; CREATE TABLE t (a d, b s);
-- variant not null
CREATE DOMAIN d AS int NOT NULL; CREATE DOMAIN s AS text CONSTRAINT nn NOT NULL; CREATE TABLE t (a d DEFAULT 1, b s DEFAULT '1');
-- variant collation
CREATE DOMAIN d AS int; CREATE DOMAIN s AS text COLLATE "C"; CREATE TABLE t (a d, b s);
-- variant other base
CREATE DOMAIN d AS bigint; CREATE DOMAIN s AS varchar(50); CREATE TABLE t (a d, b s);
-- variant list
CREATE DOMAIN d AS bigint; CREATE DOMAIN s AS varchar(50) CHECK (VALUE IN ('1', 'a', 'text')); CREATE TABLE t (a d, b s);
-- variant of a domain
CREATE DOMAIN d AS bigint CHECK (VALUE > -100); CREATE DOMAIN s AS d CHECK (VALUE < 1000); CREATE TABLE t (a d, b text);
-- variant of an array
CREATE DOMAIN d AS int[] CHECK (array_length(VALUE, 1) < 5); CREATE DOMAIN s AS text; CREATE TABLE t (a int, b s);
-- variant not valid
CREATE DOMAIN d AS int; ALTER DOMAIN d ADD CONSTRAINT k CHECK (VALUE > -5) NOT VALID; CREATE DOMAIN s AS text; CREATE TABLE t (a d, b s);
-- variant valid
CREATE DOMAIN d AS int CONSTRAINT k CHECK (VALUE > -5); CREATE DOMAIN s AS text; CREATE TABLE t (a d, b s);
-- variant with a function
CREATE FUNCTION ok(text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END'; CREATE DOMAIN s AS text CHECK (ok(VALUE)) DEFAULT upper('a'); CREATE TABLE t (a int, b s);
-- variant comments
CREATE DOMAIN d AS int CONSTRAINT k CHECK (VALUE > -5); COMMENT ON DOMAIN d IS 'why'; COMMENT ON CONSTRAINT k ON DOMAIN d IS 'so'; CREATE TABLE t (a d, b text);
-- variant array column
CREATE DOMAIN d AS int CONSTRAINT k CHECK (VALUE > -50); CREATE TABLE t (a d[], b text);
-- variant other base again
CREATE DOMAIN d AS bigint; CREATE DOMAIN s AS varchar(50); CREATE TABLE t (a d, b s);
-- variant with a function again
CREATE FUNCTION ok(text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END'; CREATE DOMAIN s AS text CHECK (ok(VALUE)) DEFAULT upper('a'); CREATE TABLE t (a int, b s);
-- variant list again
CREATE DOMAIN d AS bigint; CREATE DOMAIN s AS varchar(50) CHECK (VALUE IN ('1', 'a', 'text')); CREATE TABLE t (a d, b s);
