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
-- variant keys of both once more
CREATE TABLE a (id int PRIMARY KEY, x text); CREATE TABLE b (y int, PRIMARY KEY (id)) INHERITS (a); CREATE INDEX i ON b (y);
-- variant other types and no keys
CREATE TABLE a (id bigint, x varchar(50)); CREATE TABLE b (y int) INHERITS (a);
-- variant two parents, the other first
CREATE TABLE a (id int, x text); CREATE TABLE c (x text, z int); CREATE TABLE b (y int) INHERITS (c, a);
-- variant another type in both
CREATE TABLE a (id int, x varchar(9)); CREATE TABLE c (x varchar(9), z int); CREATE TABLE b (y int) INHERITS (a, c);
-- variant fewer columns in both
CREATE TABLE a (id int); CREATE TABLE c (z int); CREATE TABLE b (y int, x text) INHERITS (a, c);
-- variant checks of both
CREATE TABLE a (id int, x text, CONSTRAINT k CHECK (x <> '')); CREATE TABLE c (x text, z int, CONSTRAINT k CHECK (x <> '')); CREATE TABLE b (y int) INHERITS (a, c);
-- variant fewer columns in both again
CREATE TABLE a (id int); CREATE TABLE c (z int); CREATE TABLE b (y int, x text) INHERITS (a, c);
-- variant not null of both
CREATE TABLE a (id int, x text NOT NULL); CREATE TABLE c (x text NOT NULL, z int); CREATE TABLE b (y int) INHERITS (a, c);
-- variant the second of three
CREATE TABLE c (x text, z bigint); CREATE TABLE b (y int) INHERITS (c);
-- variant three parents of another type
CREATE TABLE a (id int, x varchar(9)); CREATE TABLE c (x varchar(9), z int); CREATE TABLE d (x varchar(9)); CREATE TABLE b (y int) INHERITS (a, c, d);
-- variant one of two parents
CREATE TABLE a (id int, x text); CREATE TABLE c (x text, z int); CREATE TABLE b (y int, z int) INHERITS (a);
-- variant more columns above once more
CREATE TABLE a (id int, x text, z int DEFAULT 5 NOT NULL); CREATE TABLE b (y int) INHERITS (a);
-- variant both below another
CREATE TABLE r (x text, q int); CREATE TABLE a (id int) INHERITS (r); CREATE TABLE c (z int) INHERITS (r); CREATE TABLE b (y int) INHERITS (a, c);
-- variant both below another of another type
CREATE TABLE r (x varchar(7), q bigint); CREATE TABLE a (id int) INHERITS (r); CREATE TABLE c (z int) INHERITS (r); CREATE TABLE b (y int) INHERITS (a, c);
