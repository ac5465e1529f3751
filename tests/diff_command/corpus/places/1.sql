-- Geography without PostGIS: composite types, functions over them, an aggregate.
CREATE TYPE point3 AS (x double precision, y double precision, z double precision);
CREATE FUNCTION distance(a point3, b point3) RETURNS double precision LANGUAGE sql IMMUTABLE STRICT
    AS $$ SELECT sqrt(((a).x - (b).x) ^ 2 + ((a).y - (b).y) ^ 2) $$;
CREATE TABLE places (
    id serial PRIMARY KEY, name text NOT NULL, at point3 NOT NULL,
    box box, area circle
);
CREATE INDEX places_box ON places USING gist (box);
