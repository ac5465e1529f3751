CREATE TABLE devices (id bigint PRIMARY KEY, serial text, seen timestamp);
CREATE TABLE readings (
    device_id bigint NOT NULL REFERENCES devices, at timestamptz NOT NULL, value numeric,
    raw text
);
