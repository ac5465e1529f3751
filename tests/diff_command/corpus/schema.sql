-- alone
-- variant one
CREATE TABLE t (a int);
-- variant two
CREATE SCHEMA one; CREATE TABLE one.t (a int); CREATE TABLE t (a int); COMMENT ON SCHEMA one IS 'why';
-- variant across
CREATE SCHEMA one; CREATE SCHEMA "Two"; CREATE TYPE one.e AS ENUM ('a'); CREATE TABLE "Two".t (a one.e DEFAULT 'a', b int PRIMARY KEY); CREATE TABLE one.u (b int REFERENCES "Two".t); CREATE VIEW v AS SELECT * FROM "Two".t JOIN one.u USING (b);
-- variant across changed
CREATE SCHEMA one; CREATE SCHEMA "Two"; CREATE TYPE one.e AS ENUM ('b', 'a'); CREATE TABLE "Two".t (a one.e DEFAULT 'b', b bigint PRIMARY KEY); CREATE TABLE one.u (b bigint REFERENCES "Two".t); CREATE VIEW v AS SELECT * FROM "Two".t JOIN one.u USING (b);
-- variant rights
CREATE SCHEMA one; GRANT USAGE ON SCHEMA one TO reader; CREATE SCHEMA three AUTHORIZATION auditor; REVOKE ALL ON SCHEMA public FROM public; GRANT CREATE ON SCHEMA public TO reader; COMMENT ON SCHEMA public IS 'ours';
-- variant same names
CREATE SCHEMA one; CREATE SCHEMA two; CREATE TABLE one.t (a int); CREATE TABLE two.t (a int); CREATE FUNCTION one.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE FUNCTION two.f() RETURNS int LANGUAGE sql AS 'SELECT one.f()'; CREATE VIEW one.v AS SELECT two.f(), t.a FROM two.t;
