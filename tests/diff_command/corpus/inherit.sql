-- variant none
CREATE TABLE a (id int, x text); CREATE TABLE b (id int, x text, y int);
-- variant child
CREATE TABLE a (id int, x text); CREATE TABLE b (y int) INHERITS (a);
-- variant merged
CREATE TABLE a (id int, x text); CREATE TABLE b (x text, y int) INHERITS (a);
-- variant with defaults
CREATE TABLE a (id int DEFAULT 1, x text); CREATE TABLE b (x text DEFAULT 'b', y int) INHERITS (a);
-- variant checks
CREATE TABLE a (id int, x text, CONSTRAINT k CHECK (id > 0)); CREATE TABLE b (y int, CONSTRAINT l CHECK (y > 0)) INHERITS (a);
-- variant not null
CREATE TABLE a (id int NOT NULL, x text); CREATE TABLE b (y int) INHERITS (a);
-- variant not null of the child
CREATE TABLE a (id int, x text); CREATE TABLE b (y int, id int NOT NULL) INHERITS (a);
-- variant no inherit
CREATE TABLE a (id int NOT NULL NO INHERIT, x text, CONSTRAINT k CHECK (id > 0) NO INHERIT); CREATE TABLE b (y int) INHERITS (a);
-- variant two parents
CREATE TABLE a (id int, x text); CREATE TABLE c (x text, z int); CREATE TABLE b (y int) INHERITS (a, c);
-- variant grandchild
CREATE TABLE a (id int, x text); CREATE TABLE b (y int) INHERITS (a); CREATE TABLE c (z int) INHERITS (b);
-- variant keys of each
CREATE TABLE a (id int PRIMARY KEY, x text); CREATE TABLE b (y int, PRIMARY KEY (id)) INHERITS (a); CREATE INDEX i ON b (y);
-- variant more columns above
CREATE TABLE a (id int, x text, z int DEFAULT 5 NOT NULL); CREATE TABLE b (y int) INHERITS (a);
-- variant fewer columns above
CREATE TABLE a (id int); CREATE TABLE b (y int, x text) INHERITS (a);
-- variant other types
CREATE TABLE a (id bigint, x varchar(50)); CREATE TABLE b (y int) INHERITS (a);
-- variant local and inherited
CREATE TABLE a (id bigint, x varchar(50)); CREATE TABLE b (y int, id bigint, x varchar(50)) INHERITS (a);
-- variant local
CREATE TABLE a (id bigint, x varchar(50)); CREATE TABLE b (y int, id bigint, x varchar(50));
-- variant not inherited again
CREATE TABLE a (id int NOT NULL NO INHERIT, x text, CONSTRAINT k CHECK (id > 0) NO INHERIT); CREATE TABLE b (y int) INHERITS (a);
-- variant keys of both again
CREATE TABLE a (id int PRIMARY KEY, x text); CREATE TABLE b (y int, PRIMARY KEY (id)) INHERITS (a); CREATE INDEX i ON b (y);
-- variant two parents again
CREATE TABLE a (id int, x text); CREATE TABLE c (x text, z int); CREATE TABLE b (y int) INHERITS (a, c);
-- variant one of them with other types
CREATE TABLE a (id bigint, x varchar(50)); CREATE TABLE b (y int, id bigint, x varchar(50)) INHERITS (a);
-- variant the other of them
CREATE TABLE c (x text, z bigint); CREATE TABLE b (y int) INHERITS (c);
