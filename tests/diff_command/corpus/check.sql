-- variant none
CREATE TABLE t (a int, b varchar(10), c text);
-- variant named
CREATE TABLE t (a int CONSTRAINT positive CHECK (a > 0), b varchar(10), c text);
-- variant other condition
CREATE TABLE t (a int CONSTRAINT positive CHECK (a >= 0), b varchar(10), c text);
-- variant list
CREATE TABLE t (a int, b varchar(10) CHECK (b IN ('a', '1', 'text')), c text);
-- variant longer list
CREATE TABLE t (a int, b varchar(10) CHECK (b IN ('a', '1', 'text', 'd')), c text);
-- variant text
CREATE TABLE t (a int, b text CHECK (b IN ('a', '1', 'text', 'd')), c text);
-- variant between
CREATE TABLE t (a int, b varchar(10), c text, CHECK (a BETWEEN 0 AND 10 AND b <> 'x'));
-- variant not valid
CREATE TABLE t (a int, b varchar(10), c text); ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID;
-- variant valid
CREATE TABLE t (a int, b varchar(10), c text, CONSTRAINT k CHECK (a > 0));
-- variant no inherit
CREATE TABLE t (a int, b varchar(10), c text, CONSTRAINT k CHECK (a > 0) NO INHERIT);
-- variant not enforced
CREATE TABLE t (a int, b varchar(10), c text, CONSTRAINT k CHECK (a > 0) NOT ENFORCED);
-- variant enforced
CREATE TABLE t (a int, b varchar(10), c text, CONSTRAINT k CHECK (a > 0), CONSTRAINT l CHECK (c <> b));
-- variant function
CREATE FUNCTION ok(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN true; END'; CREATE TABLE t (a int CHECK (ok(a)), b varchar(10), c text);
-- variant commented
CREATE TABLE t (a int CONSTRAINT positive CHECK (a > 0), b varchar(10), c text); COMMENT ON CONSTRAINT positive ON t IS 'why';
-- variant whole row
CREATE TABLE t (a int, b varchar(10), c text, CHECK (num_nonnulls(a, b, c) >= 0), CHECK (t IS NOT NULL OR a IS NULL OR true));
-- variant case
CREATE TABLE t (a int, b varchar(10), c text, CHECK (CASE WHEN b IN ('a', 'b') THEN a > 0 ELSE c IS NULL OR c = ANY (ARRAY['1', 'text']) END));
