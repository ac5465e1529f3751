CREATE TABLE events (
    stream uuid NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    source text DEFAULT 'api',
    PRIMARY KEY (stream, seq, at),
    CHECK (seq > 0)
) PARTITION BY RANGE (at);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')
    PARTITION BY RANGE (seq);
CREATE TABLE events_2026_first PARTITION OF events_2026 FOR VALUES FROM (1) TO (1000000)
    WITH (fillfactor = 70);
CREATE TABLE events_2026_rest PARTITION OF events_2026 DEFAULT;
CREATE TABLE events_rest PARTITION OF events DEFAULT;
CREATE INDEX events_kind ON events (kind);
CREATE INDEX events_payload ON events USING gin (payload jsonb_path_ops);
CREATE TABLE snapshots (
    stream uuid PRIMARY KEY, seq bigint NOT NULL, state jsonb NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT now(), CHECK (seq > 0)
) WITH (autovacuum_vacuum_scale_factor = 0.05, fillfactor = 80);
CREATE FUNCTION latest(wanted uuid) RETURNS SETOF events LANGUAGE sql STABLE
    AS $$ SELECT * FROM events WHERE stream = wanted ORDER BY seq DESC LIMIT 1 $$;
CREATE VIEW last_events AS SELECT DISTINCT ON (stream) * FROM events ORDER BY stream, seq DESC;
