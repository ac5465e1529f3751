-- variant none
CREATE TABLE t (a text, b text[]);
-- variant plain
CREATE TYPE e AS ENUM ('a', 'b'); CREATE TABLE t (a e, b e[]);
-- variant added
CREATE TYPE e AS ENUM ('a', 'b', 'c'); CREATE TABLE t (a e, b e[]);
-- variant added before
CREATE TYPE e AS ENUM ('0', 'a', 'b', 'bb', 'c'); CREATE TABLE t (a e, b e[]);
-- variant other order
CREATE TYPE e AS ENUM ('b', 'a', 'c'); CREATE TABLE t (a e, b e[]);
-- variant fewer
CREATE TYPE e AS ENUM ('a'); CREATE TABLE t (a e, b e[]);
-- variant with a default
CREATE TYPE e AS ENUM ('a', 'it''s'); CREATE TABLE t (a e DEFAULT 'a', b e[] DEFAULT '{a}', CHECK (a <> 'it''s'));
-- variant the new value as default
CREATE TYPE e AS ENUM ('a', 'it''s', 'z'); CREATE TABLE t (a e DEFAULT 'z', b e[] DEFAULT ARRAY['z']::e[], CHECK (a <> 'it''s'));
-- variant fewer with a default
CREATE TYPE e AS ENUM ('a'); CREATE TABLE t (a e DEFAULT 'a' NOT NULL, b e[] DEFAULT '{a}', CHECK (a = 'a'));
-- variant with an index and a view
CREATE TYPE e AS ENUM ('a', 'b'); CREATE TABLE t (a e DEFAULT 'a' NOT NULL, b e[] DEFAULT '{a}'); CREATE INDEX i ON t (a) WHERE a = 'b'; CREATE VIEW v AS SELECT a, count(*) FROM t WHERE a IN ('a', 'b') GROUP BY a;
-- variant fewer with an index and a view
CREATE TYPE e AS ENUM ('b', 'a', 'c'); CREATE TABLE t (a e DEFAULT 'a' NOT NULL, b e[] DEFAULT '{a}'); CREATE INDEX i ON t (a) WHERE a = 'b'; CREATE VIEW v AS SELECT a, count(*) FROM t WHERE a IN ('a', 'b') GROUP BY a;
-- variant with functions
CREATE TYPE e AS ENUM ('b', 'a'); CREATE FUNCTION f(e) RETURNS e LANGUAGE sql AS 'SELECT $1'; CREATE FUNCTION g(x e DEFAULT 'a') RETURNS e[] LANGUAGE sql BEGIN ATOMIC SELECT ARRAY[x, 'b'::e]; END; CREATE TABLE t (a e DEFAULT f('a'), b e[]);
-- variant other with functions
CREATE TYPE e AS ENUM ('c', 'a', 'b'); CREATE FUNCTION f(e) RETURNS e LANGUAGE sql AS 'SELECT $1'; CREATE FUNCTION g(x e DEFAULT 'a') RETURNS e[] LANGUAGE sql BEGIN ATOMIC SELECT ARRAY[x, 'b'::e]; END; CREATE TABLE t (a e DEFAULT f('a'), b e[]);
-- variant in other types
CREATE TYPE e AS ENUM ('c', 'a', 'b'); CREATE DOMAIN d AS e CHECK (VALUE <> 'c') DEFAULT 'a'; CREATE TYPE c AS (x e, y d); CREATE TABLE t (a d, b e[], z c);
-- variant other in other types
CREATE TYPE e AS ENUM ('c', 'a'); CREATE DOMAIN d AS e CHECK (VALUE <> 'c') DEFAULT 'a'; CREATE TYPE c AS (x e, y d); CREATE TABLE t (a d, b e[], z c);
-- variant commented
CREATE TYPE e AS ENUM ('c', 'a'); COMMENT ON TYPE e IS 'why'; CREATE TABLE t (a e, b e[]);
-- variant a key
CREATE TYPE e AS ENUM ('c', 'a'); CREATE TABLE t (a e PRIMARY KEY, b e[] UNIQUE); CREATE TABLE u (a e REFERENCES t);
-- variant other key
CREATE TYPE e AS ENUM ('a', 'c'); CREATE TABLE t (a e PRIMARY KEY, b e[] UNIQUE); CREATE TABLE u (a e REFERENCES t);
-- variant plain again
CREATE TYPE e AS ENUM ('a', 'b'); CREATE TABLE t (a e, b e[]);
-- variant in a domain
CREATE TYPE e AS ENUM ('c', 'a'); CREATE DOMAIN d AS e CHECK (VALUE <> 'c') DEFAULT 'a'; CREATE TYPE c AS (x e, y d); CREATE TABLE t (a d, b e[], z c);
-- variant in a view again
CREATE TYPE e AS ENUM ('a', 'b'); CREATE TABLE t (a e DEFAULT 'a' NOT NULL, b e[] DEFAULT '{a}'); CREATE INDEX i ON t (a) WHERE a = 'b'; CREATE VIEW v AS SELECT a, count(*) FROM t WHERE a IN ('a', 'b') GROUP BY a;
-- variant longer than before
CREATE TYPE e AS ENUM ('c', 'a', 'b'); CREATE FUNCTION f(e) RETURNS e LANGUAGE sql AS 'SELECT $1'; CREATE FUNCTION g(x e DEFAULT 'a') RETURNS e[] LANGUAGE sql BEGIN ATOMIC SELECT ARRAY[x, 'b'::e]; END; CREATE TABLE t (a e DEFAULT f('a'), b e[]);
-- variant shorter in other types
CREATE TYPE e AS ENUM ('c', 'a'); CREATE DOMAIN d AS e CHECK (VALUE <> 'c') DEFAULT 'a'; CREATE TYPE c AS (x e, y d); CREATE TABLE t (a d, b e[], z c);
