-- variant plain
CREATE TABLE t (a int, b int, c text);
-- variant stored
CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) STORED, c text);
-- variant other expression
CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 3) STORED, c text GENERATED ALWAYS AS ('x') STORED);
-- variant virtual
CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 3) VIRTUAL, c text);
-- variant other virtual
CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 4), c text);
-- variant longer source
CREATE TABLE t (a bigint, b bigint GENERATED ALWAYS AS (a * 4) STORED, c text);
-- variant with a function
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2'; CREATE TABLE t (a int, b int GENERATED ALWAYS AS (twice(a)) STORED, c text);
-- variant with another function
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $1'; CREATE TABLE t (a int, b int GENERATED ALWAYS AS (twice(a) + 1) STORED, c text);
-- variant with a changed function
CREATE FUNCTION twice(bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2'; CREATE TABLE t (a int, b bigint GENERATED ALWAYS AS (twice(a)) STORED, c text);
-- variant with an index and a check
CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) STORED CHECK (b > -10), c text); CREATE INDEX i ON t (b);
-- variant search
CREATE TABLE t (a int, b int, c text, d tsvector GENERATED ALWAYS AS (to_tsvector('english', coalesce(c, ''))) STORED); CREATE INDEX i ON t USING gin (d);
-- variant search of more
CREATE TABLE t (a int, b int, c text, d tsvector GENERATED ALWAYS AS (setweight(to_tsvector('simple', coalesce(c, '')), 'A') || to_tsvector('simple', coalesce(a::text, ''))) STORED NOT NULL); CREATE INDEX i ON t USING gin (d);
-- variant of an enum
CREATE TYPE e AS ENUM ('a', 'b'); CREATE TABLE t (a e, b bool GENERATED ALWAYS AS (a = 'a') STORED, c text);
-- variant of a larger enum
CREATE TYPE e AS ENUM ('b', 'c', 'a'); CREATE TABLE t (a e, b bool GENERATED ALWAYS AS (a IN ('a', 'b')) STORED, c text);
