CREATE SCHEMA queue;
CREATE TABLE queue.jobs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    state text NOT NULL DEFAULT 'waiting',
    task text NOT NULL,
    payload jsonb,
    run_at timestamptz NOT NULL DEFAULT now() + interval '1 second'
);
CREATE TABLE queue.finished (LIKE queue.jobs INCLUDING DEFAULTS, finished_at timestamptz);
CREATE FUNCTION queue.finish() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO queue.finished SELECT OLD.*, now();
    RETURN OLD;
END $$;
CREATE CONSTRAINT TRIGGER finish AFTER DELETE ON queue.jobs DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION queue.finish();
