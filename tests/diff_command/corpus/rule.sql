-- always
CREATE TABLE t (a int, b varchar(10)); CREATE TABLE log (a int, b text);
-- variant none

-- variant also
CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO log VALUES (NEW.a, NEW.b);
-- variant instead
CREATE RULE r AS ON UPDATE TO t WHERE NEW.b IN ('a', 'b') AND OLD.a BETWEEN 1 AND 2 DO INSTEAD NOTHING;
-- variant several
CREATE RULE r AS ON DELETE TO t DO INSTEAD (INSERT INTO log VALUES (OLD.a, 'x'); UPDATE log SET b = 'y' WHERE a = OLD.a);
-- variant disabled
CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING; ALTER TABLE t DISABLE RULE r;
-- variant on a view
CREATE VIEW v AS SELECT a, b FROM t; CREATE RULE r AS ON INSERT TO v DO INSTEAD INSERT INTO t VALUES (NEW.a, NEW.b) RETURNING t.a, t.b; COMMENT ON RULE r ON v IS 'why';
-- variant on another view
CREATE VIEW v AS SELECT a, b, 1 AS c FROM t; CREATE RULE r AS ON INSERT TO v DO INSTEAD INSERT INTO t VALUES (NEW.a, NEW.b);
-- variant notify
CREATE RULE r AS ON UPDATE TO t DO NOTIFY t;
