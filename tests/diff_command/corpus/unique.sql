-- variant none
CREATE TABLE t (a int NOT NULL, b int, c text, r int4range);
-- variant primary key
CREATE TABLE t (a int PRIMARY KEY, b int, c text, r int4range);
-- variant other columns
CREATE TABLE t (a int, b int, c text, r int4range, PRIMARY KEY (a, b));
-- variant named
CREATE TABLE t (a int, b int, c text, r int4range, CONSTRAINT "My key" PRIMARY KEY (b));
-- variant unique
CREATE TABLE t (a int UNIQUE, b int, c text, r int4range, UNIQUE (b, c));
-- variant nulls not distinct
CREATE TABLE t (a int, b int, c text, r int4range, UNIQUE NULLS NOT DISTINCT (b, c));
-- variant include
CREATE TABLE t (a int PRIMARY KEY, b int, c text, r int4range, CONSTRAINT u UNIQUE (b) INCLUDE (c));
-- variant deferrable
CREATE TABLE t (a int PRIMARY KEY DEFERRABLE, b int, c text, r int4range, CONSTRAINT u UNIQUE (b) DEFERRABLE INITIALLY DEFERRED);
-- variant with options
CREATE TABLE t (a int PRIMARY KEY WITH (fillfactor = 70), b int, c text, r int4range, CONSTRAINT u UNIQUE (b) WITH (fillfactor = 80) DEFERRABLE);
-- variant exclusion
CREATE TABLE t (a int, b int, c text, r int4range, CONSTRAINT x EXCLUDE USING gist (r WITH &&));
-- variant partial exclusion
CREATE TABLE t (a int, b int, c text, r int4range, CONSTRAINT x EXCLUDE USING gist (r WITH &&, int4range(b, b, '[]') WITH =) WHERE (b > 0) DEFERRABLE);
-- variant without overlaps
CREATE TABLE t (a int4range, b int, c text, r int4range, PRIMARY KEY (a, r WITHOUT OVERLAPS));
-- variant commented
CREATE TABLE t (a int CONSTRAINT p PRIMARY KEY, b int, c text, r int4range); COMMENT ON CONSTRAINT p ON t IS 'key'; COMMENT ON INDEX p IS 'its index';
-- variant clustered
CREATE TABLE t (a int CONSTRAINT p PRIMARY KEY, b int, c text, r int4range); ALTER TABLE t CLUSTER ON p; ALTER TABLE t REPLICA IDENTITY USING INDEX p;
-- variant an index of that name
CREATE TABLE t (a int, b int, c text, r int4range); CREATE UNIQUE INDEX p ON t (a);
-- variant comments on not null
CREATE TABLE t (a int CONSTRAINT nn NOT NULL, b int, c text, r int4range); COMMENT ON CONSTRAINT nn ON t IS 'must';
-- variant other comments on not null
CREATE TABLE t (a int NOT NULL, b int NOT NULL, c text, r int4range); COMMENT ON CONSTRAINT t_a_not_null ON t IS 'must'; COMMENT ON CONSTRAINT t_b_not_null ON t IS 'must, too';
