-- always
CREATE TABLE t (a int, b varchar(10), o text); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE FUNCTION me() RETURNS text LANGUAGE sql STABLE AS 'SELECT current_user::text';
-- variant none

-- variant plain
CREATE POLICY p ON t USING (o = current_user);
-- variant check
CREATE POLICY p ON t USING (o = current_user) WITH CHECK (b IN ('a', 'b'));
-- variant command
CREATE POLICY p ON t FOR SELECT TO reader USING (o = me());
-- variant other roles
CREATE POLICY p ON t FOR SELECT TO reader, auditor USING (o = me());
-- variant restrictive
CREATE POLICY p ON t AS RESTRICTIVE FOR UPDATE TO public USING (a > 0) WITH CHECK (a BETWEEN 1 AND 5 AND o = me());
-- variant insert
CREATE POLICY p ON t FOR INSERT WITH CHECK (a > 0); COMMENT ON POLICY p ON t IS 'why';
-- variant of the current role
CREATE POLICY p ON t FOR DELETE TO current_user USING (EXISTS (SELECT FROM t x WHERE x.a = t.a));
-- variant of a view of it
CREATE VIEW v AS SELECT a, o FROM t; CREATE POLICY p ON t USING (a IN (SELECT v.a FROM v));
-- variant of another view of it
CREATE VIEW v AS SELECT a, o, b FROM t WHERE a > 0; CREATE POLICY p ON t USING (a IN (SELECT v.a FROM v WHERE v.b = 'x'));
-- variant with another type
ALTER TABLE t ALTER a TYPE bigint; CREATE VIEW v AS SELECT a, o, b FROM t WHERE a > 0; CREATE POLICY p ON t USING (a IN (SELECT v.a FROM v WHERE v.b = 'x'));
-- variant another table
CREATE TABLE u (a int, n text); CREATE POLICY p ON t USING (a IN (SELECT a FROM u WHERE n = me()));
