-- Storage, compression, statistics targets, ranges, operator classes, replica identity.
CREATE TABLE devices (id int PRIMARY KEY, serial text NOT NULL, seen timestamptz);
CREATE TABLE readings (
    device_id int NOT NULL REFERENCES devices, at timestamptz NOT NULL, value real, raw bytea
);
ALTER TABLE readings ALTER raw SET STORAGE EXTERNAL;
CREATE INDEX readings_at ON readings (device_id, at);
