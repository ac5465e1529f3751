-- variant none

-- variant plain
CREATE SEQUENCE s;
-- variant options
CREATE SEQUENCE s AS int INCREMENT 2 MINVALUE 10 MAXVALUE 100 START 20 CACHE 5 CYCLE;
-- variant other options
CREATE SEQUENCE s AS smallint INCREMENT -1 MINVALUE -50 MAXVALUE 5 START 1;
-- variant high minimum
CREATE SEQUENCE s MINVALUE 1000;
-- variant low maximum
CREATE SEQUENCE s MAXVALUE 500;
-- variant start
CREATE SEQUENCE s START 77;
-- variant unlogged
CREATE UNLOGGED SEQUENCE s;
-- variant owned
CREATE TABLE t (a bigint); CREATE SEQUENCE s OWNED BY t.a;
-- variant owned by another
CREATE TABLE t (a bigint, b bigint DEFAULT 1); CREATE SEQUENCE s OWNED BY t.b;
-- variant used
CREATE SEQUENCE s; CREATE TABLE t (a bigint DEFAULT nextval('s'), b bigint DEFAULT nextval('s') + 1);
-- variant used by a function
CREATE SEQUENCE s; CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT nextval('s'); END; CREATE TABLE t (a bigint DEFAULT f());
-- variant commented
CREATE SEQUENCE s; COMMENT ON SEQUENCE s IS 'why';
