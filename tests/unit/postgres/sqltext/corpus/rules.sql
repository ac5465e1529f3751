CREATE TABLE log (id int, what text);
CREATE RULE twice AS ON INSERT TO log WHERE (new.id > 0 AND (new.what <> ';)'))
    DO ALSO (
        INSERT INTO log_copy VALUES (new.id, 'a;b'); -- );
        UPDATE counters SET n = n + (SELECT count(*) FROM (SELECT 1) AS s);
        NOTIFY changed;
    );
CREATE OR REPLACE RULE nothing AS ON DELETE TO log DO INSTEAD NOTHING;
CREATE RULE one AS ON UPDATE TO log DO INSTEAD (SELECT 1);
CREATE TABLE rule (function int, "procedure;" int CHECK ("procedure;" > (1)));
SELECT 'create rule r as on insert to t do (';
