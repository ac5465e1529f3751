CREATE TYPE temperature_range AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TABLE devices (
    id int PRIMARY KEY, serial text NOT NULL, seen timestamptz, allowed temperature_range,
    model text GENERATED ALWAYS AS (split_part(serial, '-', 1)) STORED
);
CREATE UNIQUE INDEX devices_serial ON devices (serial text_pattern_ops);
ALTER TABLE devices REPLICA IDENTITY FULL;
CREATE TABLE readings (
    device_id int NOT NULL REFERENCES devices, at timestamptz NOT NULL, value double precision,
    raw bytea COMPRESSION pglz, flags bit(8) DEFAULT B'00000000', note varchar(10)
);
ALTER TABLE readings ALTER raw SET STORAGE MAIN, ALTER value SET STATISTICS 500;
CREATE INDEX readings_at ON readings (device_id, at DESC NULLS LAST) WITH (fillfactor = 90);
CREATE INDEX readings_day ON readings ((date_trunc('day', at AT TIME ZONE 'UTC')));
CREATE TABLE alerts (
    device_id int, during tstzrange NOT NULL, level smallint CHECK (level BETWEEN 1 AND 5),
    CONSTRAINT no_overlap EXCLUDE USING gist (during WITH &&) WHERE (level > 3)
);
