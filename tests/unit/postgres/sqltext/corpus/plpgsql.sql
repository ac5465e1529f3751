-- Bodies in dollar quotes, with semicolons, quotes and tags inside.
CREATE OR REPLACE FUNCTION audit_row() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $function$
DECLARE
    changed jsonb := '{}'::jsonb;  -- it's a comment; with a quote
    statement text := $q$ INSERT INTO audit VALUES ($1, '$$;'); $q$;
BEGIN
    IF TG_OP = 'DELETE' THEN
        EXECUTE statement USING old.id;
        RETURN old;
    END IF;
    FOR changed IN SELECT to_jsonb(new) LOOP
        CASE WHEN changed ? 'a;b' THEN NULL; ELSE NULL; END CASE;
    END LOOP;
    RETURN new;
EXCEPTION
    WHEN unique_violation THEN
        RAISE NOTICE 'again; %', $x$it's$x$;
        RETURN NULL;
END;
$function$;

CREATE TRIGGER audit_users AFTER INSERT OR UPDATE OR DELETE ON users
    FOR EACH ROW EXECUTE FUNCTION audit_row('a;b', "c;d");

DO LANGUAGE plpgsql $do$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reader;') THEN
        CREATE ROLE reader;
    END IF;
END
$do$;

DO $$ BEGIN PERFORM $a$ $b$ $a$ || E'\'; --'; END $$ -- the end; really
;
SELECT 1;
