-- Bodies that the server parses at once.
CREATE FUNCTION add(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT a + b;
END;

CREATE /* or replace */ OR /* ; */ REPLACE -- ;
PROCEDURE settle("end" text DEFAULT 'end;', begin int DEFAULT 1)
LANGUAGE sql
begin /* not yet */ atomic
    UPDATE t SET x = CASE WHEN x = 1 THEN 2 ELSE CASE x WHEN 3 THEN 4 END END;
    INSERT INTO t (x) VALUES ((SELECT CASE WHEN true THEN 1 END));
    SELECT 1 AS "END", t.end FROM t AS "begin";
    ;
    DELETE FROM t WHERE note = $$END;$$;
    SELECT x FROM t ORDER BY CASE WHEN x > 1 THEN 1
    END;
END;

CREATE FUNCTION empty() RETURNS void LANGUAGE sql BEGIN ATOMIC END;
CREATE FUNCTION one() RETURNS int LANGUAGE sql RETURN 1;
CREATE FUNCTION two(begin atomic) RETURNS begin LANGUAGE sql AS 'SELECT 1; SELECT 2';
BEGIN;
SELECT 1;
END;
