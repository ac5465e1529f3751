CREATE SCHEMA app;
CREATE SCHEMA audit;
COMMENT ON SCHEMA audit IS 'Who did what';
CREATE TABLE app.tenants (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL,
    plan text NOT NULL DEFAULT 'free' CHECK (plan IN ('free', 'pro'))
);
CREATE TABLE app.documents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES app.tenants,
    body text,
    is_secret boolean NOT NULL DEFAULT false
);
CREATE TABLE audit.entries (
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    who name NOT NULL DEFAULT CURRENT_USER,
    document_id bigint REFERENCES app.documents ON DELETE SET NULL,
    old jsonb, new jsonb
);
CREATE INDEX entries_at ON audit.entries USING brin (at);
CREATE FUNCTION app.current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT current_setting('app.tenant')::uuid $$;
CREATE FUNCTION audit.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = audit, pg_temp AS $$
BEGIN
    INSERT INTO audit.entries (document_id, old, new)
    VALUES (coalesce(NEW.id, OLD.id), to_jsonb(OLD), to_jsonb(NEW));
    RETURN NULL;
END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON app.documents
    FOR EACH ROW EXECUTE FUNCTION audit.note();
ALTER TABLE app.documents ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.documents FORCE ROW LEVEL SECURITY;
ALTER TABLE app.tenants ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON app.documents TO tenant_user
    USING (tenant_id = app.current_tenant()) WITH CHECK (tenant_id = app.current_tenant());
CREATE POLICY no_secrets ON app.documents AS RESTRICTIVE FOR SELECT TO tenant_user
    USING (NOT is_secret);
CREATE POLICY itself ON app.tenants FOR SELECT USING (id = app.current_tenant());
GRANT USAGE ON SCHEMA app TO tenant_user;
GRANT SELECT, INSERT (tenant_id, body), UPDATE (body) ON app.documents TO tenant_user;
GRANT SELECT ON app.tenants TO tenant_user;
GRANT SELECT ON ALL TABLES IN SCHEMA audit TO auditor WITH GRANT OPTION;
GRANT USAGE ON SCHEMA audit TO auditor;
REVOKE EXECUTE ON FUNCTION audit.note() FROM PUBLIC;
