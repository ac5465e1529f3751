-- A job queue with triggers and notifications.
CREATE SCHEMA queue;
CREATE TYPE queue.job_state AS ENUM ('waiting', 'running', 'done');
CREATE SEQUENCE queue.job_number START 1000 CACHE 10;
CREATE TABLE queue.jobs (
    id bigint PRIMARY KEY DEFAULT nextval('queue.job_number'),
    state queue.job_state NOT NULL DEFAULT 'waiting',
    task text NOT NULL,
    run_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX jobs_waiting ON queue.jobs (run_at) WHERE state = 'waiting';
CREATE FUNCTION queue.wake() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('jobs', NEW.id::text);
    RETURN NEW;
END $$;
CREATE TRIGGER wake AFTER INSERT ON queue.jobs FOR EACH ROW EXECUTE FUNCTION queue.wake();
