-- always
CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN short AS varchar(5);
-- variant plain
CREATE TABLE t (id int, v varchar(10));
-- variant wider
CREATE TABLE t (id bigint, v varchar(20));
-- variant text
CREATE TABLE t (id numeric, v text);
-- variant not null
CREATE TABLE t (id int NOT NULL, v varchar(10) NOT NULL);
-- variant named not null
CREATE TABLE t (id int CONSTRAINT must NOT NULL, v varchar(10) CONSTRAINT "Have" NOT NULL);
-- variant default
CREATE TABLE t (id int DEFAULT 1, v varchar(10) DEFAULT 'a');
-- variant other default
CREATE TABLE t (id int DEFAULT 1 + 1, v varchar(10) DEFAULT lower('A'));
-- variant default and not null
CREATE TABLE t (id int DEFAULT 1 NOT NULL, v varchar(10) DEFAULT 'a' NOT NULL);
-- variant collation
CREATE TABLE t (id int, v varchar(10) COLLATE "C");
-- variant other collation
CREATE TABLE t (id int, v varchar(10) COLLATE "POSIX");
-- variant storage
CREATE TABLE t (id int, v varchar(10) STORAGE MAIN);
-- variant external
CREATE TABLE t (id int, v text STORAGE EXTERNAL);
-- variant compression
CREATE TABLE t (id int, v text COMPRESSION pglz);
-- variant statistics
CREATE TABLE t (id int, v text); ALTER TABLE t ALTER v SET STATISTICS 500, ALTER id SET (n_distinct = 5);
-- variant statistics of inheritance
CREATE TABLE t (id int, v text); ALTER TABLE t ALTER v SET STATISTICS 0, ALTER id SET (n_distinct = -0.5, n_distinct_inherited = 3);
-- variant enum
CREATE TABLE t (id int, v mood);
-- variant enum with a default
CREATE TABLE t (id int, v mood DEFAULT 'ok' NOT NULL);
-- variant text with a default
CREATE TABLE t (id int, v text DEFAULT 'ok' NOT NULL);
-- variant domain
CREATE TABLE t (id int, v short);
-- variant array
CREATE TABLE t (id int[], v text[]);
-- variant array of numbers
CREATE TABLE t (id bigint[], v varchar(5)[]);
-- variant json
CREATE TABLE t (id json, v jsonb);
-- variant jsonb
CREATE TABLE t (id jsonb, v json);
-- variant times
CREATE TABLE t (id date, v timestamp);
-- variant zoned times
CREATE TABLE t (id timestamp, v timestamptz);
-- variant precise times
CREATE TABLE t (id timestamp(3), v interval day to second(2));
-- variant more columns
CREATE TABLE t (id int, v varchar(10), a int, b text DEFAULT 'x', c timestamptz DEFAULT now(), d uuid DEFAULT gen_random_uuid() NOT NULL);
-- variant fewer
CREATE TABLE t (v varchar(10));
-- variant none
CREATE TABLE t ();
-- variant quoted names
CREATE TABLE t (id int, v text, "Order" int, "a.b" text, "select" date, "ü" int, "with ""quotes""" int);
-- variant constants
CREATE TABLE t (a numeric(10,2) DEFAULT 0.5, b real DEFAULT 1e10, c bit(3) DEFAULT B'101', d bytea DEFAULT '\x00ff', e interval DEFAULT '1 day 2 hours', f date DEFAULT '2020-01-01', g timestamptz DEFAULT '2020-01-01 00:00:00+02', h money DEFAULT 5, i inet DEFAULT '10.0.0.1', j int[] DEFAULT '{1,2}', k text[] DEFAULT ARRAY['a','b'], l point DEFAULT '(1,2)', m text DEFAULT E'a\\b''c\n', n boolean DEFAULT true, o varchar(5)[] DEFAULT ARRAY['a','b'], p smallint DEFAULT -1);
-- variant functions of the session
CREATE TABLE t (a text DEFAULT current_user, b timestamptz DEFAULT current_timestamp, c date DEFAULT current_date, d text DEFAULT current_setting('TimeZone'), e timestamp DEFAULT (now() AT TIME ZONE 'utc'), f bigint DEFAULT extract(epoch FROM now()), g text DEFAULT session_user, h time DEFAULT localtime);
-- variant null by default
CREATE TABLE t (a text DEFAULT NULL, b int DEFAULT NULL);
