CREATE TABLE events (
    stream uuid NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    PRIMARY KEY (stream, seq)
) PARTITION BY HASH (stream);
CREATE TABLE events_0 PARTITION OF events FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE events_1 PARTITION OF events FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE events_2025 (
    stream uuid NOT NULL, seq bigint NOT NULL, at timestamptz NOT NULL, kind text NOT NULL,
    payload jsonb NOT NULL
);
CREATE UNLOGGED TABLE snapshots (stream uuid PRIMARY KEY, seq bigint NOT NULL, state jsonb);
