CREATE SCHEMA queue;
CREATE TYPE queue.job_state AS ENUM ('waiting', 'running', 'failed', 'done');
CREATE SEQUENCE queue.job_number AS bigint START 1000 INCREMENT 2 MAXVALUE 100000000 CACHE 20;
CREATE TABLE queue.jobs (
    id bigint PRIMARY KEY DEFAULT nextval('queue.job_number'),
    state queue.job_state NOT NULL DEFAULT 'waiting',
    task text NOT NULL,
    payload json,
    attempts smallint NOT NULL DEFAULT 0,
    run_at timestamptz NOT NULL DEFAULT now(),
    locked_by text, locked_at timestamptz,
    CONSTRAINT locked_by_somebody CHECK ((locked_by IS NULL) = (locked_at IS NULL))
);
ALTER SEQUENCE queue.job_number OWNED BY queue.jobs.id;
CREATE INDEX jobs_waiting ON queue.jobs (run_at, id) WHERE state = 'waiting'::queue.job_state;
CREATE FUNCTION queue.wake() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('jobs', count(*)::text) FROM new_jobs;
    RETURN NULL;
END $$;
CREATE TRIGGER wake AFTER INSERT ON queue.jobs REFERENCING NEW TABLE AS new_jobs
    FOR EACH STATEMENT EXECUTE FUNCTION queue.wake();
CREATE FUNCTION queue.touch() RETURNS trigger LANGUAGE plpgsql AS $fn$
BEGIN
    IF NEW.state = 'failed' THEN NEW.attempts := NEW.attempts + 1; END IF;
    RETURN NEW;
END $fn$;
CREATE TRIGGER touch BEFORE UPDATE OF state ON queue.jobs FOR EACH ROW
    WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION queue.touch();
ALTER TABLE queue.jobs DISABLE TRIGGER touch;
CREATE FUNCTION queue.take(worker text, wanted integer DEFAULT 1) RETURNS SETOF queue.jobs
LANGUAGE sql AS $$
    UPDATE queue.jobs SET state = 'running', locked_by = worker, locked_at = now()
    WHERE id IN (SELECT id FROM queue.jobs WHERE state = 'waiting' ORDER BY run_at
                 LIMIT wanted FOR UPDATE SKIP LOCKED)
    RETURNING *
$$;
COMMENT ON FUNCTION queue.take(text, integer) IS 'Jobs for a worker; "SKIP LOCKED"';
