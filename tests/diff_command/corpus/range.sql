-- variant none
CREATE TABLE t (id int);
-- variant plain
CREATE TYPE r AS RANGE (subtype = float8); CREATE TABLE t (id int, a r, b r_multirange);
-- variant difference
CREATE TYPE r AS RANGE (subtype = float8, subtype_diff = float8mi); CREATE TABLE t (id int, a r, b r_multirange);
-- variant named multirange
CREATE TYPE r AS RANGE (subtype = float8, multirange_type_name = many); CREATE TABLE t (id int, a r, b many);
-- variant of text
CREATE TYPE r AS RANGE (subtype = text, collation = "C"); CREATE TABLE t (id int, a text);
-- variant class
CREATE TYPE r AS RANGE (subtype = text, subtype_opclass = text_pattern_ops); CREATE TABLE t (id int, a text);
-- variant own difference
CREATE FUNCTION mydiff(time, time) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT 1.0::float8'; CREATE TYPE r AS RANGE (subtype = time, subtype_diff = mydiff); CREATE TABLE t (id int, a r);
-- variant in a key
CREATE TYPE r AS RANGE (subtype = float8); CREATE TABLE t (id int, a r, EXCLUDE USING gist (a WITH &&)); COMMENT ON TYPE r IS 'why';
