-- always
CREATE TABLE p (a int PRIMARY KEY, b int UNIQUE, c int, UNIQUE (b, c));
-- variant none
CREATE TABLE t (id int, a int, b int, c int);
-- variant simple
CREATE TABLE t (id int, a int REFERENCES p, b int, c int);
-- variant to another column
CREATE TABLE t (id int, a int CONSTRAINT fk REFERENCES p (b), b int, c int);
-- variant two columns
CREATE TABLE t (id int, a int, b int, c int, FOREIGN KEY (b, c) REFERENCES p (b, c) MATCH FULL);
-- variant cascade
CREATE TABLE t (id int, a int REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE, b int, c int);
-- variant set null
CREATE TABLE t (id int, a int REFERENCES p ON DELETE SET NULL, b int, c int, FOREIGN KEY (b, c) REFERENCES p (b, c) ON DELETE SET NULL (c));
-- variant set default
CREATE TABLE t (id int, a int DEFAULT 1 REFERENCES p ON DELETE SET DEFAULT, b int, c int);
-- variant deferrable
CREATE TABLE t (id int, a int REFERENCES p DEFERRABLE INITIALLY DEFERRED, b int, c int);
-- variant deferrable at once
CREATE TABLE t (id int, a int REFERENCES p DEFERRABLE, b int, c int);
-- variant not valid
CREATE TABLE t (id int, a int, b int, c int); ALTER TABLE t ADD CONSTRAINT t_a_fkey FOREIGN KEY (a) REFERENCES p NOT VALID;
-- variant not enforced
CREATE TABLE t (id int, a int REFERENCES p NOT ENFORCED, b int, c int);
-- variant to itself
CREATE TABLE t (id int PRIMARY KEY, a int REFERENCES t, b int, c int);
-- variant both ways
CREATE TABLE t (id int PRIMARY KEY, a int REFERENCES p, b int, c int); ALTER TABLE p ADD CONSTRAINT back FOREIGN KEY (c) REFERENCES t;
-- variant another type
CREATE TABLE t (id int, a bigint REFERENCES p, b smallint REFERENCES p (b), c int);
-- variant other table
CREATE TABLE q (a int PRIMARY KEY); CREATE TABLE t (id int, a int REFERENCES q, b int, c int);
-- variant periods
CREATE TABLE q (a int4range, r int4range, PRIMARY KEY (a, r WITHOUT OVERLAPS)); CREATE TABLE t (id int, a int4range, r int4range, FOREIGN KEY (a, PERIOD r) REFERENCES q (a, PERIOD r));
