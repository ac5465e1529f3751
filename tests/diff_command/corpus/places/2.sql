CREATE TYPE point3 AS (x double precision, y double precision, z double precision, srid integer);
CREATE FUNCTION distance(a point3, b point3) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT
    AS $$ SELECT sqrt(((a).x - (b).x) ^ 2 + ((a).y - (b).y) ^ 2 + ((a).z - (b).z) ^ 2) $$;
CREATE FUNCTION distance(a point, b point) RETURNS double precision
    LANGUAGE sql IMMUTABLE STRICT RETURN a <-> b;
CREATE FUNCTION add_up(state double precision, a point3) RETURNS double precision
    LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN coalesce(state, 0) + (a).x; -- the sum; of all
END $$;
CREATE AGGREGATE sum_x(point3) (SFUNC = add_up, STYPE = double precision, INITCOND = '0');
CREATE TABLE places (
    id serial PRIMARY KEY, name text NOT NULL, at point3 NOT NULL,
    box box, area circle,
    open_at tstzrange,
    EXCLUDE USING gist (box WITH &&)
);
CREATE INDEX places_box ON places USING gist (box);
CREATE INDEX places_far ON places (distance(at, ROW(0, 0, 0, 0)::point3));
CREATE PROCEDURE forget(old integer) LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM places WHERE id < old;
    COMMIT;
END $$;
CREATE VIEW far_places AS
    SELECT id, name, distance(at, ROW(0, 0, 0, 0)::point3) AS far FROM places;
