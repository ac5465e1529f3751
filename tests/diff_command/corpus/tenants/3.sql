CREATE SCHEMA app;
CREATE TABLE app.tenants (
    id uuid PRIMARY KEY, name text NOT NULL, plan text NOT NULL,
    CONSTRAINT tenants_plan_check CHECK (plan IN ('free', 'pro', 'enterprise'))
);
CREATE FUNCTION app.current_tenant(fallback uuid DEFAULT NULL) RETURNS uuid LANGUAGE sql STABLE
    AS $$ SELECT coalesce(nullif(current_setting('app.tenant', true), '')::uuid, fallback) $$;
CREATE TABLE app.documents (
    id bigint NOT NULL,
    tenant_id uuid NOT NULL DEFAULT app.current_tenant() REFERENCES app.tenants ON DELETE CASCADE,
    body text NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
ALTER TABLE app.documents ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_the_tenant ON app.documents FOR ALL TO PUBLIC
    USING (tenant_id = app.current_tenant(NULL));
CREATE POLICY insert_own ON app.documents FOR INSERT TO tenant_user
    WITH CHECK (tenant_id = app.current_tenant());
GRANT ALL ON app.documents TO tenant_user;
